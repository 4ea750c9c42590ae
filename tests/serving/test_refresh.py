"""Model refresh: what makes one due, that it is told once, and what follows from how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from tests.conftest import TickingClock
from tests.serving.test_canaries import Traffic
from tests.serving.test_deployment_machine import make_releases

from mainspring.data import rows as row_store
from mainspring.data.models import Message, Row
from mainspring.kernel import access, events, lineage, versions
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import audit_rows
from mainspring.kernel.tables import events as outbox
from mainspring.serving.refresh import REFRESH_DUE, Refreshes, refresh_due
from mainspring.serving.refresh.cron import following, parse
from mainspring.serving.service import Deployments
from mainspring.stats import bounded_sequence
from mainspring.traces import scores
from mainspring.workspace import Projects, first_start


@pytest.fixture
def known(platform: Platform, small_model: str) -> dict[str, list[str]]:
    """A deployment docs, with releases to choose from."""
    first_start(platform)
    made = make_releases(platform, small_model)
    Deployments(platform).create("docs", made["approved"][0])
    return made


def told(platform: Platform, topic: str = REFRESH_DUE) -> list[dict[str, Any]]:
    with platform.read() as tx:
        return list(tx.execute(select(outbox.c.payload).where(outbox.c.topic == topic)).scalars())


def test_a_schedule_makes_one_refresh_due_and_its_end_starts_it_anew(
    platform: Platform, clock: TickingClock, known: Any
) -> None:
    service = Refreshes(platform)
    policy = service.set("docs", every_hours=48, cooldown_hours=12)
    assert refresh_due(platform) == 0
    assert "is scheduled for 2026-01-04" in service.check("docs").findings[0].summary
    clock.advance(hours=49)
    assert service.check("docs").due and told(platform) == []
    assert [refresh_due(platform) for _ in range(3)] == [1, 0, 0]
    [event] = told(platform)
    [due] = service.history(state="due").items
    assert (event["id"], event["deployment"], event["release"]) == (due.id, "docs", known["approved"][0])
    assert due.findings[0].evidence["counted_from"] == policy.changed_at.isoformat()
    assert f"The refresh {due.id} is due since" in service.check("docs").held_back
    started = service.start(due.id, note="run 7")
    assert (started.state, started.started_by) == ("started", "ann")
    with pytest.raises(Conflict, match="is started"):
        service.start(due.id)
    done = service.finish(due.id, release=known["approved"][1])
    assert (done.state, done.outcome, done.note) == ("done", known["approved"][1], "run 7")
    with pytest.raises(Conflict, match="is done already"):
        service.finish(due.id, result="failed")
    assert [event["state"] for event in told(platform, "deployment.refresh_ended")] == ["done"]
    clock.advance(hours=47)
    assert refresh_due(platform) == 0
    clock.advance(hours=2)
    assert refresh_due(platform) == 1
    assert len(service.history(deployment="docs").items) == 2
    with platform.read() as tx:
        actions = tx.execute(select(audit_rows.c.action)).scalars().all()
    assert actions.count("refresh.due") == 2 and {"refresh.set", "refresh.start", "refresh.finish"} <= set(actions)


def test_a_drift_alert_is_answered_once_and_again_where_that_failed(
    platform: Platform, clock: TickingClock, known: Any
) -> None:
    service = Refreshes(platform)
    service.set("docs", drift_monitor="inputs", cooldown_hours=5)

    def alert(number: int, monitor: str = "inputs") -> None:
        with platform.begin() as tx:
            events.emit(tx, "alert.opened", {"alert": f"a{number}", "monitor": monitor, "target": "docs"})
        while events.deliver_due(platform):
            pass

    alert(1, "other")
    assert refresh_due(platform) == 0
    alert(2)
    alert(2)
    assert [refresh_due(platform), refresh_due(platform)] == [1, 0]
    [due] = service.history(state="due").items
    assert due.findings[0].evidence["alert"] == "a2" and "a2" in due.reason
    service.finish(due.id, result="failed", note="no memory")
    assert service.check("docs").held_back.startswith("It rests until")
    assert refresh_due(platform) == 0
    clock.advance(hours=6)
    assert refresh_due(platform) == 1, "what failed is tried again after the cool-down"
    service.finish(service.history(state="due").items[0].id)
    clock.advance(hours=6)
    assert refresh_due(platform) == 0, "what was done answered the alert"


def stock(platform: Platform, count: int) -> str:
    rows = [Row(id=f"r{n}", messages=[Message(role="user", content=f"q{n}")]) for n in range(count)]
    with platform.begin() as tx:
        return versions.commit(tx, "dataset", "faq", {**row_store.store(platform.files, rows), "source": "import"}).ref


def test_data_makes_a_refresh_due_by_what_was_trained_on(
    platform: Platform, clock: TickingClock, known: Any, small_model: str
) -> None:
    service = Refreshes(platform)
    first = stock(platform, 100)
    with platform.begin() as tx:
        lineage.link(tx, "run-1", inputs=[first], outputs=[small_model])
    with pytest.raises(Invalid, match="one version"):
        service.set("docs", dataset=first, new_rows=50)
    service.set("docs", dataset="dataset/faq", new_rows=50, cooldown_hours=0, max_per_week=9)
    stock(platform, 149)
    assert refresh_due(platform) == 0
    stock(platform, 150)
    assert refresh_due(platform) == 1
    [due] = service.history(state="due").items
    seen = due.findings[0].evidence
    assert (seen["trained_on"], seen["trained_rows"], seen["rows"], seen["new_rows"]) == (first, 100, 150, 50)
    service.finish(due.id, result="dismissed")
    assert refresh_due(platform) == 0, "the rows that were seen do not count again"
    stock(platform, 200)
    assert refresh_due(platform) == 1


def judge_calls(platform: Platform, traffic: Traffic, values: list[float]) -> None:
    """Make a call for each value and give it the score `helpful`."""
    spans = traffic.serve(traffic.call() for _ in values)
    with platform.begin() as tx:
        for span, value in zip(spans, values, strict=True):
            scores.put(tx, "helpful", trace_id=span.trace_id, number=value)


def test_a_shown_drop_of_a_score_makes_a_refresh_due_once_for_a_release(
    platform: Platform, clock: TickingClock, known: Any
) -> None:
    service, traffic = Refreshes(platform), Traffic(platform, clock)
    service.set("docs", score="helpful", first_units=100, score_drop=0.1, cooldown_hours=0, max_per_week=9)
    rng = np.random.default_rng(7)
    judge_calls(platform, traffic, [float(value) for value in rng.random(100) < 0.9])
    assert "its first period has 100" in service.check("docs").findings[0].summary
    judge_calls(platform, traffic, [float(value) for value in rng.random(150) < 0.9])
    assert refresh_due(platform) == 0
    judge_calls(platform, traffic, [0.0] * 30)
    mean = service.check("docs").findings[0].evidence["now"]["mean"]
    assert mean < 0.8 and refresh_due(platform) == 0, "a lower mean alone is no reason"
    clock.advance(days=8)
    judge_calls(platform, traffic, [float(value) for value in rng.random(200) < 0.4])
    assert refresh_due(platform) == 1
    [due] = service.history(state="due").items
    seen = due.findings[0].evidence
    assert seen["window"] == 2 and seen["first"]["low"] - seen["now"]["high"] == seen["least_drop"] > 0.1
    service.finish(due.id)
    assert refresh_due(platform) == 0
    service.set("docs", feedback="helpful", new_feedback=400, cooldown_hours=0, max_per_week=9)
    assert refresh_due(platform) == 1
    assert service.history(state="due").items[0].findings[0].evidence["calls"] == 480


def test_a_score_that_never_dropped_is_rarely_taken_for_dropped() -> None:
    rng, error, fired = np.random.default_rng(11), 0.05, 0
    for _ in range(200):
        first = bounded_sequence((rng.random(100) < 0.8).astype(float), level=1 - error / 2)
        for number in range(4):
            window = bounded_sequence(
                (rng.random(150) < 0.8).astype(float), level=1 - error / 2 / ((number + 1) * (number + 2))
            )
            if first.low > window.high:
                fired += 1
                break
    assert fired <= 10


@pytest.mark.parametrize(
    ("terms", "held"),
    [
        ({"quiet_hours": "02-05"}, "are quiet"),
        ({"quiet_hours": "22-06"}, "are quiet"),
        ({"max_per_week": 1}, "within seven days"),
        ({"cooldown_hours": 100}, "It rests until"),
    ],
)
def test_a_refresh_waits_for_its_time(
    platform: Platform, clock: TickingClock, known: Any, terms: dict[str, Any], held: str
) -> None:
    service = Refreshes(platform)
    service.set("docs", every_hours=24, **{"cooldown_hours": 0, **terms})
    clock.advance(hours=24)
    if "quiet_hours" not in terms:
        assert refresh_due(platform) == 1
        service.finish(service.history().items[0].id)
        clock.advance(hours=24)
    assert refresh_due(platform) == 0
    assert held in service.get("docs").held_back
    clock.advance(days=8, hours=8)
    assert refresh_due(platform) == 1


def test_a_dry_run_is_noted_and_tells_nobody(platform: Platform, clock: TickingClock, known: Any) -> None:
    service = Refreshes(platform)
    service.set("docs", every_hours=24, dry_run=True)
    clock.advance(hours=25)
    assert [refresh_due(platform), refresh_due(platform)] == [1, 0]
    assert told(platform) == [] and service.history().items[0].state == "dry run"
    with pytest.raises(Conflict):
        service.start(service.history().items[0].id)


def test_what_nobody_reports_the_end_of_fails_in_time(platform: Platform, clock: TickingClock, known: Any) -> None:
    service = Refreshes(platform)
    service.set("docs", every_hours=24, patience_hours=10, cooldown_hours=0)
    clock.advance(hours=25)
    refresh_due(platform)
    clock.advance(hours=11)
    refresh_due(platform)
    [ended] = service.history().items
    assert ended.state == "failed" and "within 10 hours" in ended.note


def test_two_workers_at_once_make_one_refresh(platform: Platform, clock: TickingClock, known: Any) -> None:
    Refreshes(platform).set("docs", every_hours=24)
    clock.advance(hours=25)
    together(4, lambda: refresh_due(platform))
    assert len(told(platform)) == 1 and len(Refreshes(platform).history().items) == 1


def together(count: int, work: Callable[[], object]) -> None:
    start = threading.Barrier(count)

    def run() -> None:
        with access.acting_as(access.system()):
            start.wait()
            work()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_what_makes_no_sense_is_refused(platform: Platform, known: Any, acting: Any) -> None:
    service = Refreshes(platform)
    for wrong, problem in (
        ({}, "no condition"),
        ({"cron": "61 * * * *"}, "no minute"),
        ({"cron": "0 0 31 2 *"}, "never comes"),
        ({"dataset": "dataset/faq"}, "dataset and new_rows"),
        ({"feedback": "thumb"}, "feedback and new_feedback"),
        ({"score": "s", "score_low": 1.0}, "no room"),
    ):
        with pytest.raises(Invalid, match=problem):
            service.set("docs", **wrong)
    with pytest.raises(NotFound):
        service.set("other", every_hours=1)
    with pytest.raises(NotFound, match="no refresh policy"):
        service.get("docs")
    service.set("docs", every_hours=1)
    assert [policy.deployment for policy in service.list_().items] == ["docs"]
    assert service.clear("docs").terms.every_hours == 1
    assert service.list_().items == []
    Projects(platform).create("second")
    with acting(project="second"), pytest.raises(NotFound):
        service.get("docs")


@pytest.mark.parametrize(
    ("text", "after", "found"),
    [
        ("0 3 * * 1", "2026-01-02T03:04", "2026-01-05T03:00"),
        ("*/15 * * * *", "2026-01-02T03:04", "2026-01-02T03:15"),
        ("30 2,14 * * *", "2026-01-02T02:30", "2026-01-02T14:30"),
        ("0 0 29 2 *", "2026-01-02T00:00", "2028-02-29T00:00"),
        ("0 12 1 * 0", "2026-01-02T00:00", "2026-01-04T12:00"),
        ("5-10/5 0 * 12 *", "2026-12-31T00:05", "2026-12-31T00:10"),
        ("0 0 * * 7", "2026-01-02T00:00", "2026-01-04T00:00"),
    ],
)
def test_cron_finds_the_next_moment(text: str, after: str, found: str) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert following(parse(text), moment) == datetime.fromisoformat(found).replace(tzinfo=UTC)
    assert following(parse("* * * * *"), moment) == moment + timedelta(minutes=1)
