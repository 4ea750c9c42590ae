"""Online evaluation through its operations and the worker's work: what is drawn, scored, tried again and paid for."""

from __future__ import annotations

import json

import pytest

from mainspring.evals.scorer_service import Scorers
from mainspring.kernel import hooks, versions
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.ports import ChatReply
from mainspring.kernel.spans import Span
from mainspring.monitoring import Evaluators
from mainspring.monitoring.online import work_due
from mainspring.monitoring.online.models import Choice
from mainspring.traces import Prices, Scores


class Judge:
    """A model that judges: answers with an even number pass; it stays away while `away` says so."""

    def __init__(self):
        self.asked, self.away, self.text = 0, (), None

    def complete(self, request):
        self.asked += 1
        shown = json.loads(request.messages[-1]["content"])
        number = int(shown["answer"].split("#")[1])
        if number in self.away:
            return Unavailable("The judge is asleep.")
        step = "pass" if number % 2 == 0 else "fail"
        text = self.text or json.dumps({"reason": f"It says {number}.", "step": step})
        return ChatReply(text, "stop", 20, 5, 0.01, 10.0, 2.0, "t")

    def complete_many(self, requests, *, concurrency=8, on_reply=None):
        return [self.complete(request) for request in requests]


def trace(number: int) -> str:
    return f"{number:032x}"


def called(platform, *numbers, **fields):
    """Let calls come in."""
    at = int(platform.clock.now().timestamp() * 1e9)
    usual = {
        "project": "default", "environment": "production", "deployment": "docs", "name": "chat docs", "kind": "chat",
        "start_ns": at, "end_ns": at + 10**9, "status": "ok",
    }  # fmt: skip
    spans = [
        Span(
            **{
                **usual,
                "trace_id": trace(number),
                "span_id": f"{number:016x}",
                "input": [{"role": "user", "parts": [{"type": "text", "content": "Why?"}]}],
                "output": [{"role": "assistant", "parts": [{"type": "text", "content": f"Answer #{number}"}]}],
                **fields,
            }
        )
        for number in numbers
    ]
    platform.spans.append(spans)
    platform.spans.flush()


def given(platform, name):
    return {score.trace_id: score for score in Scores(platform).list_(name=name, limit=1000).items}


@pytest.fixture
def judge(platform):
    platform.chat_port = Judge()
    with platform.begin() as tx:
        versions.commit(tx, "model", "judge", {"weights": 2})
    Scorers(platform).create_judge("even", "model/judge", "Good answers have an even number.")
    return platform.chat_port


def test_live_calls_are_scored_once_from_then_on(platform):
    called(platform, 1)
    platform.clock.advance(seconds=5)
    made = Evaluators(platform).create("length", "length", score="characters", rate=1.0)
    assert (made.score, made.counts.pending) == ("characters", 0)
    called(platform, 2, 3)
    called(platform, 4, deployment="other", environment="staging")
    called(platform, 5, service="shadow")
    called(platform, 6, attributes={"mainspring.metadata.judged": "x"})
    called(platform, 7, kind="execute_tool")
    platform.clock.advance(seconds=5)
    assert work_due(platform) == 2
    assert work_due(platform) == 0
    found = given(platform, "characters")
    assert set(found) == {trace(2), trace(3)}
    assert (found[trace(2)].number, found[trace(2)].source, found[trace(2)].span_id) == (9, "code", f"{2:016x}")
    assert Evaluators(platform).get("length").counts.done == 2


def test_a_judge_gives_its_reasons_and_is_paid_for(platform, judge):
    Evaluators(platform).create("even", "judge:even", rate=1.0)
    called(platform, 1, 2)
    platform.clock.advance(seconds=5)
    work_due(platform)
    found = given(platform, "even")
    assert {key: score.number for key, score in found.items()} == {trace(1): 0.0, trace(2): 1.0}
    assert found[trace(1)].comment == "fail: It says 1."
    assert found[trace(1)].source == "model"
    shown = Evaluators(platform).get("even")
    assert (shown.metric, shown.spent_today) == ("judge:even@1", pytest.approx(0.02))


def test_a_judge_that_stays_away_is_asked_again_and_given_up_in_the_end(platform, judge):
    Evaluators(platform).create("even", "judge:even", rate=1.0)
    called(platform, 1, 2)
    judge.away = (1,)
    platform.clock.advance(seconds=5)
    assert work_due(platform) == 1
    shown = Evaluators(platform).get("even")
    assert (shown.counts.pending, shown.last_error) == (1, "The judge is asleep.")
    asked = judge.asked
    work_due(platform)
    assert judge.asked == asked, "it is not asked again before its time"
    for _ in range(6):
        platform.clock.advance(seconds=400)
        work_due(platform)
    assert judge.asked == asked + 5
    [failed] = Evaluators(platform).calls("even", state="failed").items
    assert (failed.trace_id, failed.attempts, failed.error) == (trace(1), 6, "The judge is asleep.")
    judge.away = ()
    assert Evaluators(platform).retry("even").count == 1
    work_due(platform)
    assert given(platform, "even")[trace(1)].number == 0.0
    assert Evaluators(platform).get("even").counts.failed == 0


