"""Canaries: a release beside the baseline, what it is to prove, and what is known of it so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, RowMapping, delete, insert, select, update

from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.records import Record, paginate
from mainspring.kernel.refs import NAME_PATTERN
from mainspring.kernel.tx import Tx
from mainspring.serving.deployments import Deployment, Split
from mainspring.serving.tables import canaries as table
from mainspring.serving.tables import canary_looks, canary_units
from mainspring.stats import Arm, Watch

Metric = Annotated[
    str,
    StringConstraints(max_length=400, pattern=rf"^(error|latency|ttft|cost|score/{NAME_PATTERN}(=[^\n]{{1,200}})?)$"),
]
"""`error`, `latency`, `ttft` (milliseconds), `cost` (US dollars), `score/NAME`, or `score/NAME=LABEL`: whether the
score of that name, by a person, a model or code, says so."""

State = Literal["running", "promoted", "rolled_back", "kept", "stopped"]
LOGARITHMIC = ("latency", "ttft", "cost")
"""Metrics without a natural bound, mostly lognormal: their logarithm within stated bounds is judged."""
_DENSITY = 1.02
"""A look is kept where the units have grown by this factor: enough to draw, and few for ever."""


class CanaryPlan(Record):
    """What a canary is to prove, and what happens then."""

    metric: Metric
    direction: Literal["higher", "lower"]
    """Which way is better."""
    low: float
    """Smallest value; what lies below counts as this."""
    high: float
    """Largest value; what lies above counts as this."""
    margin: float
    """The loss that is accepted: in units of the metric, and as a share for latency, ttft and cost."""
    level: float
    """Probability that the confidence sequence covers the true difference at all looks together."""
    split: Split
    settle_minutes: float
    """How long a unit is watched before it counts."""
    weights: list[float]
    """Shares of the traffic, one after the other."""
    step_units: int
    """How many units are counted at one share before the next."""
    horizon_units: int
    """How many units of both releases decide at the latest; 0: no such end."""
    horizon_minutes: float
    """How long it takes at the latest; 0: no such end."""
    fallback: Literal["rollback", "keep"]
    """What happens at the horizon where nothing was shown."""
    act: bool
    """Whether the verdict moves the deployment, or is told only."""


class ArmSeen(Record):
    """What one release brought."""

    release: str
    units: int
    mean: float | None
    """Mean of the units' values; their geometric mean for latency, ttft and cost."""
    calls: int
    """Units that the error rate is known of."""
    error_rate: float | None


class CanaryLook(Record):
    """What is known at one moment."""

    at: datetime
    weight: float
    """Share of the traffic that the canary had."""
    units: int
    """Units that count, of both releases."""
    pairs: int
    """Differences that the confidence sequence rests on."""
    baseline: ArmSeen
    canary: ArmSeen
    difference: float | None = None
    """Canary minus baseline; a share for latency, ttft and cost: 0.1 is 10 % more."""
    low: float | None = None
    """Lower end of its confidence sequence."""
    high: float | None = None
    """Upper end of its confidence sequence."""
    errors_low: float | None = None
    """Lower end of the sequence of the difference in error rates, watched whatever the metric is."""
    errors_high: float | None = None


class Canary(Record):
    """A canary that is judged by the traffic."""

    id: str
    deployment: str
    environment: str
    baseline: str
    """Exact reference of the release that answers."""
    candidate: str
    """Exact reference of the release that is tried beside it."""
    plan: CanaryPlan
    state: State
    reason: str
    """Why it ended so, with numbers; while it runs, what it waits for."""
    now: CanaryLook
    reach: float | None
    """About the smallest loss that would be seen by the horizon, in the measure of the difference; null where it is
    not known yet."""
    unassigned: int
    """Calls that did not say their user or session, and so do not count."""
    started_at: datetime
    started_by: str
    ended_at: datetime | None
    looks: list[CanaryLook] = []
    """The course of the looks, oldest first; in the answer about one canary only."""


class Progress(Record):
    """What is kept between two looks."""

    metric: dict[str, Any]
    errors: dict[str, Any]
    step: int = 0
    drawn: int = 0
    """Units at the last look that was kept."""
    unassigned: int = 0

    def watches(self) -> tuple[Watch, Watch]:
        """Return the watch of the metric and that of the errors."""
        return _watch(self.metric), _watch(self.errors)


