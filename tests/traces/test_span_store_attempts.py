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


def test_a_call_that_nobody_answered_is_one_error(store):
    store.append([attempt(1, "error"), attempt(2, "error"), route("error")])
    assert figures(store)[0] == (1, 1, 1, 2.0, 1)
    store.delete("default", [f"{1:032x}"])
    assert store.usage("default", SpanFilter()) == []


def test_attempts_without_a_span_above_count_each(store):
    store.append([attempt(1, "error"), attempt(2, "ok")])
    assert figures(store)[0] == (2, 1, 0, 2.0, 1)
