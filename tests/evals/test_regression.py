"""An experiment held against a baseline: it fails on a regression that was shown, and on nothing less."""

import json
from xml.etree import ElementTree

import pytest
from tests.evals.conftest import SCHEMA, half_right, number_of, right

from mainspring.evals import Experiment, Experiments, GivenRow, report
from mainspring.kernel import aliases, versions
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.runs import events_of
from mainspring.prompts import Prompts

METRICS = ["json", "latency"]


@pytest.fixture
def experiments(platform, questions):
    """A service, with a second version of the prompt, and the first in production."""
    prompts = Prompts(platform)
    prompts.label("describe", "production", "1")
    ask = [{"role": "system", "content": "Say it in prose."}, {"role": "user", "content": "{{input}}"}]
    prompts.commit("describe", ask, schema=SCHEMA, parameters={"max_tokens": 40})
    return Experiments(platform)


def held(experiments, baseline="production", **kwargs):
    return experiments.run(
        "dataset/docs", "model/base", prompt="prompt/describe@2", scorers=METRICS, fail_if_worse_than=baseline, **kwargs
    )


def by_prompt(good, bad):
    return lambda request: (bad if "prose" in request.messages[0]["content"] else good)(request)


def test_a_regression_fails_the_run_and_both_experiments_are_kept(experiments, target):
    target.answer = by_prompt(right, half_right)
    run = held(experiments)
    assert (run.state, run.error["code"]) == ("failed", "gate_failed")
    assert run.error["message"].startswith("Worse than production. json: Worse")
    assert run.error["details"]["metrics"] == ["json"]
    assert len(target.asked) == 200
    kept = experiments.get(run.id)
    baseline = experiments.get(kept.baseline)
    assert (baseline.prompt, kept.prompt) == ("prompt/describe@1", "prompt/describe@2")
    report = experiments.export(run.id, format="markdown")
    assert "| json | 1 | 0.5 | -0.5 |" in report
    assert "**worse**" in report
    root = ElementTree.fromstring(experiments.export(run.id, format="junit"))
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    assert [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None] == ["json"]


def test_an_experiment_by_the_name_of_a_label_does_not_stand_in_for_what_the_label_points_at(
    experiments, target, acting
):
    target.answer = by_prompt(right, half_right)
    with acting("developer", "bob"):
        poor = [GivenRow(row=f"r{number}", scores={"json": 0.0}) for number in range(100)]
        experiments.record("production", poor, dataset="dataset/docs")
    run = held(experiments)
    assert (run.state, run.error["code"]) == ("failed", "gate_failed")
    assert experiments.get(run.error["details"]["baseline"]).prompt == "prompt/describe@1"


def test_report_and_exit_code_agree_whatever_else_is_measured(experiments, target):
    # Six of a hundred rows lost: p = .031, which a correction for the metrics of speed would hide.
    target.answer = by_prompt(right, lambda request: "no" if number_of(request) < 6 else right(request))
    run = experiments.run(
        "dataset/docs",
        "model/base",
        prompt="prompt/describe@2",
        scorers=["json", "latency", "input_tokens", "output_tokens"],
        fail_if_worse_than="production",
    )
    assert run.error["details"]["metrics"] == ["json"]
    root = ElementTree.fromstring(experiments.export(run.id, format="junit"))
    assert [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None] == ["json"]
    found = experiments.compare(experiments.get(run.id).baseline, run.id)
    assert {one.metric: one.p_adjusted for one in found.metrics}["json"] == 0.03125


def test_the_verdict_is_that_after_correction_as_the_exit_code_is(experiments, target):
    # Six of a hundred rows lost: p = .031 alone, and .094 among three metrics of quality.
    target.answer = by_prompt(right, lambda request: "no" if number_of(request) < 6 else right(request))
    run = experiments.run(
        "dataset/docs",
        "model/base",
        prompt="prompt/describe@2",
        scorers=["json", "contains:never said", "toxicity"],
        fail_if_worse_than="production",
    )
    found = experiments.compare(experiments.get(run.id).baseline, run.id)
    one = next(one for one in found.metrics if one.metric == "json")
    assert (run.state, one.verdict, one.p_adjusted) == ("succeeded", "too few rows", 0.09375)
    assert one.high < 0 and "p = 0.094 after correction" in one.sentence
    assert experiments.compare(found.baseline, found.candidate, metrics=["json"]).metrics[0].verdict == "worse"


