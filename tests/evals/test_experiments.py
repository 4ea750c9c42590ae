"""Experiments: every row asked once, every figure with its interval, comparison by one rule."""

import pytest
from tests.evals.conftest import Likelihood, half_right, right

from mainspring.data import rows as dataset_rows
from mainspring.data.models import Row
from mainspring.evals import Experiment, Experiments, Scorers
from mainspring.kernel import lineage, runs, versions
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from mainspring.kernel.jobs import execute
from mainspring.prompts import Prompts
from mainspring.registry import Parameters, releases

METRICS = ["json", "schema", "field:package", "rougeL", "bleu", "latency", "output_tokens"]


@pytest.fixture
def experiments(platform, questions):
    return Experiments(platform)


def ran(experiments, *args, **kwargs):
    kwargs.setdefault("scorers", METRICS)
    run = experiments.run("dataset/docs", *args, **kwargs)
    assert run.error is None, run.error
    return Experiment.model_validate(run.result)


def figures(experiment):
    return {figure.metric: figure for figure in experiment.figures}


def test_each_row_is_asked_and_each_figure_has_an_interval(experiments, target):
    target.answer = half_right
    done = ran(experiments, "model/base", prompt="prompt/describe", name="baseline")
    assert (done.rows, done.errors, done.dataset, done.target) == (100, 0, "dataset/docs@1", "model/base@1")
    assert (done.prompt, done.constrained, done.split) == ("prompt/describe@1", False, "test")
    assert len(target.asked) == 100
    first = target.asked[0]
    assert [message["role"] for message in first.messages] == ["system", "user"]
    assert (first.schema, first.max_tokens, first.temperature) == (None, 40, 0.0)
    found = figures(done)
    assert found["json"].value == found["field:package"].value == 0.5
    assert (found["json"].method, found["json"].n) == ("wilson", 100)
    for figure in done.figures:
        assert figure.low is not None, figure
        assert figure.low <= figure.value <= figure.high
    assert done.settings["bleu_signature"].startswith("nrefs:1")


def test_constrained_answers_are_held_to_the_schema_and_kept_apart(experiments, target):
    free = ran(experiments, "model/base", prompt="prompt/describe")
    held = ran(experiments, "model/base", prompt="prompt/describe", constrained=True)
    assert target.asked[-1].schema["required"] == ["package", "summary"]
    assert held.constrained
    with pytest.raises(Invalid, match="held to a response schema"):
        experiments.compare(free.id, held.id)
    assert experiments.compare(free.id, held.id, across_modes=True).rows == 100


def test_comparison_is_paired_and_speaks(experiments, target):
    target.answer = half_right
    before = ran(experiments, "model/base", prompt="prompt/describe", name="before")
    target.answer = right
    after = ran(experiments, "model/tuned", prompt="prompt/describe", name="after")
    found = experiments.compare("before", "after")
    assert (found.baseline, found.candidate, found.rows, found.unpaired) == (before.id, after.id, 100, 0)
    by_name = {metric.metric: metric for metric in found.metrics}
    for name in ("json", "schema", "field:package", "rougeL", "bleu"):
        metric = by_name[name]
        assert metric.verdict == "better", metric
        assert metric.low > 0
        assert metric.p_value <= metric.p_adjusted < 0.05
        assert metric.not_worse
    assert by_name["json"].difference == 0.5
    assert by_name["bleu"].candidate == pytest.approx(100)
    assert "Better" in by_name["json"].sentence
    back = experiments.compare("after", "before", metrics=["json"])
    assert [metric.verdict for metric in back.metrics] == ["worse"]


def test_nothing_changed_is_not_called_better(experiments, target):
    target.answer = half_right
    one = ran(experiments, "model/base", prompt="prompt/describe")
    two = ran(experiments, "model/tuned", prompt="prompt/describe")
    found = {metric.metric: metric for metric in experiments.compare(one.id, two.id).metrics}
    assert found["json"].difference == 0
    assert {metric.verdict for metric in found.values()} <= {"no difference shown", "too few rows"}


