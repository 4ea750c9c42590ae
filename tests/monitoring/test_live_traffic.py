"""Monitors and boards count traffic: no experiments, no playground, and of a call passed on its last attempt."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.monitoring.test_monitoring import BagOfWords

from mainspring.kernel.errors import NotFound
from mainspring.kernel.spans import Span
from mainspring.monitoring import Boards, Drifts, Evaluators, Monitors
from mainspring.monitoring.drift import TooFew
from mainspring.monitoring.metrics import measure
from mainspring.monitoring.online.models import Choice
from mainspring.traces import Scores, Traces


@pytest.fixture
def call(platform):
    count = [0]

    def make(status="ok", *, parent="", trace=0, cost=1.0, **fields):
        count[0] += 1
        at = int((platform.clock.now() - timedelta(minutes=30)).timestamp() * 1e9) + count[0] * 10**6
        base = {"trace_id": f"{trace or count[0]:032x}", "span_id": f"{count[0]:016x}", "project": "default",
                "parent_id": parent, "environment": "production", "deployment": "docs", "model": "m", "kind": "chat",
                "service": "mainspring", "start_ns": at, "end_ns": at + 10**6, "status": status,
                "cost": cost}  # fmt: skip
        platform.spans.append([Span(**{**base, **fields})])
        platform.spans.flush()
        return base["trace_id"]

    return make


@pytest.fixture
def routed(call):
    """A call of a route: attempts by how they ended, the span above them last."""

    def make(*ends, trace):
        above = f"{trace:016x}"
        for number, end in enumerate(ends, 1):
            call(end, parent=above, trace=trace, model=f"m{number}", attributes={"mainspring.route.attempt": number})
        call(ends[-1], trace=trace, span_id=above, kind="route", cost=None, model=f"m{len(ends)}")

    return make


def value(platform, name, environment="production", **how):
    until = platform.clock.now()
    return measure(platform, name, "", environment, since=until - timedelta(hours=1), until=until, **how).value


def total(platform, name, **how):
    return sum(one.total or 0 for one in Boards(platform).figures(name, **how).series)


def test_a_call_that_the_second_candidate_answered_is_no_error_for_its_caller(platform, call, routed):
    for _ in range(28):
        call()
    routed("error", "ok", trace=900)
    routed("error", "error", "error", trace=901)
    assert (value(platform, "requests"), value(platform, "errors")) == (30, 1)
    assert value(platform, "error_rate") == pytest.approx(1 / 30)
    assert value(platform, "cost") == 33, "every attempt may cost"
    assert [total(platform, name) for name in ("requests", "errors", "failed_attempts", "cost")] == [30, 1, 3, 33]
    assert total(platform, "error_rate") == pytest.approx(1 / 30)
    by_model = {one.group: one.total for one in Boards(platform).figures("failed_attempts", by="model").series}
    assert by_model == {"m": 0, "m1": 2, "m2": 1, "m3": 0}, "and a failed attempt of the provider"
    [hour] = Traces(platform).usage(by="environment", hourly=False)
    assert hour.errors == 1
    Monitors(platform).create("failures", "error_rate", settings={"max_share": 0.02})
    assert Monitors(platform).test("failures").value == pytest.approx(1 / 30)


@pytest.mark.parametrize(
    "tried",
    [{"environment": "experiment"}, {"service": "playground"}, {"service": "loadtest"}, {"service": "redteam"}],
    ids=str,
)
def test_what_is_tried_out_is_no_traffic_unless_it_is_asked_for(platform, call, tried):
    for _ in range(3):
        Scores(platform).create("thumb", trace_id=call(), number=1.0)
    for _ in range(5):
        Scores(platform).create("thumb", trace_id=call("error", **tried), number=0.0)
    platform.clock.advance(seconds=1)
    assert (value(platform, "requests", ""), value(platform, "requests", "", traffic="all")) == (3, 8)
    assert (value(platform, "score/thumb", ""), value(platform, "score/thumb", "", traffic="all")) == (1.0, 3 / 8)
    assert [total(platform, name) for name in ("requests", "errors", "score/thumb")] == [3, 0, 1.0]
    assert (total(platform, "requests", traffic="all"), total(platform, "requests", **tried)) == (8, 5)
    Monitors(platform).create("all", "no_data", environment="", settings={"min_calls": 4})
    assert Monitors(platform).test("all").state == "firing", "what is tried out is no sign of life"
    Monitors(platform).update("all", settings={"min_calls": 4, "traffic": "all"})
    assert Monitors(platform).test("all").state == "ok"


def test_a_call_that_its_client_reports_too_is_one(platform, call):
    for trace in range(1, 4):
        above = f"{trace + 100:016x}"
        call("error", trace=trace, span_id=above, service="app", cost=None)
        call(trace=trace, parent=above)
    assert (value(platform, "requests"), value(platform, "errors"), value(platform, "cost")) == (3, 0, 3)
    assert [total(platform, name) for name in ("requests", "errors", "cost")] == [3, 0, 3]


@pytest.mark.parametrize(
    ("between", "calls"),
    [
        (["route"], 3), (["POST"], 3), (["POST /v1/chat/completions"], 3), (["HTTP POST", "route"], 3), (["agent"], 6),
        (["POST", "agent"], 6), (["POST", "POST", "POST"], 6),
    ],
    ids=str,
)  # fmt: skip
def test_a_call_that_its_client_reports_is_one_whatever_carries_it(platform, call, between, calls):
    """The client's own span, then what lies between, then two attempts: boards and monitors count the same."""
    for trace in range(1, 4):
        ids = [f"{trace * 100 + number:016x}" for number in range(len(between) + 1)]
        call("error", trace=trace, span_id=ids[0], service="app", cost=None)
        for name, above, own in zip(between, ids, ids[1:], strict=False):
            kind = name if name == "route" else "span"
            call(trace=trace, parent=above, span_id=own, kind=kind, name=name, cost=None)
        routed = between[-1] == "route"
        for number, status in enumerate(("error", "ok") if routed else ("ok",), 1):
            said = {"mainspring.route.attempt": number} if routed else {}
            call(status, trace=trace, parent=ids[-1], attributes=said)
    errors, cost = calls - 3, 6 if between[-1] == "route" else 3
    assert [value(platform, name) for name in ("requests", "errors", "cost")] == [calls, errors, cost]
    assert [total(platform, name) for name in ("requests", "errors", "cost")] == [calls, errors, cost]