def test_longer_answers_are_reported_and_fail_nothing(experiments, target):
    target.answer = by_prompt(right, lambda request: json.dumps(json.loads(right(request)), indent=8))
    run = experiments.run(
        "dataset/docs",
        "model/base",
        prompt="prompt/describe@2",
        scorers=["json", "length", "words"],
        fail_if_worse_than="production",
    )
    assert run.state == "succeeded", run.error
    found = experiments.compare(experiments.get(run.id).baseline, run.id)
    assert {one.metric: one.verdict for one in found.metrics}["length"] == "worse"


def test_what_too_few_rows_show_is_not_called_not_worse(experiments, platform, target):
    run = held(experiments, limit=10)
    with platform.read() as tx:
        said = str([event.body for event in events_of(tx, run.id)])
    assert "Not shown to be worse than production. json: Too few rows" in said


def test_the_baseline_of_a_bare_model_is_a_bare_model(experiments, platform, target):
    with platform.begin() as tx:
        versions.commit(tx, "model", "base", {"weights": 3})
        aliases.move(tx, "model", "base", "production", 1)
    experiments.run("dataset/docs", "model/base@1", prompt="prompt/describe@1", scorers=METRICS)
    run = experiments.run("dataset/docs", "model/base@2", scorers=METRICS, fail_if_worse_than="production")
    assert run.state == "succeeded", run.error
    baseline = experiments.get(experiments.get(run.id).baseline)
    assert (baseline.target, baseline.prompt) == ("model/base@1", "")


def test_a_constrained_baseline_is_asked_anew_for_a_constrained_experiment(experiments, target):
    free = experiments.run("dataset/docs", "model/base", prompt="prompt/describe@1", scorers=METRICS)
    run = held(experiments, constrained=True)
    baseline = experiments.get(experiments.get(run.id).baseline)
    assert baseline.id != free.id
    assert baseline.constrained


def test_a_baseline_is_asked_with_its_own_parameters_unless_they_are_given(experiments, platform, target):
    ask = [{"role": "user", "content": "{{input}}"}]
    Prompts(platform).commit("describe", ask, schema=SCHEMA, parameters={"max_tokens": 77, "temperature": 0.9})
    run = experiments.run(
        "dataset/docs", "model/base", prompt="prompt/describe@3", scorers=METRICS, fail_if_worse_than="production"
    )
    assert run.state == "succeeded", run.error
    assert {(one.max_tokens, one.temperature) for one in target.asked[:100]} == {(77, 0.9)}
    assert {(one.max_tokens, one.temperature) for one in target.asked[100:]} == {(40, 0.0)}
    target.asked.clear()
    held(experiments, max_tokens=9, temperature=0.1)
    assert {(one.max_tokens, one.temperature) for one in target.asked} == {(9, 0.1)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"constrained": True}, "held to a response schema"),
        ({"scorers": ["rougeL", "latency"]}, "No metric of quality"),
    ],
)
def test_a_baseline_unlike_the_experiment_is_refused_before_anything_is_paid_for(experiments, target, options, message):
    experiments.run("dataset/docs", "model/base", prompt="prompt/describe@1", scorers=METRICS, name="before")
    given = {"prompt": "prompt/describe@2", "scorers": METRICS, "fail_if_worse_than": "before", **options}
    with pytest.raises(Invalid, match=message):
        experiments.run("dataset/docs", "model/base", **given)
    assert len(target.asked) == 100


def test_a_baseline_over_other_rows_is_refused_before_anything_is_paid_for(experiments, target):
    experiments.record("elsewhere", [GivenRow(row="r1", scores={"json": 1.0})])
    with pytest.raises(Invalid, match=r"over no dataset, not dataset/docs@1"):
        held(experiments, "elsewhere")
    assert target.asked == []