def test_a_limit_takes_the_same_sample_for_every_target(experiments, target):
    ran(experiments, "model/base", prompt="prompt/describe", limit=30, seed=3)
    ran(experiments, "model/tuned", prompt="prompt/describe", limit=30, seed=3)
    asked = [request.messages[-1]["content"] for request in target.asked]
    assert asked[:30] == asked[30:]
    assert len(set(asked)) == 30


def test_few_rows_have_no_interval_where_none_would_hold(experiments):
    done = figures(ran(experiments, "model/base", prompt="prompt/describe", limit=8))
    assert (done["json"].low, done["json"].method) == (None, "none")
    assert "at least 35 are needed for a share" in done["json"].note
    assert (done["latency"].low, done["latency"].note) == (
        None,
        "No interval: 8 rows are too few: at least 30 are needed.",
    )


def test_without_a_prompt_rows_are_sent_as_they_are(experiments, target):
    ran(experiments, "model/base", split="train", scorers=["exact", "rougeL:summary"])
    assert len(target.asked) == 10
    assert [message["role"] for message in target.asked[0].messages] == ["system", "user"]
    assert target.asked[0].messages[0]["content"] == "Old system text."


def test_a_run_that_was_cut_off_pays_for_no_answer_twice(experiments, target, platform):
    calls = 0

    def dies_midway(request):
        nonlocal calls
        calls += 1
        if calls == 41:
            raise KeyboardInterrupt
        return right(request)

    target.answer = dies_midway
    with pytest.raises(KeyboardInterrupt):
        experiments.run("dataset/docs", "model/base", prompt="prompt/describe", scorers=["json"])
    assert experiments.list_().items == []
    with platform.read() as tx:
        run = runs.list_(tx, kind="experiment.run")[0][0]
    with pytest.raises(Conflict, match="is running"):
        experiments.get(run.id)
    target.answer, target.asked = right, []
    execute(platform, run.id)
    assert len(target.asked) == 60
    assert experiments.get(run.id).rows == 100
    assert figures(experiments.get(run.id))["json"].value == 1.0


def test_answers_of_another_run_are_taken_only_when_asked(experiments, target):
    ran(experiments, "model/base", prompt="prompt/describe")
    ran(experiments, "model/base", prompt="prompt/describe")
    assert len(target.asked) == 200
    taken = ran(experiments, "model/base", prompt="prompt/describe", reuse=True)
    reused = figures(taken)
    assert len(target.asked) == 200
    assert (taken.calls, taken.reused, taken.rows) == (0, 100, 100)
    assert reused["json"].value == 1.0
    assert (reused["latency"].value, reused["latency"].n) == (None, 0)
    ran(experiments, "model/base", prompt="prompt/describe", reuse=True, max_tokens=50)
    assert len(target.asked) == 300


def test_a_row_that_cannot_be_answered_counts_as_an_empty_answer(experiments, target):
    def refuses_some(request):
        return Invalid("The prompt is too long.") if "#7" in request.messages[-1]["content"] else right(request)

    target.answer = refuses_some
    done = ran(experiments, "model/base", prompt="prompt/describe")
    assert done.errors == 11
    assert figures(done)["json"].value == 0.89
    assert figures(done)["latency"].n == 89
    failed = [row for row in experiments.rows(done.id).items if row.error]
    assert failed[0].error == "invalid: The prompt is too long."
    assert failed[0].scores["json"] == 0.0


