"""Retention keeps what went wrong, and thins out the rest."""

from __future__ import annotations

from tests.traces.test_span_store import span

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