def scaled(plan: CanaryPlan, value: float) -> float:
    """Return a value as it is watched: within its bounds, and its logarithm where it has no natural bound."""
    held = min(max(value, plan.low), plan.high)
    return math.log(held) if plan.metric in LOGARITHMIC else held


def empty(plan: CanaryPlan) -> Progress:
    """Return what is known before the first look."""
    metric = Watch(level=plan.level, low=scaled(plan, plan.low), high=scaled(plan, plan.high))
    watches = metric, Watch(level=plan.level)
    return Progress(metric=asdict(watches[0]), errors=asdict(watches[1]))


def add(tx: Tx, deployment: Deployment, plan: CanaryPlan) -> Canary:
    """Store a canary over the deployment as it was moved for it. Raises Conflict where one runs there."""
    if running(tx, deployment.environment, deployment.name) is not None:
        raise Conflict(
            f"A canary runs on {deployment.name} already.", hint=f"`mainspring canary stop {deployment.name}`."
        )
    row: dict[str, Any] = {
        "id": tx.new_id(),
        "environment": deployment.environment,
        "deployment": deployment.name,
        "baseline": deployment.baseline,
        "candidate": deployment.canary,
        "plan": plan.model_dump(),
        "state": "running",
        "reason": "No unit has been counted yet.",
        "progress": empty(plan).model_dump(),
        "looks": 0,
        "started_at": tx.now,
        "started_by": tx.caller.member,
        "looked_at": tx.now,
        "ended_at": None,
    }
    tx.execute(insert(table).values(project=tx.project, **row))
    return shown(tx, row)


def running(tx: Tx, environment: str, name: str) -> RowMapping | None:
    """Return the row of the canary that runs on a deployment, or None."""
    query = select(table).where(_on(tx, environment, name), table.c.state == "running")
    return tx.execute(query.order_by(table.c.id.desc()).limit(1)).mappings().one_or_none()


def latest(tx: Tx, environment: str, name: str) -> RowMapping:
    """Return the row of a deployment's last canary. Raises NotFound."""
    query = select(table).where(_on(tx, environment, name)).order_by(table.c.id.desc()).limit(1)
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"{name} has had no canary in {environment}.", hint=f"`mainspring canary start {name} …`.")
    return row


def page(tx: Tx, environment: str, name: str, limit: int, cursor: str) -> tuple[list[Canary], str | None]:
    """Return one page of an environment's canaries, or of one deployment's, newest first."""
    query = select(table).where(table.c.project == tx.project, table.c.environment == environment)
    query = query.where(table.c.deployment == name) if name else query
    rows, following = paginate(tx, query, table.c.id, limit, cursor)
    return [shown(tx, row) for row in rows], following


def course(tx: Tx, canary_id: str) -> list[CanaryLook]:
    """Return the looks that were kept, oldest first, at most 2,000."""
    query = select(canary_looks.c.seen).where(canary_looks.c.canary_id == canary_id)
    return [CanaryLook(**seen) for seen in tx.execute(query.order_by(canary_looks.c.number).limit(2000)).scalars()]


def fresh(tx: Tx, canary_id: str, watch: str, units: Sequence[str]) -> set[str]:
    """Return which of some units have not been counted."""
    known: set[str] = set()
    u = canary_units.c
    for start in range(0, len(units), 500):
        some = u.unit.in_(units[start : start + 500])
        known |= set(tx.execute(select(u.unit).where(u.canary_id == canary_id, u.watch == watch, some)).scalars())
    return set(units) - known


def count(tx: Tx, canary_id: str, watch: str, units: Sequence[str]) -> None:
    """Remember that units were counted."""
    if units:
        rows = [{"canary_id": canary_id, "watch": watch, "unit": unit} for unit in units]
        tx.execute(insert(canary_units), rows)