def test_a_target_that_comes_back_is_asked_again_and_one_that_does_not_fails_the_run(experiments, target):
    seen = set()

    def late(request):
        text = request.messages[-1]["content"]
        if text in seen:
            return right(request)
        seen.add(text)
        return Unavailable("Starting.")

    target.answer = late
    assert ran(experiments, "model/base", prompt="prompt/describe").errors == 0
    target.answer = lambda request: Unavailable("Gone.")
    run = experiments.run("dataset/docs", "model/base", prompt="prompt/describe")
    assert (run.state, run.error["code"]) == ("failed", "unavailable")
    assert "100 of 100 rows" in run.error["message"]


def test_where_every_row_fails_the_run_fails_with_the_reason(experiments, target):
    target.answer = lambda request: Denied("Not allowed.")
    run = experiments.run("dataset/docs", "model/base", prompt="prompt/describe")
    assert (run.state, "denied: Not allowed." in run.error["message"]) == ("failed", True)


def test_perplexity_is_of_the_reference_under_the_model(experiments, platform):
    platform.loglikelihood_port = Likelihood()
    done = ran(experiments, "model/base", prompt="prompt/describe", scorers=["perplexity"])
    found = figures(done)["perplexity"]
    assert found.value == pytest.approx(2.0)
    model, conversation = platform.loglikelihood.asked[0]
    assert model == "model/base@1"
    assert [message["role"] for message in conversation] == ["system", "user", "assistant"]


def test_a_release_is_asked_through_its_own_prompt(experiments, platform, target):
    with platform.begin() as tx:
        parameters = Parameters(constrained=True)
        made = releases.create(
            tx, "docs", model="model/tuned", prompt="prompt/describe", guard="", parameters=parameters
        )
    done = ran(experiments, "release/docs")
    assert (done.target, done.prompt, done.constrained) == (made.ref, "", True)
    assert target.asked[0].model == "release/docs@1"
    assert [message["role"] for message in target.asked[0].messages] == ["user"]
    assert target.asked[0].schema is None
    with pytest.raises(Invalid, match="brings its own prompt"):
        experiments.run("dataset/docs", "release/docs", prompt="prompt/describe")


def test_what_a_prompt_sets_is_sent_and_what_it_sets_counts_in_what_is_known(experiments, platform, target):
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    said = [{"role": "user", "content": "{{input}}"}]
    for top_p in (0.2, 0.9):
        parameters = {"top_p": top_p, "frequency_penalty": 0.5, "temperature": 0.3}
        Prompts(platform).commit("tooled", said, tools=[tool], parameters=parameters)
    ran(experiments, "model/base", prompt="prompt/tooled@1", scorers=["json"], limit=2)
    body = target.asked[0].options()
    assert (body["top_p"], body["frequency_penalty"], body["temperature"]) == (0.2, 0.5, 0.3)
    assert [one["function"]["name"] for one in body["tools"]] == ["look"]
    ran(experiments, "model/base", prompt="prompt/tooled@2", scorers=["json"], limit=2, reuse=True)
    assert [request.options()["top_p"] for request in target.asked] == [0.2, 0.2, 0.9, 0.9]


def test_a_release_is_asked_for_as_many_tokens_as_it_pins(experiments, platform, target):
    parameters = Parameters(max_tokens=900, temperature=0.7, top_p=0.5)
    with platform.begin() as tx:
        releases.create(tx, "long", model="model/tuned", prompt="prompt/describe", guard="", parameters=parameters)
    done = ran(experiments, "release/long", limit=1)
    assert (target.asked[0].max_tokens, target.asked[0].extra) == (900, {})
    assert (done.settings["max_tokens"], done.settings["temperature"]) == (900, 0.7)


def test_lineage_names_what_was_read(experiments, platform):
    done = ran(experiments, "model/base", prompt="prompt/describe")
    with platform.read() as tx:
        edges = {(edge.direction, edge.ref) for edge in lineage.of_run(tx, done.id)}
    assert edges == {("in", "dataset/docs@1"), ("in", "model/base@1"), ("in", "prompt/describe@1")}


