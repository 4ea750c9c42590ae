"""Suites fix what is asked; repeats, comparison of many, alignment, scores from outside, deletion."""

import json

import pytest
from tests.evals.conftest import half_right, right

from mainspring.evals import Experiment, Experiments, Suites
from mainspring.evals.models import GivenRow, SuiteSettings
from mainspring.kernel import lineage
from mainspring.kernel.errors import Invalid, NotFound


@pytest.fixture
def experiments(platform, questions):
    return Experiments(platform)


def ran(experiments, *args, **kwargs):
    run = experiments.run(*args, **{"prompt": "prompt/describe", **kwargs})
    assert run.error is None, run.error
    return Experiment.model_validate(run.result)


def test_a_suite_says_what_to_ask_and_never_changes(experiments, platform, target):
    suites = Suites(platform)
    settings = SuiteSettings(limit=20, seed=5, max_tokens=33, constrained=True)
    made = suites.create("faq", "dataset/docs", ["json", "field:package"], settings=settings)
    assert (made.ref, made.dataset, made.split) == ("suite/faq@1", "dataset/docs@1", "test")
    assert suites.create("faq", "dataset/docs", ["json", "field:package"], settings=settings).existed
    other = suites.create("faq", "dataset/docs", ["json"])
    assert (other.number, suites.get("faq").number, suites.get("faq", selector="1").scorers) == (2, 2, made.scorers)
    assert [suite.ref for suite in suites.list_().items] == ["suite/faq@2"]
    assert [suite.number for suite in suites.versions("faq").items] == [2, 1]
    done = ran(experiments, "suite/faq@1", "model/base")
    assert (done.suite, done.dataset, done.rows, done.constrained) == ("suite/faq@1", "dataset/docs@1", 20, True)
    assert [figure.metric for figure in done.figures] == ["json", "field:package"]
    assert target.asked[0].max_tokens == 33
    assert ran(experiments, "suite/faq@1", "model/base", limit=10).rows == 10
    assert [found.rows for found in experiments.list_(suite="suite/faq").items] == [10, 20]
    with platform.read() as tx:
        assert "suite/faq@1" in {edge.ref for edge in lineage.of_run(tx, done.id)}


def test_a_suite_that_cannot_be_is_refused(experiments, platform):
    for scorers in ([], ["nonsense"]):
        with pytest.raises(Invalid):
            Suites(platform).create("faq", "dataset/docs", scorers)
    with pytest.raises(NotFound):
        Suites(platform).create("faq", "dataset/none", ["json"])
    with pytest.raises(Invalid, match="no rows to ask"):
        experiments.run("model/base", "model/base")


def test_a_prompt_is_a_target_that_a_model_answers(experiments):
    done = ran(experiments, "dataset/docs", "prompt/describe", prompt=None, model="model/base", limit=5)
    assert (done.target, done.prompt) == ("model/base@1", "prompt/describe@1")
    with pytest.raises(Invalid, match="a model must answer"):
        experiments.run("dataset/docs", "prompt/describe")
    with pytest.raises(Invalid, match="for a prompt alone"):
        experiments.run("dataset/docs", "model/base", model="model/tuned")


def test_repeats_are_pooled_and_kept_together(experiments, target):
    target.answer = lambda request: right(request) if request.seed % 2 else half_right(request)
    once = ran(experiments, "dataset/docs", "model/base", limit=40, scorers=["json"])
    done = ran(experiments, "dataset/docs", "model/base", limit=40, scorers=["json"], repeats=4)
    assert (done.rows, done.calls, done.settings["repeats"]) == (160, 160, 4)
    rows = experiments.rows(done.id, limit=1000).items
    assert sorted({row.repeat for row in rows}) == [0, 1, 2, 3]
    assert {request.seed for request in target.asked} == {0, 1, 2, 3}
    (figure,) = done.figures
    assert (figure.n, figure.method) == (160, "wilson, grouped rows")
    assert figure.high - figure.low < once.figures[0].high - once.figures[0].low
    independent = 2 * 1.96 * (figure.value * (1 - figure.value) / 160) ** 0.5
    assert figure.high - figure.low > independent * 0.9
    (metric,) = experiments.compare(once.id, done.id).metrics
    assert (metric.n, metric.difference) == (40, 0.0)
    assert experiments.compare(done.id, done.id).rows == 160