def save(tx: Tx, row: RowMapping, progress: Progress, look: CanaryLook, reason: str) -> bool:
    """Store what a look found; False where the canary was changed since `row` was read, and nothing was stored."""
    if look.units >= progress.drawn * _DENSITY + 1:
        progress = progress.model_copy(update={"drawn": look.units})
        seen = look.model_dump(mode="json")
        tx.execute(insert(canary_looks).values(canary_id=row["id"], number=row["looks"] + 1, at=tx.now, seen=seen))
    same = (table.c.id == row["id"]) & (table.c.state == "running") & (table.c.looks == row["looks"])
    values = {"progress": progress.model_dump(), "looks": row["looks"] + 1, "looked_at": tx.now, "reason": reason}
    return bool(tx.execute(update(table).where(same).values(**values)).rowcount)


def end(tx: Tx, canary_id: str, state: State, reason: str) -> None:
    """End a canary; what it counted is known by its sums, and the units themselves are forgotten."""
    values = {"state": state, "reason": reason, "ended_at": tx.now}
    tx.execute(update(table).where(table.c.id == canary_id).values(**values))
    tx.execute(delete(canary_units).where(canary_units.c.canary_id == canary_id))


def interrupt(tx: Tx, environment: str, name: str, action: str) -> None:
    """End the canary that runs on a deployment because somebody moves it by hand."""
    row = running(tx, environment, name)
    if row is not None:
        end(tx, row["id"], "stopped", f"{tx.caller.member} moved the deployment by hand: {action}.")


def look(row: RowMapping | dict[str, Any], progress: Progress, at: datetime, weight: float) -> CanaryLook:
    """Return what is known as people read it."""
    plan, (metric, errors) = CanaryPlan(**row["plan"]), progress.watches()
    found, failing = metric.interval(), errors.interval()

    def arm(release: str, seen: Arm, failed: Arm) -> ArmSeen:
        mean = seen.mean
        if mean is not None and plan.metric in LOGARITHMIC:
            mean = math.exp(mean)
        return ArmSeen(release=release, units=seen.n, mean=mean, calls=failed.n, error_rate=failed.mean)

    return CanaryLook(
        at=at,
        weight=weight,
        units=metric.baseline.n + metric.candidate.n,
        pairs=metric.n,
        baseline=arm(row["baseline"], metric.baseline, errors.baseline),
        canary=arm(row["candidate"], metric.candidate, errors.candidate),
        difference=readable(plan, found.estimate) if found else None,
        low=readable(plan, found.low) if found else None,
        high=readable(plan, found.high) if found else None,
        errors_low=failing.low if failing else None,
        errors_high=failing.high if failing else None,
    )


def readable(plan: CanaryPlan, difference: float) -> float:
    """Return a difference as people read it: a difference of logarithms as a share."""
    return math.expm1(difference) if plan.metric in LOGARITHMIC else difference


def shown(tx: Tx, row: RowMapping | dict[str, Any]) -> Canary:
    """Return a canary as a record, without its course."""
    plan, progress = CanaryPlan(**row["plan"]), Progress(**row["progress"])
    kept = ("id", "deployment", "environment", "baseline", "candidate", "state", "reason")
    moments = ("started_at", "started_by", "ended_at")
    return Canary(
        **{name: row[name] for name in (*kept, *moments)},
        plan=plan,
        now=look(row, progress, row["looked_at"], plan.weights[progress.step]),
        reach=_reach(plan, progress, row["started_at"], row["ended_at"] or tx.now),
        unassigned=progress.unassigned,
    )


def _reach(plan: CanaryPlan, progress: Progress, started: datetime, now: datetime) -> float | None:
    """Return the smallest loss that would be seen by the horizon at the pace so far."""
    metric, _ = progress.watches()
    units, ends = metric.baseline.n + metric.candidate.n, []
    if units and plan.horizon_units:
        ends.append(metric.n * plan.horizon_units / units)
    if units and plan.horizon_minutes and now > started:
        ends.append(metric.n * (timedelta(minutes=plan.horizon_minutes) / (now - started)))
    found = metric.reach(max(metric.n, int(min(ends)))) if ends else None
    return None if found is None else readable(plan, found)


def _watch(kept: dict[str, Any]) -> Watch:
    arms = ("baseline", "candidate", "open_baseline", "open_candidate")
    return Watch(**{**kept, **{arm: Arm(**kept[arm]) for arm in arms}})


def _on(tx: Tx, environment: str, name: str) -> ColumnElement[bool]:
    return (table.c.project == tx.project) & (table.c.environment == environment) & (table.c.deployment == name)


Margin = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Bound = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
