"""Rules on any metric, what they would have said of the past, and who is told or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainspring.kernel import access, events
from mainspring.kernel.errors import Denied, Invalid, NotFound
from mainspring.kernel.spans import Span
from mainspring.monitoring import Alerts, Channels, Monitors, Queues, Silences, jobs
from mainspring.monitoring.annotation import Question
from mainspring.monitoring.models import Action
from mainspring.traces import Scores
from mainspring.workspace import first_start

assert jobs


@pytest.fixture
def sent(platform, monkeypatch):
    """What would have left for channels, by name."""
    from mainspring.monitoring import channels

    found = []
    monkeypatch.setattr(channels, "send", lambda _, row, message: found.append((row["name"], message["type"])) or 200)
    return found


class Traffic:
    def __init__(self, platform):
        self.platform, self.count = platform, 0

    def __call__(self, number=1, *, ms=200.0, ago=60.0, **fields):
        """Let calls have come in so many seconds ago; return their trace ids."""
        at = int((self.platform.clock.now().timestamp() - ago) * 1e9)
        spans = []
        for _ in range(number):
            self.count += 1
            base = {
                "trace_id": f"{self.count:032x}", "span_id": f"{self.count:016x}", "project": "default",
                "environment": "production", "deployment": "docs", "kind": "chat", "start_ns": at + self.count,
                "end_ns": at + self.count + int(ms * 1e6), "status": "ok",
            }  # fmt: skip
            spans.append(Span(**{**base, **fields}))
        self.platform.spans.append(spans)
        self.platform.spans.flush()
        return [span.trace_id for span in spans]


@pytest.fixture
def traffic(platform):
    return Traffic(platform)


def watch(platform, kind="metric", name="m", **settings):
    Monitors(platform).create(name, kind, target="docs", settings=settings, window_minutes=60)
    return Monitors(platform).test(name)


@pytest.mark.parametrize(
    ("settings", "state", "value"),
    [
        ({"metric": "requests", "bound": 49}, "firing", 50),
        ({"metric": "requests", "bound": 50}, "ok", 50),
        ({"metric": "cost", "bound": 0.4}, "firing", 0.5),
        ({"metric": "output_tokens", "bound": 1000}, "ok", 500),
        ({"metric": "error_rate", "bound": 0.05}, "firing", 0.2),
        ({"metric": "error_rate", "bound": 0.19}, "ok", 0.2),
        ({"metric": "latency_p50", "bound": 150}, "firing", 200),
        ({"metric": "latency_p99", "bound": 150}, "insufficient", 200),
        ({"metric": "ttft_p50", "rule": "below", "bound": 60}, "insufficient", None),
        ({"metric": "cached_tokens", "rule": "below", "bound": 1}, "firing", 0),
    ],
)
def test_a_bound_fires_beyond_chance_and_sums_as_they_are(platform, traffic, settings, state, value):
    traffic(40, cost=0.01, output_tokens=10)
    traffic(10, cost=0.01, output_tokens=10, status="error")
    found = watch(platform, **settings)
    assert (found.state, found.value) == (state, pytest.approx(value) if value is not None else None)
    assert found.summary and (state == "insufficient" or " calls of the window; " in found.summary)


def test_scores_are_metrics_by_their_mean_or_a_label(platform, traffic):
    ids = traffic(40)
    for at, trace_id in enumerate(ids):
        Scores(platform).create("helpful", trace_id=trace_id, number=at % 4 == 0, label="rude" if at % 2 else "kind")
    found = watch(platform, metric="score/helpful", rule="below", bound=0.6)
    assert (found.state, found.value) == ("firing", 0.25)
    assert watch(platform, name="rude", metric="score/helpful=rude", bound=0.3).state == "firing"


def test_a_change_is_held_against_the_window_before(platform, traffic):
    traffic(60, ms=100, ago=5400)
    traffic(60, ms=100)
    options = {"metric": "latency_p50", "rule": "change", "compare": "previous", "bound": 0.5}
    assert watch(platform, **options).state == "ok"
    traffic(200, ms=300)
    found = Monitors(platform).test("m")
    assert (found.state, found.value) == ("firing", pytest.approx(2.0))
    down = {**options, "direction": "down"}
    assert watch(platform, name="down", **down).state == "ok"
    assert watch(platform, name="old", **{**options, "compare": "week"}).state == "insufficient"


def test_what_is_unusual_is_told_from_the_windows_before(platform, traffic):
    options = {"metric": "requests", "rule": "anomaly", "bound": 4, "history": 24}
    for hour in range(1, 11):
        traffic(10 + hour % 3, ago=3600 * hour + 60)
    assert watch(platform, **options).state == "insufficient"
    for hour in range(11, 25):
        traffic(10 + hour % 3, ago=3600 * hour + 60)
    traffic(12)
    assert Monitors(platform).test("m").state == "ok"
    traffic(60)
    assert Monitors(platform).test("m").state == "firing"


def test_silence_of_the_traffic_is_noticed(platform, traffic):
    assert watch(platform, kind="no_data").state == "firing"
    traffic()
    assert Monitors(platform).test("m").state == "ok"


def test_an_objective_burns_over_both_windows(platform, traffic):
    traffic(95, ago=3000)
    traffic(5, ago=3000, status="error")
    options = {"objective": 0.99, "factor": 3}
    assert watch(platform, kind="burn_rate", **options).state == "ok", "it was bad, and is over"
    traffic(10, ago=60, status="error")
    assert Monitors(platform).test("m").state == "firing"
    slow = watch(platform, kind="burn_rate", name="slow", objective=0.99, factor=3, max_ms=100)
    assert slow.detail["bad"] == 110


@pytest.mark.parametrize(
    "settings",
    [{"metric": "colour", "bound": 1}, {"metric": "cost"}, {"metric": "cost", "bound": 1, "rule": "round"}],
)
def test_a_rule_that_means_nothing_is_refused(platform, settings):
    with pytest.raises(Invalid):
        Monitors(platform).create("odd", "metric", settings=settings)


def test_a_monitor_is_tried_on_the_past_before_it_is_switched_on(platform, traffic):
    for hour in range(1, 24):
        traffic(20, ago=3600 * hour, status="error" if hour in (5, 6, 14) else "ok")
    settings = {"metric": "error_rate", "bound": 0.3}
    Monitors(platform).create("m", "metric", target="docs", settings=settings, every_minutes=60, enabled=False)
    found = Monitors(platform).backtest("m", days=1)
    assert found.alerts == 2
    assert (len(found.looks), found.firing) == (24, 3)
    assert found.looks[-1].at <= platform.clock.now()
    assert Alerts(platform).list_().items == []
    assert Monitors(platform).results("m") == []
    assert len(Monitors(platform).backtest("m", days=31).looks) <= 200


def test_nobody_is_told_in_a_silence_and_channels_take_what_is_severe_enough(platform, traffic, sent):
    Channels(platform).create("all", "https://alerts.example.org/a")
    Channels(platform).create("pager", "https://alerts.example.org/b", min_severity="critical")
    severities = {"loud": "warning", "worst": "critical", "quiet": "critical"}
    for name, severity in severities.items():
        Monitors(platform).create(name, "no_data", severity=severity)
    silence = Silences(platform).create(platform.clock.now().replace(year=2027), monitor="quiet", why="Moving house.")
    for name in severities:
        Monitors(platform).run(name)
    events.deliver_due(platform)
    assert sorted(sent) == [("all", "alert.opened"), ("all", "alert.opened"), ("pager", "alert.opened")]
    assert {alert.monitor for alert in Alerts(platform).list_().items} == {"loud", "worst", "quiet"}
    Silences(platform).delete(silence.id)
    sent.clear()
    quiet = next(alert for alert in Alerts(platform).list_().items if alert.monitor == "quiet")
    Alerts(platform).acknowledge(quiet.id)
    Alerts(platform).resolve(quiet.id)
    events.deliver_due(platform)
    assert sorted(sent) == [
        ("all", "alert.acknowledged"), ("all", "alert.resolved"), ("pager", "alert.acknowledged"),
        ("pager", "alert.resolved"),
    ]  # fmt: skip
    with pytest.raises(Invalid, match="ends before"):
        Silences(platform).create(platform.clock.now().replace(year=2020))
    with pytest.raises(NotFound):
        Silences(platform).create(platform.clock.now().replace(year=2027), monitor="nobody")


def test_an_alert_puts_its_traces_into_a_queue_once(platform, traffic):
    first_start(platform, owner="ann")
    Queues(platform).create("look", [Question(name="why", kind="text")])
    traffic(40, status="error")
    Monitors(platform).create(
        "failing", "error_rate", target="docs", settings={"max_share": 0.1}, actions=[Action(do="queue", queue="look")]
    )
    alert_id = Monitors(platform).run("failing").alert_id
    events.deliver_due(platform)
    [taken] = Alerts(platform).get(alert_id).detail["actions"]
    assert taken["result"] == "5 traces put into the queue look."
    [action] = Monitors(platform).get("failing").actions
    jobs.take_action(platform, {"alert": alert_id, "action": action.model_dump(mode="json")})
    Monitors(platform).run("failing")
    events.deliver_due(platform)
    assert len(Alerts(platform).get(alert_id).detail["actions"]) == 1
    assert Queues(platform).get("look").progress.items == 5


def test_an_action_needs_the_right_to_it_and_a_target(platform, acting):
    with pytest.raises(Invalid, match="Only a deployment"):
        Monitors(platform).create("m", "no_data", actions=[Action(do="rollback")])
    with pytest.raises(NotFound):
        Monitors(platform).create("m", "no_data", actions=[Action(do="queue", queue="nobody")])
    with acting("developer", "dave"), pytest.raises(Denied):
        Monitors(platform).create("m", "no_data", target="docs", actions=[Action(do="rollback")])


def test_what_cannot_be_done_is_said_and_not_tried_for_ever(platform):
    first_start(platform, owner="ann")
    Monitors(platform).create("m", "no_data", target="docs", actions=[Action(do="rollback")])
    alert_id = Monitors(platform).run("m").alert_id
    events.deliver_due(platform)
    [taken] = Alerts(platform).get(alert_id).detail["actions"]
    assert taken["result"].startswith("Not done: There is no")


def test_an_action_is_set_up_and_changed_where_one_may_take_it_alone(platform, acting):
    first_start(platform)
    roll_back = [Action(do="rollback")]
    bound = replace(access.current(), environment="staging", key_id="bound")
    with access.acting_as(bound), pytest.raises(Denied, match="bound to staging"):
        Monitors(platform).create("m", "no_data", target="docs", environment="production", actions=roll_back)
    with pytest.raises(Invalid, match="one environment"):
        Monitors(platform).create("m", "no_data", target="docs", environment="", actions=roll_back)
    Monitors(platform).create("m", "no_data", target="docs", environment="production", actions=roll_back)
    with acting("developer", "dave"), pytest.raises(Denied):
        Monitors(platform).update("m", window_minutes=5)
    with access.acting_as(bound), pytest.raises(Denied):
        Monitors(platform).update("m", window_minutes=5)
    assert Monitors(platform).update("m", window_minutes=5).window_minutes == 5


def test_a_monitor_is_tried_on_the_past_before_it_is_there(platform, traffic):
    for ago, ms in ((9_000, 900), (5_400, 100), (60, 100)):
        traffic(30, ms=ms, ago=ago)
    settings = {"metric": "latency_p50", "bound": 500}
    found = Monitors(platform).preview("metric", target="docs", settings=settings, every_minutes=60, days=0.25)
    assert (len(found.looks), found.alerts, found.monitor) == (6, 1, "")
    Monitors(platform).create("m", "metric", target="docs", settings=settings, every_minutes=60, enabled=False)
    again = Monitors(platform).backtest("m", days=0.25)
    assert [one.state for one in again.looks] == [one.state for one in found.looks]
    with pytest.raises(Invalid, match="no metric"):
        Monitors(platform).preview("metric", settings={"metric": "odd", "bound": 1})


def test_channels_and_actions_of_a_monitor_change(platform):
    Channels(platform).create("ops", "https://hooks.example.org/a")
    Queues(platform).create("look", [Question(name="why", kind="text")])
    Monitors(platform).create("m", "no_data", target="docs")
    changed = Monitors(platform).update("m", channels=["ops"], actions=[Action(do="queue", queue="look")])
    assert (changed.channels, changed.actions[0].queue) == (["ops"], "look")
    assert Monitors(platform).update("m", channels=[], actions=[]).actions == []
    with pytest.raises(NotFound):
        Monitors(platform).update("m", channels=["none"])
    with pytest.raises(NotFound):
        Monitors(platform).update("m", actions=[Action(do="queue", queue="none")])
