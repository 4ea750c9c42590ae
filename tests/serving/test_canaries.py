"""Canaries: what the traffic says is read once, judged at every look, and what follows is done and written down."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.conftest import TickingClock
from tests.serving.test_deployment_machine import make_releases

from mainspring.kernel import events
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.kernel.tables import audit_rows
from mainspring.registry import releases
from mainspring.serving import deployments
from mainspring.serving.canaries import Canary
from mainspring.serving.deployments import arm_of
from mainspring.serving.judging import judge_due
from mainspring.serving.rollouts import Canaries
from mainspring.serving.service import Deployments
from mainspring.traces import Scores, scores
from mainspring.workspace import Projects


class Traffic:
    """Calls of a deployment as the gateway leaves them behind, each by the release of its arm."""

    def __init__(self, platform: Platform, clock: TickingClock, name: str = "docs") -> None:
        self.platform = platform
        self.clock = clock
        self.name = name
        self.count = 0

    def call(self, user: str = "", session: str = "", **changes: Any) -> Span:
        """Make one call; the arm follows from the split."""
        self.count += 1
        with self.platform.read() as tx:
            now = deployments.get(tx, "production", self.name)
        trace_id = hashlib.sha256(f"{self.name}/{self.count}".encode()).hexdigest()[:32]
        arm = arm_of(now, deployments.Subject(trace_id, user, session).unit(now.split))
        start = int(self.clock.now().timestamp() * 1e9)
        values: dict[str, Any] = {
            "trace_id": trace_id,
            "span_id": trace_id[:16],
            "project": "default",
            "environment": "production",
            "kind": "chat",
            "service": "mainspring",
            "start_ns": start,
            "end_ns": start + 10**8,
            "status": "ok",
            "deployment": self.name,
            "release": now.canary if arm == "canary" else now.baseline,
            "user_id": user,
            "session_id": session,
            "attributes": {"mainspring.arm": arm},
        }
        return Span(**{**values, **changes})

    def serve(self, spans: Iterable[Span]) -> list[Span]:
        """Store calls, so that the next look sees them."""
        made = list(spans)
        self.platform.spans.append(made)
        self.platform.spans.flush()
        self.clock.advance(seconds=2)
        return made

    def rate(self, spans: Iterable[Span], number: Callable[[Span], float], name: str = "helpful") -> None:
        """Judge each call."""
        with self.platform.begin() as tx:
            for span in spans:
                scores.put(tx, name, trace_id=span.trace_id, number=number(span))

    def judged(self, count: int, release: str, its: float, others: float) -> list[Span]:
        """Store so many calls and judge them: those of a release by one number, all others by another."""
        made = self.serve(self.call() for _ in range(count))
        self.rate(made, lambda span: its if span.release == release else others)
        return made


@pytest.fixture
def known(platform: Platform, small_model: str) -> dict[str, list[str]]:
    """Releases, and a deployment of the first."""
    Projects(platform).create("default")
    made = make_releases(platform, small_model)
    Deployments(platform).create("docs", made["approved"][0])
    return made


@pytest.fixture
def traffic(platform: Platform, clock: TickingClock, known: dict[str, list[str]]) -> Traffic:
    """Traffic of the deployment."""
    return Traffic(platform, clock)


def start(platform: Platform, release: str, metric: str = "score/helpful", **changes: Any) -> Canary:
    """Start a canary that half of the requests go to."""
    plan = {"margin": 0.1, "split": "request", "weights": [0.5], **changes}
    return Canaries(platform).start("docs", release, metric, **plan)


def audited(platform: Platform) -> list[Any]:
    """Return the rows of the audit log about verdicts."""
    with platform.read() as tx:
        rows = tx.execute(audit_rows.select().where(audit_rows.c.member == "system")).mappings().all()
    return [row for row in rows if row["action"].startswith("canary.")]


def test_a_worse_release_is_rolled_back_with_its_numbers(
    platform: Platform, traffic: Traffic, known: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setitem(events._handlers["canary.decided"], "test", lambda _, payload: told.append(payload))
    release = known["approved"][1]
    began = start(platform, release)
    assert (began.state, began.now.units, began.plan.direction) == ("running", 0, "higher")
    calls = traffic.judged(400, release, 0.2, 0.9)
    assert judge_due(platform) == 1
    ended = Canaries(platform).get("docs")
    assert ended.state == "rolled_back" and ended.ended_at is not None
    assert ended.now.units == 400
    assert ended.now.canary.units == sum(span.release == release for span in calls)
    assert ended.now.canary.mean == pytest.approx(0.2) and ended.now.difference == pytest.approx(-0.7)
    assert ended.now.low is not None and ended.now.high is not None
    assert ended.now.low <= -0.7 <= ended.now.high < 0
    move = Deployments(platform).get("docs")
    assert (move.action, move.canary, move.weight, move.baseline) == ("rollback", "", 0.0, known["approved"][0])
    assert move.moved_by == "system" and move.note == ended.reason
    assert "0.2" in ended.reason and "0.9" in ended.reason and "it is worse" in ended.reason
    [row] = audited(platform)
    assert (row["action"], row["target"]) == ("canary.rollback", "production/docs")
    assert row["detail"]["reason"] == ended.reason
    events.deliver_due(platform)
    assert [(event["action"], event["candidate"]) for event in told] == [("rollback", release)]
    assert judge_due(platform) == 0
    with platform.read() as tx:
        assert releases.load(tx, release).state == "approved"


def test_a_release_that_is_as_good_is_promoted_and_the_past_is_known(
    platform: Platform, traffic: Traffic, known: dict[str, list[str]], clock: TickingClock
) -> None:
    first, second = known["approved"][:2]
    before = clock.now()
    clock.advance(hours=1)
    start(platform, second, margin=0.3)
    during = clock.now()
    for _ in range(4):
        calls = traffic.serve(traffic.call() for _ in range(100))
        traffic.rate(calls, lambda span: 0.8)
        judge_due(platform)
    ended = Canaries(platform).get("docs")
    assert ended.state == "promoted" and "a loss of 0.3 is ruled out" in ended.reason
    assert [look.units for look in ended.looks] == sorted(look.units for look in ended.looks)
    assert ended.looks[-1].low is not None and ended.looks[-1].low > -0.3
    service = Deployments(platform)
    assert (service.get("docs").baseline, service.get("docs").previous) == (second, first)
    assert [move.baseline for move in service.history("docs", at=before).items] == [first]
    [live] = service.history("docs", at=during).items
    assert (live.baseline, live.canary) == (first, second)
    assert [move.baseline for move in service.history("docs", at=clock.now()).items] == [second]
    assert service.history("docs", at=before - timedelta(days=1)).items == []
    assert service.rollback("docs").baseline == first


def test_a_user_is_one_unit_however_much_they_ask(
    platform: Platform, traffic: Traffic, known: dict[str, list[str]]
) -> None:
    release = known["approved"][1]
    start(platform, release, split="user", horizon_units=1000)
    calls = traffic.serve(traffic.call(user=f"user-{number % 20}") for number in range(300))
    assert all(len({span.release for span in calls if span.user_id == user}) == 1 for user in ("user-1", "user-7"))
    traffic.rate(calls, lambda span: 0.0 if span.release == release else 1.0)
    judge_due(platform)
    again = traffic.serve(traffic.call(user=f"user-{number % 20}") for number in range(300))
    traffic.rate(again, lambda span: 1.0)
    traffic.serve(traffic.call() for _ in range(7))
    judge_due(platform)
    found = Canaries(platform).get("docs")
    assert found.state == "running" and found.now.units == 20
    assert "7 calls did not say their user" in found.reason
    assert (found.now.canary.mean, found.now.baseline.mean) == (0.0, 1.0)
    assert found.unassigned == 7
    with platform.read() as tx:
        assert deployments.get(tx, "production", "docs").split == "user"
    assert all(span.release == known["approved"][0] for span in [traffic.call() for _ in range(20)])


def test_a_unit_settles_before_it_counts(
    platform: Platform, traffic: Traffic, known: dict[str, list[str]], clock: TickingClock
) -> None:
    start(platform, known["approved"][1], metric="error", split="session", settle_minutes=5)
    first = traffic.serve(traffic.call(session=f"s{number}") for number in range(10))
    judge_due(platform)
    assert Canaries(platform).get("docs").now.units == 0
    traffic.serve(traffic.call(session=span.session_id, status="error") for span in first)
    clock.advance(minutes=5)
    judge_due(platform)
    found = Canaries(platform).get("docs")
    assert found.now.units == 10
    assert {found.now.canary.error_rate, found.now.baseline.error_rate} == {0.5}


def test_what_fails_is_rolled_back_whatever_the_metric(
    platform: Platform, traffic: Traffic, known: dict[str, list[str]]
) -> None:
    release = known["approved"][1]
    start(platform, release)
    traffic.serve(
        traffic.call() if number % 2 else traffic.call(status="error", status_message="the client went away")
        for number in range(200)
    )
    judge_due(platform)
    assert Canaries(platform).get("docs").state == "running"
    spans = [traffic.call() for _ in range(200)]
    traffic.serve(failing(span) if span.release == release else span for span in spans)
    judge_due(platform)
    found = Canaries(platform).get("docs")
    assert found.state == "rolled_back" and "fails more often" in found.reason
    assert found.now.units == 0 and found.now.errors_low is not None and found.now.errors_low > 0


def failing(span: Span) -> Span:
    """Return the call as one that went wrong."""
    return msgspec.structs.replace(span, status="error", status_message="boom")


def test_latency_is_judged_by_its_logarithm(platform: Platform, traffic: Traffic, known: dict[str, list[str]]) -> None:
    release = known["approved"][1]
    start(platform, release, metric="latency", margin=0.2)
    spans = [traffic.call() for _ in range(800)]
    slow = [_taking(span, 900 if span.release == release else 300) for span in spans]
    outlier = _taking(traffic.call(), 10**7)
    traffic.serve([*slow, outlier])
    judge_due(platform)
    found = Canaries(platform).get("docs")
    assert found.state == "rolled_back"
    assert found.now.canary.mean == pytest.approx(900, rel=0.05)
    assert found.now.difference == pytest.approx(2.0, rel=0.1)
    assert found.now.low is not None and found.now.low > 0
    assert " ms in " in found.reason and "it is worse" in found.reason


@pytest.mark.parametrize("metric", ["latency", "error"])
def test_what_a_warm_cache_answers_says_nothing_of_a_release(
    platform: Platform, traffic: Traffic, known: dict[str, list[str]], metric: str
) -> None:
    release = known["approved"][1]
    start(platform, release, metric=metric, margin=0.1, horizon_units=100_000)
    spans = [_taking(traffic.call(), 300) for _ in range(800)]
    slow = {span.trace_id for span in spans[::4]}
    spans = [failing(span) if metric == "error" and span.trace_id in slow else span for span in spans]
    hit = {"mainspring.cache": "hit"}
    traffic.serve(
        _taking(msgspec.structs.replace(span, status="ok", attributes={**span.attributes, **hit}), 2)
        if span.release != release and number % 2
        else span
        for number, span in enumerate(spans)
    )
    judge_due(platform)
    found = Canaries(platform).get("docs")
    assert found.state != "rolled_back", found.reason
    assert found.now.baseline.units < found.now.canary.units


def _taking(span: Span, milliseconds: int) -> Span:
    return msgspec.structs.replace(span, end_ns=span.start_ns + milliseconds * 10**6)


def test_the_horizon_decides_where_nothing_was_shown(
    platform: Platform, traffic: Traffic, known: dict[str, list[str]], clock: TickingClock
) -> None:
    first, second = known["approved"][:2]
    start(platform, second, metric="score/helpful=yes", margin=0.01, horizon_units=40)
    calls = traffic.serve(traffic.call() for _ in range(40))
    for span in calls:
        Scores(platform).create("helpful", trace_id=span.trace_id, label="yes")
    judge_due(platform)
    ended = Canaries(platform).get("docs")
    assert ended.state == "rolled_back" and "nothing was shown within 40 units" in ended.reason
    start(platform, second, margin=0.01, horizon_minutes=30, fallback="keep")
    clock.advance(minutes=31)
    judge_due(platform)
    kept, now = Canaries(platform).get("docs"), Deployments(platform).get("docs")
    assert kept.state == "kept" and "within 30 minutes" in kept.reason
    assert (now.canary, now.weight, now.baseline) == (second, 0.5, first)


def test_the_share_grows_in_steps_and_an_a_b_test_only_tells(
    platform: Platform, traffic: Traffic, known: dict[str, list[str]]
) -> None:
    first, second = known["approved"][:2]
    start(platform, second, margin=0.02, weights=[0.2, 0.5, 0.8], step_units=50)
    for _ in range(3):
        traffic.rate(traffic.serve(traffic.call() for _ in range(60)), lambda span: 0.5)
        judge_due(platform)
    assert [move.weight for move in Deployments(platform).history("docs").items] == [0.8, 0.5, 0.2, 0.0]
    assert "is not shown to be worse" in Deployments(platform).get("docs").note
    stopped = Canaries(platform).stop("docs", note="enough")
    assert stopped.state == "stopped" and "enough" in stopped.reason
    assert Deployments(platform).get("docs").canary == ""
    start(platform, second, kind="ab", margin=0.0, weights=None)
    traffic.judged(300, second, 1.0, 0.0)
    judge_due(platform)
    found, now = Canaries(platform).get("docs"), Deployments(platform).get("docs")
    assert found.state == "promoted" and "it is better" in found.reason
    assert (now.baseline, now.canary, now.weight) == (first, second, 0.5)
    assert [one.state for one in Canaries(platform).list_(deployment="docs").items] == ["promoted", "stopped"]


def test_a_hand_on_the_deployment_ends_the_canary(
    platform: Platform, traffic: Traffic, known: dict[str, list[str]]
) -> None:
    first, second, third = known["approved"][:3]
    service, tried = Deployments(platform), Canaries(platform)
    start(platform, second)
    with pytest.raises(Conflict, match="runs on docs already"):
        start(platform, third)
    service.pause("docs")
    service.resume("docs")
    assert tried.get("docs").state == "running"
    service.roll("docs", third)
    assert tried.get("docs").state == "stopped" and "ann moved the deployment" in tried.get("docs").reason
    assert service.get("docs").split == ""
    start(platform, second)
    with platform.begin() as tx:
        releases.move(tx, releases.load(tx, second), "withdrawn", "withdrawn")
    judge_due(platform)
    assert tried.get("docs").state == "rolled_back" and "withdrawn" in tried.get("docs").reason
    assert service.get("docs").baseline == first


def test_what_cannot_be_is_refused(platform: Platform, traffic: Traffic, known: dict[str, list[str]]) -> None:
    good = known["approved"][1]
    for wrong in (
        {"margin": 1.0},
        {"low": 1.0, "high": 0.0},
        {"metric": "latency", "low": 0.0},
        {"horizon_units": 0, "horizon_minutes": 0},
        {"weights": [0.5, 0.2]},
        {"weights": [1.0]},
    ):
        with pytest.raises(Invalid):
            start(platform, good, **wrong)
    with pytest.raises(Denied):
        start(platform, known["draft"][0])
    with pytest.raises(Conflict):
        start(platform, known["approved"][0])
    with pytest.raises(NotFound):
        Canaries(platform).get("docs")
    with pytest.raises(Conflict):
        Canaries(platform).stop("docs")
    assert len(Deployments(platform).history("docs").items) == 1