def test_lists_and_rows_are_pages(experiments):
    one = ran(experiments, "model/base", prompt="prompt/describe", name="a", scorers=["json"])
    two = ran(experiments, "model/tuned", prompt="prompt/describe", name="b", scorers=["json"])
    assert [found.id for found in experiments.list_().items] == [two.id, one.id]
    assert [found.id for found in experiments.list_(target="model/base").items] == [one.id]
    assert [found.id for found in experiments.list_(name="b").items] == [two.id]
    page = experiments.rows(one.id, limit=60)
    rest = experiments.rows(one.id, limit=60, cursor=page.next_cursor)
    assert [row.row for row in page.items + rest.items] == [f"r{number}" for number in range(100)]
    assert rest.next_cursor is None
    assert page.items[0].answer.startswith('{"package"')


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": "model/none"}, NotFound, "model/none"),
        ({"dataset": "dataset/none"}, NotFound, "dataset/none"),
        ({"prompt": "prompt/none"}, NotFound, "prompt/none"),
        ({"target": "dataset/docs"}, Invalid, "cannot answer"),
        ({"scorers": ["nonsense"]}, Invalid, "no scorer 'nonsense'"),
        ({"scorers": ["schema"], "prompt": None}, Invalid, "needs a prompt with a response schema"),
        ({"constrained": True, "prompt": None}, Invalid, "held to"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_paid_for(experiments, target, arguments, error, message):
    whole = {"dataset": "dataset/docs", "target": "model/base", "prompt": "prompt/describe", **arguments}
    with pytest.raises(error, match=message):
        experiments.run(**whole)
    assert target.asked == []


def test_a_split_without_rows_fails_and_names_those_there_are(experiments):
    run = experiments.run("dataset/docs", "model/base", prompt="prompt/describe", split="holdout")
    assert run.error["code"] == "invalid"
    assert "test, train" in run.error["hint"]


def test_experiments_over_different_data_are_not_compared(experiments, platform, questions):
    row = Row(id="x", messages=[{"role": "user", "content": "Describe #1"}], reference="a", split="test")
    with platform.begin() as tx:
        versions.commit(tx, "dataset", "other", dataset_rows.store(platform.files, [row]))
    one = ran(experiments, "model/base", prompt="prompt/describe", scorers=["json"])
    other = experiments.run("dataset/other", "model/base", prompt="prompt/describe", scorers=["json"])
    with pytest.raises(Invalid, match="are over dataset/docs@1 and dataset/other@1"):
        experiments.compare(one.id, other.id)
    with pytest.raises(NotFound):
        experiments.compare(one.id, "nothing")
    with pytest.raises(Invalid, match="metric 'bleu'"):
        experiments.compare(one.id, one.id, metrics=["bleu"])


def test_a_viewer_reads_and_does_not_run(experiments, acting):
    with acting(role="viewer", member="bob"):
        assert experiments.list_().items == []
        with pytest.raises(Denied):
            experiments.run("dataset/docs", "model/base")


def test_scorers_are_listed(platform):
    names = {found.name for found in Scorers(platform).list_()}
    assert {"exact", "json", "schema", "field", "rougeL", "bleu", "latency", "perplexity"} <= names


def test_a_deployment_is_asked_without_the_rows_system_messages(experiments, target):
    done = ran(experiments, "deployment/docs", scorers=["json"], reuse=True)
    assert (done.target, target.asked[0].model) == ("deployment/docs", "deployment/docs")
    # What is deployed brings its own parameters: nothing is said of them, unless somebody says it.
    assert not {"max_tokens", "temperature"} & set(target.asked[0].options())
    ran(experiments, "deployment/docs", scorers=["json"], max_tokens=9)
    assert target.asked[-1].options()["max_tokens"] == 9
    assert [message["role"] for message in target.asked[0].messages] == ["user"]
    with pytest.raises(Invalid, match="needs a model or a release"):
        experiments.run("dataset/docs", "deployment/docs", scorers=["perplexity"])
