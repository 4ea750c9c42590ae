"""Back-tests say what a monitor said then, of whatever kind; sums know of every call; what a silence kept is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.monitoring.test_metric_rules import sent, traffic
from tests.monitoring.test_monitoring import call, say, trained

from mainspring.kernel import events
from mainspring.monitoring import Alerts, Channels, Drifts, Monitors, Silences, sample
from mainspring.monitoring.drift import TooFew
from mainspring.traces import Scores

assert sent and traffic and trained

GUARDED = {"mainspring.guard.action": "block", "mainspring.guard.hits": [{"detector": "pii"}]}


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("error_rate", {"max_share": 0.1}),
        ("latency", {"max_ms": 500}),
        ("feedback", {"max_share": 0.3}),
        ("guard_hits", {}),
        ("spend", {"max_usd": 1.0}),
        ("burn_rate", {"objective": 0.9, "factor": 2, "min_calls": 10}),
        ("consumption", {"max_output_tokens": 100}),
        ("no_data", {"min_calls": 30}),
        ("metric", {"metric": "cost", "bound": 1.0}),
        ("metric", {"metric": "error_rate", "bound": 0.1}),
        ("metric", {"metric": "score/helpful", "rule": "below", "bound": 0.7}),
        ("metric", {"metric": "requests", "rule": "change", "compare": "previous", "bound": 0.4}),
    ],
)
def test_a_back_test_says_what_the_monitor_said_then(platform, clock, traffic, kind, settings):
    Monitors(platform).create("m", kind, target="docs", settings=settings, every_minutes=60, window_minutes=60)
    said = []
    for hour in range(6):
        bad = hour in (2, 4)
        fields = (
            {"status": "error", "cost": 0.2, "output_tokens": 500, "attributes": GUARDED} if bad else {"cost": 0.01}
        )
        if hour != 3:
            traffic(20, ms=900 if bad else 100, ago=2, **fields)
            for trace_id in traffic(40, ago=2, cost=0.01):
                Scores(platform).create("helpful", trace_id=trace_id, number=0 if bad else 1)
        said.append(Monitors(platform).test("m"))
        clock.advance(hours=1)
    clock.advance(hours=-1)
    found = Monitors(platform).backtest("m", days=0.25)
    assert [(look.state, look.value, look.n) for look in found.looks] == [(one.state, one.value, one.n) for one in said]
    assert len({one.state for one in said}) > 1, "it would prove nothing"


def test_a_back_test_of_drift_sees_nothing_of_later(trained, clock):
    trained.spans.append([call(trained, n + 1, say("code", 1000 + n)) for n in range(40)])
    clock.advance(hours=2)
    trained.spans.append([call(trained, n + 100, say("food", n)) for n in range(40)])
    clock.advance(minutes=1)
    found = Monitors(trained).preview("drift", target="docs", every_minutes=60, window_minutes=60, days=0.125)
    assert [look.state for look in found.looks] == ["ok", "insufficient", "firing"]


def test_sums_are_of_every_call_and_not_of_the_newest(platform, traffic, monkeypatch):
    monkeypatch.setattr(sample, "LOOKED_AT", 30)
    monkeypatch.setattr(sample.calls, "__kwdefaults__", {**sample.calls.__kwdefaults__, "limit": 30})
    traffic(60, cost=0.01, output_tokens=5, status="error", ago=120)
    traffic(40, cost=0.01, output_tokens=5, ago=30)
    traffic(50, cost=9.0, service="loadtest", ago=30)
    traffic(50, cost=9.0, environment="experiment", ago=30)
    traffic(50, cost=9.0, kind="embeddings", ago=30)
    figures = {"requests": 100, "errors": 60, "error_rate": 0.6, "cost": 1.0, "output_tokens": 500}
    for name, value in figures.items():
        Monitors(platform).create(name, "metric", target="docs", settings={"metric": name, "bound": 0})
        found = Monitors(platform).test(name)
        assert (found.state, found.value, found.n) == ("firing", pytest.approx(value), 100), name
    for kind, settings, value in (
        ("spend", {"max_usd": 0.9}, 1.0),
        ("error_rate", {"max_share": 0.4}, 0.6),
        ("burn_rate", {"objective": 0.9, "factor": 5}, 6.0),
    ):
        Monitors(platform).create(f"all-{kind}", kind, target="docs", settings=settings)
        found = Monitors(platform).test(f"all-{kind}")
        assert (found.state, found.value, found.n) == ("firing", pytest.approx(value), 100), kind


def test_an_alert_that_outlasts_its_silence_is_told(platform, clock, sent):
    Channels(platform).create("all", "https://alerts.example.org/a")
    Monitors(platform).create("quiet", "no_data")
    Silences(platform).create(clock.now() + timedelta(hours=1), monitor="quiet")
    for minutes in (1, 70, 1):
        Monitors(platform).run("quiet")
        clock.advance(minutes=minutes)
    events.deliver_due(platform)
    assert sent == [("all", "alert.opened")]
    [alert] = Alerts(platform).list_().items
    assert (alert.count, alert.state, alert.detail.get("silenced")) == (3, "open", None)


def test_whom_somebody_looks_after_is_not_told_again_after_a_silence(platform, clock, sent):
    Channels(platform).create("all", "https://alerts.example.org/a")
    Monitors(platform).create("quiet", "no_data")
    Silences(platform).create(clock.now() + timedelta(hours=1), monitor="quiet")
    alert_id = Monitors(platform).run("quiet").alert_id
    Alerts(platform).acknowledge(alert_id)
    clock.advance(minutes=70)
    Monitors(platform).run("quiet")
    events.deliver_due(platform)
    assert sent == []


def test_of_a_session_one_call_counts_for_drift(trained):
    # Ten people ask of one thing each, again and again: calls are alike, and the traffic is as ever.
    trained.spans.append(
        [call(trained, 10 * n + m + 1, say("code", n), session_id=f"s{n}") for n in range(10) for m in range(10)]
    )
    with pytest.raises(TooFew, match="10 calls"):
        Drifts(trained).check("docs")
    trained.spans.append([call(trained, 1000 + n, say("code", 900 + n), session_id=f"t{n}") for n in range(30)])
    found = Drifts(trained).check("docs")
    assert (found.n, found.drifted) == (40, False)


def test_what_a_monitor_found_is_let_go_of_after_a_while(platform, clock):
    Monitors(platform).create("m", "no_data")
    for _ in range(12):
        Monitors(platform).run("m")
    clock.advance(days=91)
    Monitors(platform).run("m")
    assert len(Monitors(platform).results("m")) == 3
    Monitors(platform).run("m")
    assert len(Monitors(platform).results("m")) == 2