def test_many_candidates_share_the_error(experiments, target):
    target.answer = half_right
    base = ran(experiments, "dataset/docs", "model/base", scorers=["json"], name="base")
    same = ran(experiments, "dataset/docs", "model/tuned", scorers=["json"], name="same")
    target.answer = right
    best = ran(experiments, "dataset/docs", "model/tuned", scorers=["json"], name="best")
    alone = experiments.compare("base", "best")
    many = experiments.compare("base", "best", ["same"])
    assert (many.candidate, [one.candidate for one in many.more]) == (best.id, [same.id])
    assert alone.more == []
    assert (alone.metrics[0].level, many.metrics[0].level) == (0.95, 0.975)
    assert many.metrics[0].high - many.metrics[0].low > alone.metrics[0].high - alone.metrics[0].low
    assert many.metrics[0].p_adjusted == pytest.approx(2 * alone.metrics[0].p_value)
    assert (many.metrics[0].verdict, many.more[0].metrics[0].verdict) != ("better", "better")
    assert base.id == many.more[0].baseline


def test_rows_stand_side_by_side_the_largest_gap_first(experiments, target):
    target.answer = half_right
    ran(experiments, "dataset/docs", "model/base", scorers=["json"], name="base")
    target.answer = right
    ran(experiments, "dataset/docs", "model/tuned", scorers=["json"], name="best")
    everything = experiments.align("base", "best", limit=200)
    assert len(everything.items) == 100
    better = experiments.align("base", "best", metric="json", show="improved", limit=200)
    assert len(better.items) == 50
    assert experiments.align("base", "best", metric="json", show="worsened").items == []
    assert len(experiments.align("best", "base", metric="json", show="worsened", limit=200).items) == 50
    with pytest.raises(Invalid, match="told by a metric"):
        experiments.align("base", "best", show="improved")
    changed = experiments.align("base", "best", metric="json", show="changed", limit=30)
    assert len(changed.items) == 30
    rest = experiments.align("base", "best", metric="json", show="changed", limit=30, cursor=changed.next_cursor)
    assert (len(rest.items), rest.next_cursor) == (20, None)
    first = changed.items[0]
    assert [answer.scores["json"] for answer in first.answers] == [0.0, 1.0]
    assert first.answers[1].answer == json.dumps(first.reference)


def test_rows_are_filtered(experiments, target):
    target.answer = lambda request: Invalid("No.") if "#7" in request.messages[-1]["content"] else half_right(request)
    done = ran(experiments, "dataset/docs", "model/base", scorers=["json"])
    assert len(experiments.rows(done.id, errors=True).items) == 11
    assert {row.row for row in experiments.rows(done.id, query="describe #12").items} == {"r12"}
    bad = experiments.rows(done.id, metric="json", at_most=0.5, limit=1000).items
    assert all(row.scores["json"] == 0 for row in bad)
    assert len(bad) == 100 - round(done.figures[0].value * 100)
    good = experiments.rows(done.id, metric="json", at_least=0.5, limit=1000).items
    assert {row.scores["json"] for row in good} == {1}
    assert len(good) + len(bad) == 100


def test_scores_from_outside_are_compared_as_any_other(experiments):
    def rows(good):
        return [GivenRow(row=f"t{n}", scores={"exact": float(n < good), "penalty:slips": n % 3}) for n in range(60)]

    before = experiments.record("mine", rows(20))
    after = experiments.record("yours", rows(50))
    assert (before.rows, before.dataset, before.figures[0].metric) == (60, "", "exact")
    found = {metric.metric: metric for metric in experiments.compare("mine", "yours").metrics}
    assert found["exact"].verdict == "better"
    assert (found["penalty:slips"].difference, found["penalty:slips"].higher_is_better) == (0, False)
    assert experiments.compare(after.id, before.id).metrics[0].verdict == "worse"
    own = experiments.record("own", [GivenRow(row="a", scores={"helpful": 0.5})])
    assert own.figures[0].metric == "given:helpful"
    with pytest.raises(Invalid, match="stands twice"):
        experiments.record("twice", [*rows(1), *rows(1)])
    with pytest.raises(Invalid, match="No row has a score"):
        experiments.record("none", [GivenRow(row="a", scores={})])


def test_what_is_deleted_is_gone_with_its_answers(experiments, platform, target):
    done = ran(experiments, "dataset/docs", "model/base", scorers=["json"], limit=5)
    again = ran(experiments, "dataset/docs", "model/base", scorers=["json"], limit=5, reuse=True)
    assert len(target.asked) == 5
    experiments.delete(done.id)
    with pytest.raises(NotFound):
        experiments.rows(done.id)
    assert len(experiments.rows(again.id).items) == 5
    ran(experiments, "dataset/docs", "model/base", scorers=["json"], limit=5, reuse=True)
    assert len(target.asked) == 10
    assert not platform.files.exists(done.file) or done.file == again.file