def test_what_the_judge_says_in_no_form_is_no_score(platform, judge):
    Evaluators(platform).create("even", "judge:even", rate=1.0)
    called(platform, 1)
    judge.text = "I like it."
    platform.clock.advance(seconds=5)
    work_due(platform)
    assert given(platform, "even") == {}
    [call] = Evaluators(platform).calls("even", state="inapplicable").items
    assert "in the form" in call.error


def test_a_budget_holds_over_the_day_and_what_waits_goes_on(platform, judge):
    evaluators = Evaluators(platform)
    with pytest.raises(Invalid, match="price"):
        evaluators.create("even", "judge:even", rate=1.0, max_cost_per_day=0.1)
    Prices(platform).set("model/judge@1", input_per_million=1.0, output_per_million=1.0)
    evaluators.create("even", "judge:even", rate=1.0, max_cost_per_day=0.1)
    called(platform, *range(1, 41))
    platform.clock.advance(seconds=5)
    assert work_due(platform) == 16, "one batch, which spends it"
    shown = evaluators.get("even")
    assert shown.counts.pending == 24
    assert "tomorrow" in shown.waits
    platform.clock.advance(hours=24)
    work_due(platform)
    assert evaluators.get("even").counts.pending == 8


def test_a_share_is_drawn_by_the_traces_and_not_by_chance(platform):
    evaluators = Evaluators(platform)
    evaluators.create("some", "length", rate=0.3)
    called(platform, *range(1, 201))
    platform.clock.advance(seconds=5)
    while work_due(platform):
        pass
    drawn = set(given(platform, "some"))
    assert 35 <= len(drawn) <= 85
    run = evaluators.backfill("some")
    assert run.result["drawn"] == len(drawn)
    assert run.result["new"] == 0


def test_the_past_is_scored_where_somebody_asks_for_it(platform):
    called(platform, 1, 2, 3)
    platform.clock.advance(hours=1)
    evaluators = Evaluators(platform)
    evaluators.create("late", "length", rate=1.0)
    assert work_due(platform) == 0
    run = evaluators.backfill("late", limit=2)
    assert run.state == "succeeded"
    assert run.result == {"drawn": 2, "new": 2, "waiting": 0}
    assert evaluators.backfill("late").result == {"drawn": 3, "new": 1, "waiting": 0}
    assert len(given(platform, "late")) == 3
    with pytest.raises(Invalid, match="ends before"):
        evaluators.backfill("late", until=platform.clock.now().replace(year=2020))


def test_retrieved_passages_are_what_a_scorer_of_passages_sees(platform):
    Evaluators(platform).create("grounded", "faithfulness_overlap", rate=1.0)
    called(platform, 1)
    at = int(platform.clock.now().timestamp() * 1e9)
    documents = [{"content": "Answer #1 stands here."}]
    fetched = Span(
        trace_id=trace(1), span_id="ee" * 8, project="default", kind="retrieval", start_ns=at, end_ns=at,
        attributes={"gen_ai.retrieval.documents": documents},
    )  # fmt: skip
    platform.spans.append([fetched])
    called(platform, 2)
    platform.clock.advance(seconds=5)
    work_due(platform)
    assert given(platform, "grounded")[trace(1)].number > 0.5
    assert trace(2) not in given(platform, "grounded")


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        ("exact", "right answer"),
        ("perplexity", "model that answered"),
        ("nothing", "no scorer"),
        ("judge:nobody", "no judge"),
        ("judge:pair", "compares"),
    ],
)
def test_a_scorer_that_does_not_fit_live_calls_is_refused(platform, judge, metric, problem):
    Scorers(platform).create_judge("pair", "model/judge", "The better one.", pair=True)
    with pytest.raises((Invalid, NotFound), match=problem):
        Evaluators(platform).create("odd", metric)


def test_trying_stores_nothing_and_switching_off_draws_nothing(platform, acting):
    evaluators = Evaluators(platform)
    evaluators.create("length", "length", choice=Choice(target="docs"), rate=0.001)
    called(platform, 1, 2)
    assert [(one.trace_id, one.value) for one in evaluators.test("length", count=1)] == [(trace(2), 9.0)]
    assert given(platform, "length") == {}
    evaluators.update("length", enabled=False, rate=1.0)
    platform.clock.advance(seconds=5)
    assert work_due(platform) == 0
    assert evaluators.get("length").waits == "It is switched off."
    with pytest.raises(Conflict):
        evaluators.create("length", "length")
    with acting("viewer", "eve"), pytest.raises(Denied):
        evaluators.delete("length")
    evaluators.delete("length")
    with pytest.raises(NotFound):
        evaluators.get("length")


