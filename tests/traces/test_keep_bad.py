"""Retention keeps what went wrong, and thins out the rest."""

from __future__ import annotations

import msgspec
import pytest
from tests.conftest import make_caller
from tests.traces.test_span_store import span

from mainspring.kernel import access
from mainspring.kernel.errors import Unavailable
from mainspring.traces import Retentions, Scores, Traces, expire
from mainspring.traces.models import RetentionRule


def kept(platform):
    return {int(line.trace_id[:4], 16) - 1 for line in Traces(platform).list_(limit=1000).items}


def store(platform, count):
    at = int(platform.clock.now().timestamp() * 1e9)
    for n in range(count):
        # The end of the id, which tells what a share leaves out, goes evenly from 0 to 1.
        trace = f"{n + 1:04x}{'0' * 15}{int((n + 0.5) / count * (1 << 52)):013x}"
        status = "error" if n == 45 else "ok"
        platform.spans.append([span(1, trace_id=trace, start_ns=at, end_ns=at + 1, status=status)])
        if n in (40, 41, 42):
            score = {"number": 0.1} if n == 40 else {"number": 0.9} if n == 41 else {"label": "down"}
            Scores(platform).create("thumb", trace_id=trace, **score)
    platform.spans.flush()


def test_bad_traces_stay_longest_and_of_the_rest_a_share(platform, clock):
    store(platform, 50)
    rules = [RetentionRule(days=365, bad=True), RetentionRule(days=3, share=0.9)]
    assert Retentions(platform).set(90, rules=rules).rules == rules
    clock.advance(days=2)
    assert expire(platform) == 0
    clock.advance(days=2)
    assert expire(platform) == 42 and kept(platform) == {0, 1, 2, 3, 4, 40, 42, 45}
    clock.advance(days=90)
    expire(platform)
    assert kept(platform) == {40, 42, 45}, "errors and low scores"
    clock.advance(days=300)
    expire(platform)
    assert kept(platform) == set()


def test_a_rule_of_bad_traces_looks_at_the_scores_that_it_names(platform, clock):
    store(platform, 50)
    Retentions(platform).set(3, rules=[RetentionRule(days=365, bad=True, scores=["other"])])
    clock.advance(days=4)
    expire(platform)
    assert kept(platform) == {45}


@pytest.fixture
def looked(platform, monkeypatch):
    """How many traces retention was shown."""
    shown, listed = [], platform.spans.traces

    def counting(*args, **kwargs):
        lines, cursor = listed(*args, **kwargs)
        shown.extend(line.trace_id for line in lines)
        return lines, cursor

    def run():
        shown.clear()
        with monkeypatch.context() as patch:
            patch.setattr(platform.spans, "traces", counting)
            expire(platform)
        return len(shown)

    return run


def test_a_share_is_decided_once_for_each_trace(platform, clock, looked):
    """Over days of traffic exactly the share goes, and between two days only what has just grown old is looked at."""
    Retentions(platform).set(30, rules=[RetentionRule(days=2, share=0.8)])
    born = {}
    for day in range(6):
        for n in range(20):
            trace = f"{day * 20 + n + 1:04x}{'0' * 15}{int((n + 0.5) / 20 * (1 << 52)):013x}"
            at = int(clock.now().timestamp() * 1e9)
            platform.spans.append([span(1, trace_id=trace, start_ns=at, end_ns=at + 1)])
            born[day * 20 + n] = n
            if n % 10 == 9:
                clock.advance(hours=12)
        platform.spans.flush()
        expire(platform)
    clock.advance(days=3)
    assert expire(platform) > 0
    assert kept(platform) == {number for number, n in born.items() if n < 4}
    clock.advance(minutes=10)
    assert looked() == 0
    clock.advance(days=20)
    assert looked() == 24, "all that is left, once a day"
    clock.advance(hours=1)
    assert looked() == 0


def test_what_comes_late_and_what_is_bad_no_more_goes_within_a_day(platform, clock, looked):
    store(platform, 50)
    Retentions(platform).set(60, rules=[RetentionRule(days=365, bad=True), RetentionRule(days=3)])
    clock.advance(days=4)
    looked()
    assert kept(platform) == {40, 42, 45}
    [failed] = platform.spans.trace("default", Traces(platform).list_(status="error").items[0].trace_id)
    late = failed.start_ns - 10 * 86_400 * 10**9
    mended = msgspec.structs.replace(failed, status="ok", name="mended")
    platform.spans.append([mended, span(1, trace_id=f"{60:032x}", start_ns=late, end_ns=late + 1)])
    clock.advance(hours=1)
    assert looked() == 0
    clock.advance(days=1)
    assert looked() > 0 and kept(platform) == {40, 42}


def test_rules_that_change_look_at_everything_again(platform, clock, looked):
    store(platform, 50)
    Retentions(platform).set(3, rules=[RetentionRule(days=30, share=0.5)])
    clock.advance(days=4)
    expire(platform)
    assert kept(platform) == set(range(25, 50))
    clock.advance(minutes=10)
    assert looked() == 0
    Retentions(platform).set(3)
    expire(platform)
    assert kept(platform) == set()


def test_one_project_that_cannot_expire_holds_up_no_other(platform, clock, monkeypatch, caplog):
    delete = platform.spans.delete

    def refused(project, trace_ids):
        if project == "aaa":
            raise Unavailable("Another process still holds spans.")
        return delete(project, trace_ids)

    monkeypatch.setattr(platform.spans, "delete", refused)
    at = int(clock.now().timestamp() * 1e9)
    for project in ("aaa", "default"):
        with access.acting_as(make_caller(project=project)):
            Retentions(platform).set(1)
        platform.spans.append([span(1, project=project, trace_id="1" * 32, start_ns=at, end_ns=at + 1)])
    clock.advance(days=2)
    assert expire(platform) == 1
    assert "traces of aaa" in caplog.text and platform.spans.trace("aaa", "1" * 32)