def test_calls_of_an_agent_are_each_one(platform, call):
    call(trace=1, span_id=f"{900:016x}", kind="invoke_agent", cost=None)
    for _ in range(4):
        call(trace=1, parent=f"{900:016x}")
    assert value(platform, "requests") == total(platform, "requests") == 4


def test_a_monitor_of_the_environment_of_experiments_counts_them(platform, call):
    call(environment="experiment")
    assert value(platform, "requests", "experiment") == 1


@pytest.mark.parametrize(
    "tried", [{"environment": "experiment"}, {"service": "playground"}, {"service": "shadow"}], ids=str
)
def test_drift_and_shift_look_at_traffic_unless_all_is_asked_for(platform, call, tried):
    platform.embed_port = BagOfWords()
    for _ in range(30):
        call(**tried, input="What is asked", release="release/docs@1")
    platform.clock.advance(seconds=1)
    drifts, monitors = Drifts(platform), Monitors(platform)
    with pytest.raises(TooFew, match=r"^0 calls"):
        drifts.check("docs", environment="")
    with pytest.raises(TooFew, match=r"^0 calls and 0"):
        drifts.report("docs", environment="", against="window")
    with pytest.raises(NotFound, match="release"):
        drifts.check("docs", environment="", traffic="all")
    with pytest.raises(TooFew, match=r"^30 calls and 0"):
        drifts.report("docs", environment="", against="window", traffic="all")
    monitors.create("moved", "shift", environment="", window_minutes=60)
    for traffic, found in (("live", "0 calls"), ("all", "30 calls")):
        monitors.update("moved", settings={"traffic": traffic})
        assert monitors.test("moved").summary.startswith(found)


@pytest.mark.parametrize(
    "tried",
    [{"environment": "experiment"}, {"service": "playground"}, {"service": "loadtest"}, {"service": "shadow"}],
    ids=str,
)
def test_an_evaluator_draws_from_traffic_unless_it_is_told_otherwise(platform, call, tried):
    for _ in range(3):
        call()
        call(**tried)
    call(attributes={"mainspring.metadata.judged": "x"})
    platform.clock.advance(seconds=1)

    def drawn(**choice):
        return Evaluators(platform).preview(choice=Choice(**choice), rate=1.0).drawn

    assert drawn() == 3
    assert drawn(traffic="all") == 6
    assert drawn(**tried) == 3
    assert drawn(service="!else") == 3


def test_what_carries_a_call_is_the_same_for_monitors_and_stores():
    # No room may import a back end, and no back end a room: the rule stands in both.
    from mainspring.backends.spans_log import lines
    from mainspring.monitoring import sample

    assert (sample.CARRIED, sample._REQUESTS, sample.ROUTE) == (lines.CARRIED, lines._REQUESTS, lines.ROUTE)