def test_a_baseline_that_was_asked_is_not_asked_again(experiments, target):
    before = experiments.run("dataset/docs", "model/base", prompt="prompt/describe@1", scorers=METRICS)
    run = held(experiments)
    assert (run.state, len(target.asked)) == ("succeeded", 200)
    assert Experiment.model_validate(run.result).baseline == before.id


def test_a_difference_that_chance_makes_does_not_fail(experiments, target):
    target.answer = by_prompt(right, lambda request: right(request) if number_of(request) > 2 else "no")
    assert held(experiments).state == "succeeded"


def test_a_named_experiment_is_a_baseline(experiments, target):
    experiments.run("dataset/docs", "model/tuned", prompt="prompt/describe@1", scorers=METRICS, name="last-week")
    target.answer = half_right
    assert held(experiments, "last-week").error["code"] == "gate_failed"


def test_a_budget_holds_over_both(experiments, target):
    run = held(experiments, max_calls=150)
    assert run.state == "succeeded", run.error
    assert len(target.asked) == 150
    run = held(experiments, max_calls=100, seed=7)
    assert run.error["code"] == "limit_reached"


@pytest.mark.parametrize(
    ("prompt", "baseline", "error", "message"),
    [
        ("prompt/describe@2", "nonsense", NotFound, "no experiment and no label"),
        ("prompt/describe@1", "production", Invalid, "is production itself"),
    ],
)
def test_a_baseline_that_cannot_be_is_refused_before_anything_is_paid_for(
    experiments, target, prompt, baseline, error, message
):
    with pytest.raises(error, match=message):
        experiments.run("dataset/docs", "model/base", prompt=prompt, fail_if_worse_than=baseline)
    assert target.asked == []


def test_results_and_samples_have_the_shape_of_lm_evaluation_harness(experiments, target):
    target.answer = half_right
    done = experiments.run("dataset/docs", "model/base", prompt="prompt/describe@1", scorers=["json"], limit=40)
    results = json.loads(experiments.export(done.id, format="lm-eval-results"))
    share = results["results"]["docs"]["json,none"]
    error = results["results"]["docs"]["json_stderr,none"]
    assert error == pytest.approx((share * (1 - share) / 40) ** 0.5, rel=0.1)
    assert results["n-samples"] == {"docs": {"original": 40, "effective": 40}}
    lines = experiments.export(done.id, format="lm-eval-samples", limit=15, offset=10).splitlines()
    samples = [json.loads(line) for line in lines]
    assert [sample["doc_id"] for sample in samples] == list(range(10, 25))
    assert samples[0]["resps"] == [[samples[0]["filtered_resps"][0]]]
    assert all(sample["json"] in (0.0, 1.0) for sample in samples)
    assert len(experiments.export(done.id, format="jsonl").splitlines()) == 40


def test_notebooks_show_tables_and_no_markup_of_others(experiments, target):
    first = experiments.run("dataset/docs", "model/base", prompt="prompt/describe@1", scorers=["json"], name="one")
    target.answer = half_right
    experiments.run("dataset/docs", "model/base", prompt="prompt/describe@2", scorers=["json"], name="two")
    shown = experiments.compare("one", "two")._repr_html_()
    assert "<td>worse</td>" in shown
    experiment = experiments.get(first.id).model_copy(update={"name": "<script>"})
    assert "<script>" not in experiment._repr_html_()


def test_reports_show_what_they_are_given_and_mark_up_nothing(experiments):
    odd = "x\ufffe\x00\n\n# Title ![i](http://e.example/i) <img src=x> @everyone a\\|b _c_ model/base@1"
    rows = [GivenRow(row="r", scores={"json": 1.0})]
    made = experiments.record("odd", rows, dataset="dataset/docs", target="# y")
    made = made.model_copy(update={"name": odd, "target": "# y\n" + odd[:60]})
    text = report.markdown(made)
    assert [line for line in text.splitlines() if line.startswith("#")] == [text.splitlines()[0]]
    for raw in ("![i](", " <img", "@everyone", "a\\|b", " _c_"):
        assert raw not in text
    assert "model/base@1" in text
    assert r"a\\\|b" in text
    root = ElementTree.fromstring(report.junit(made))
    assert root.get("name").startswith("x")
