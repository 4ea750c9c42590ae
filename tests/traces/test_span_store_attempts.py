"""Attempts at a routed call, in every span store: the caller met the last one, whatever order they are stored in."""

from __future__ import annotations

import itertools

import pytest
from tests.traces.test_span_store import HOUR, START, span

from mainspring.kernel.spans import SpanFilter

ABOVE = f"{109:016x}"


def attempt(number, status, **fields):
    return span(1, number, parent_id=ABOVE, status=status, model=f"m{number}", cost=1.0, ttft_ms=5.0, **fields)


def route(status):
    return span(1, 9, parent_id="", kind="route", status=status, model="m2")


def figures(store):
    [one] = store.calls("default", SpanFilter(since_ns=START), step_ns=HOUR)
    hours = store.usage("default", SpanFilter())
    first = sum(one.first_tokens.values()), sum(one.latencies.values())
    return (one.calls, one.errors, one.failed_attempts, one.cost, sum(hour.errors for hour in hours)), first


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_a_call_that_the_second_candidate_answered_is_one_without_an_error(store, order):
    spans = [attempt(1, "error"), attempt(2, "ok"), route("ok")]
    for place in order:
        store.append([spans[place]])
        store.flush()
    assert figures(store) == ((1, 0, 1, 2.0, 0), (1, 1))
    by_model = store.calls("default", SpanFilter(since_ns=START), by="model", step_ns=HOUR)
    assert {one.group: (one.calls, one.failed_attempts) for one in by_model} == {"m1": (0, 1), "m2": (1, 0)}


def test_what_a_guard_did_in_every_attempt_is_done_to_one_call(store):
    masked = {"attributes": {"mainspring.guard.action": "mask"}}
    store.append([attempt(1, "error", **masked), attempt(2, "ok", **masked), route("ok")])
    [one] = store.calls("default", SpanFilter(since_ns=START), step_ns=HOUR)
    assert (one.calls, one.masked, one.blocked) == (1, 1, 0)


def test_a_call_that_nobody_answered_is_one_error(store):
    store.append([attempt(1, "error"), attempt(2, "error"), route("error")])
    assert figures(store)[0] == (1, 1, 1, 2.0, 1)
    store.delete("default", [f"{1:032x}"])
    assert store.usage("default", SpanFilter()) == []


def test_attempts_without_a_span_above_count_each(store):
    store.append([attempt(1, "error"), attempt(2, "ok")])
    assert figures(store)[0] == (2, 1, 0, 2.0, 1)


CALLER, POST = f"{105:016x}", f"{106:016x}"


def caller(status="ok", **fields):
    """Make the span of a client that traces itself."""
    return span(1, 5, parent_id="", status=status, input_tokens=7, cost=4.0, service="app", ttft_ms=9.0, **fields)


def post(parent_id=CALLER, name="POST"):
    return span(1, 6, parent_id=parent_id, kind="span", name=name, status="ok")


def sums(store):
    [line], _ = store.traces("default", SpanFilter(), limit=2)
    hours = store.usage("default", SpanFilter())
    hourly = sum(hour.spans for hour in hours), sum(hour.input_tokens for hour in hours), sum(h.cost for h in hours)
    return (line.input_tokens, line.cost), hourly


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5], ids=str)
def test_a_routed_call_that_its_client_reports_too_is_one(store, order):
    above = span(1, 9, parent_id=CALLER, kind="route", status="ok")
    spans = [caller("error"), above, attempt(1, "error", input_tokens=7), attempt(2, "ok", input_tokens=7)]
    for place in order:
        store.append([spans[place]])
        store.flush()
    assert figures(store) == ((1, 0, 1, 2.0, 0), (1, 1))
    assert sums(store) == ((14, 2.0), (4, 14, 2.0))
    by_service = store.calls("default", SpanFilter(since_ns=START), by="service", step_ns=HOUR)
    assert [one.group for one in by_service] == [""]
    store.delete("default", [f"{1:032x}"])
    assert store.usage("default", SpanFilter()) == []


@pytest.mark.parametrize("name", ["POST", "POST /v1/chat/completions", "HTTP POST"])
def test_what_carried_a_call_stands_between_it_and_what_its_client_saw(store, name):
    answered = span(1, 2, parent_id=POST, status="ok", input_tokens=7, cost=1.0)
    store.append([answered])
    store.flush()
    store.append([caller(), post(name=name)])
    assert figures(store)[0] == (1, 0, 0, 1.0, 0)
    assert sums(store) == ((7, 1.0), (3, 7, 1.0))


def test_a_call_with_both_a_request_and_attempts_below_it_is_one(store):
    routed = [span(1, 9, parent_id=POST, kind="route", status="ok"), attempt(1, "error"), attempt(2, "ok")]
    store.append([caller(), post(), *routed])
    assert figures(store)[0] == (1, 0, 1, 2.0, 0)


@pytest.mark.parametrize("between", [{"kind": "execute_tool", "name": "search"}, {"kind": "span", "name": "POSTER"}])
def test_a_call_that_a_tool_of_another_one_made_is_a_call_of_its_own(store, between):
    tool = span(1, 6, parent_id=CALLER, status="ok", **between)
    store.append([caller(), tool, span(1, 2, parent_id=POST, status="ok", input_tokens=7, cost=1.0)])
    assert figures(store)[0] == (2, 0, 0, 5.0, 0)
    assert sums(store) == ((14, 5.0), (3, 14, 5.0))