def test_erased_traces_are_forgotten(platform):
    evaluators = Evaluators(platform)
    evaluators.create("length", "length", rate=1.0)
    called(platform, 1, 2)
    platform.clock.advance(seconds=5)
    work_due(platform)
    erase, request = hooks.erasure_hooks["online"], ErasureRequest("default", (trace(1),))
    assert [erase(platform, request, really) for really in (False, True, True)] == [1, 1, 0]
    assert [call.trace_id for call in evaluators.calls("length").items] == [trace(2)]


def test_a_preview_says_what_would_be_drawn_and_draws_as_the_evaluator_does(platform):
    called(platform, *range(1, 201))
    called(platform, 900, deployment="other")
    called(platform, 901, kind="embeddings")
    service = Evaluators(platform)
    found = service.preview(choice=Choice(target="docs"), rate=0.25)
    assert (found.fitting, found.more, found.hours) == (200, False, 24.0)
    assert 20 < found.drawn < 80 and found.per_day == found.drawn
    assert len(found.calls) == 20 and found.calls[0].question == "Why?"
    service.create("short", "length", choice=Choice(target="docs"), rate=0.25)
    like = service.preview(choice=Choice(target="docs"), rate=0.25, name="short", hours=1)
    service.backfill("short")
    assert service.get("short").counts.done == like.drawn
    assert {call.trace_id for call in like.calls} <= set(given(platform, "short"))
    assert not service.preview(choice=Choice(target="nothing")).calls


def test_no_call_is_judged_twice_by_a_run_and_the_evaluator_beside_it(platform, judge):
    called(platform, 1, 2, 3)
    platform.clock.advance(hours=1)
    evaluators = Evaluators(platform)
    evaluators.create("even", "judge:even", rate=1.0)
    complete = judge.complete

    def beside(request):
        # While the run waits for its judge, the worker comes round.
        judge.complete = complete
        assert work_due(platform) == 0
        return complete(request)

    judge.complete = beside
    assert evaluators.backfill("even").result == {"drawn": 3, "new": 3, "waiting": 0}
    assert judge.asked == 3 and len(given(platform, "even")) == 3


def test_a_call_whose_worker_died_is_anybodys_after_a_while(platform, judge, monkeypatch):
    from mainspring.monitoring.online import scoring

    Evaluators(platform).create("even", "judge:even", rate=1.0)
    called(platform, 1)
    platform.clock.advance(seconds=5)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(judge, "complete", lambda request: (_ for _ in ()).throw(KeyboardInterrupt))
        scoring.draw(platform, "even")
        scoring.work(platform, "even")
    assert work_due(platform) == 0
    platform.clock.advance(minutes=16)
    assert work_due(platform) == 1 and judge.asked == 1


def test_calls_that_went_well_without_saying_so_are_drawn_too(platform):
    evaluators = Evaluators(platform)
    evaluators.create("length", "length", rate=1.0)
    evaluators.create("failed", "length", rate=1.0, choice=Choice(status="error"))
    called(platform, 1)
    called(platform, 2, status="unset")
    called(platform, 3, status="error")
    platform.clock.advance(seconds=5)
    assert evaluators.preview(rate=1.0).fitting == 2
    work_due(platform)
    assert set(given(platform, "length")) == {trace(1), trace(2)}
    assert set(given(platform, "failed")) == {trace(3)}


def test_a_call_that_client_and_gateway_report_is_scored_once(platform):
    Evaluators(platform).create("length", "length", rate=1.0)
    called(platform, 1, span_id="a" * 16, service="shop", deployment="")
    called(platform, 1, span_id="b" * 16, parent_id="c" * 16)
    called(platform, 1, span_id="c" * 16, parent_id="a" * 16, kind="span", name="POST /v1/chat/completions")
    platform.clock.advance(seconds=5)
    assert Evaluators(platform).preview(rate=1.0).drawn == 1
    assert work_due(platform) == 1
    [score] = Scores(platform).list_(name="length").items
    assert score.span_id == "b" * 16


def test_a_judge_that_refuses_says_why_and_can_be_asked_again(platform, judge, monkeypatch):
    Evaluators(platform).create("even", "judge:even", rate=1.0)
    called(platform, 2)
    platform.clock.advance(seconds=5)
    with monkeypatch.context() as patched:
        patched.setattr(judge, "complete", lambda request: NotFound("There is no model/judge@1 any more."))
        assert work_due(platform) == 1
        [tried] = Evaluators(platform).test("even", count=1)
        assert (tried.value, tried.note) == (None, "There is no model/judge@1 any more.")
    [call] = Evaluators(platform).calls("even", state="failed").items
    assert call.error == "There is no model/judge@1 any more."
    assert Evaluators(platform).retry("even").count == 1
    assert work_due(platform) == 1 and given(platform, "even")[trace(2)].number == 1.0
