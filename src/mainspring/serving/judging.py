"""Judging: at each look, what the traffic says of a canary, and what follows from it.

Whatever a look does stands in one transaction: the units that it counted, the verdict, the move of the deployment, its
reason in history and audit, and the event. So a look that is cut off has not happened, and is made again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import RowMapping, select

from mainspring.kernel import access, audit, events
from mainspring.kernel.errors import Conflict, MainspringError
from mainspring.kernel.platform import Platform
from mainspring.kernel.tx import Tx
from mainspring.serving import canaries, deployments, units
from mainspring.serving.canaries import CanaryLook, CanaryPlan, Progress
from mainspring.serving.deployments import Deployment
from mainspring.serving.tables import canaries as table
from mainspring.serving.units import Scope, Seen
from mainspring.stats import Watch
from mainspring.traces import nanoseconds

_log = logging.getLogger(__name__)
_LATE_SECONDS = 20.0
"""How late a span or a score may become visible and still be seen at the next look."""
_SWEEP = 15
"""Every so many looks the slowest calls that are possible are looked for too."""


class Verdict(NamedTuple):
    """What follows from a look."""

    action: Literal["wait", "step", "promote", "rollback", "keep"]
    reason: str


class Evidence(NamedTuple):
    """What was read since the last look."""

    metric: list[Seen]
    errors: list[Seen]
    unassigned: int


def judge_due(platform: Platform) -> int:
    """Look at every canary that runs, of all projects; return how many. One that fails is looked at again."""
    with access.acting_as(access.system()), platform.read() as tx:
        query = select(table.c.id, table.c.project, table.c.environment).where(table.c.state == "running")
        rows = tx.execute(query.order_by(table.c.looked_at).limit(1000)).mappings().all()
    for row in rows:
        with access.acting_as(access.system(row["project"], row["environment"])):
            try:
                judge(platform, row["id"])
            except Exception:
                _log.exception("the canary %s of %s could not be judged", row["id"], row["project"])
    return len(rows)


def judge(platform: Platform, canary_id: str) -> Verdict | None:
    """Look at a canary once, and do what follows; None where it does not run (any more)."""
    with platform.read() as tx:
        row = tx.execute(select(table).where(table.c.id == canary_id)).mappings().one_or_none()
        now = tx.now
    if row is None or row["state"] != "running":
        return None
    evidence = _read(platform, row, now)
    with platform.begin() as tx:
        deployment = deployments.get(tx, row["environment"], row["deployment"])
        progress = _counted(tx, row, evidence, nanoseconds(now))
        plan = CanaryPlan(**row["plan"])
        look = canaries.look(row, progress, tx.now, deployment.weight)
        verdict = _withdrawn(tx, row) or decide(plan, progress, look, tx.now - row["started_at"])
        if verdict.action == "step":
            progress = progress.model_copy(update={"step": progress.step + 1})
        if not canaries.save(tx, row, progress, look, verdict.reason):
            raise Conflict("The canary was changed at the same time.", hint="The next look sees it as it is.")
        if verdict.action != "wait":
            _follow(tx, row, plan, progress, look, deployment, verdict)
    return verdict


def decide(plan: CanaryPlan, progress: Progress, look: CanaryLook, age: timedelta) -> Verdict:
    """Say what follows from what is known.

    Promoted is what is shown to lose less than the margin, rolled back what is shown to be worse or to fail more often.
    Over all looks together, what loses the margin is promoted with probability (1 - level) / 2 at most, and what is as
    good and fails as rarely is rolled back with 1 - level at most.
    """
    metric, errors = progress.watches()
    numbers = _numbers(plan, look)
    sign = 1.0 if plan.direction == "higher" else -1.0
    ends = _oriented(metric, sign)
    failing = errors.interval()
    if ends is not None and ends[0] > -_margin(plan):
        shown = f"a loss of {_amount(plan, plan.margin)} is ruled out" if plan.margin else "it is better"
        return Verdict("promote", f"Promoted, for {shown}: {numbers}")
    if ends is not None and ends[1] < 0:
        return Verdict("rollback", f"Rolled back, for it is worse: {numbers}")
    if plan.metric != "error" and failing is not None and failing.low > 0:
        more = f"{look.canary.error_rate:.1%} against {look.baseline.error_rate:.1%}"
        sure = f"the difference lies between {failing.low:+.1%} and {failing.high:+.1%}"
        return Verdict("rollback", f"Rolled back, for it fails more often: {more}; {sure}. {numbers}")
    over = _over(plan, look.units, age)
    if over:
        undone = {"rollback": "Rolled back", "keep": "Left as it is"}[plan.fallback]
        return Verdict(plan.fallback, f"{undone}, for nothing was shown {over}: {numbers}")
    if progress.step + 1 < len(plan.weights) and look.units >= plan.step_units * (progress.step + 1):
        share = plan.weights[progress.step + 1]
        return Verdict("step", f"Given {share:.0%} of the traffic, for it is not shown to be worse: {numbers}")
    missing = f" {progress.unassigned:,} calls did not say their {plan.split}, and do not count."
    return Verdict("wait", f"Not decided yet: {numbers}{missing if progress.unassigned else ''}")


def _read(platform: Platform, row: RowMapping, now: datetime) -> Evidence:
    """Return the values that arrived since the last look; what comes late is read again, and counted once."""
    plan = CanaryPlan(**row["plan"])
    releases = (row["baseline"], row["candidate"])
    began = nanoseconds(row["started_at"])
    scope = Scope(row["project"], row["environment"], row["deployment"], releases, row["id"], plan.split, began)
    patience = float(platform.settings["gateway.timeout_seconds"]) if row["looks"] % _SWEEP == 0 else 0.0
    late = patience + _LATE_SECONDS + plan.settle_minutes * 60
    since = max(row["started_at"], units.back(row["looked_at"], late))
    found = units.calls(platform, scope, nanoseconds(since), nanoseconds(now) + 1)
    failures = plan.model_copy(update={"metric": "error"})
    if plan.metric.startswith("score/"):
        seen = units.judged(platform, plan, scope, since)
    else:
        seen = list(units.measured(plan, found))
    recent = nanoseconds(row["looked_at"])
    unassigned = sum(not call.unit and call.at_ns >= recent for call in found)
    return Evidence(seen, list(units.measured(failures, found)), unassigned)


def _counted(tx: Tx, row: RowMapping, evidence: Evidence, now_ns: int) -> Progress:
    """Return what is known with the new units, each counted once and for ever."""
    plan, progress = CanaryPlan(**row["plan"]), Progress(**row["progress"])
    metric, errors = progress.watches()
    failures = plan.model_copy(update={"metric": "error", "low": 0.0, "high": 1.0})

    def more(watch: Watch, name: str, of: CanaryPlan, seen: Iterable[Seen]) -> Watch:
        ready = units.settled(seen, plan, now_ns)
        wanted = canaries.fresh(tx, row["id"], name, [unit.unit for unit in ready])
        ready = [unit for unit in ready if unit.unit in wanted]
        canaries.count(tx, row["id"], name, [unit.unit for unit in ready])
        candidate = row["candidate"]
        return watch.with_units((unit.release == candidate, canaries.scaled(of, unit.value)) for unit in ready)

    return progress.model_copy(
        update={
            "metric": asdict(more(metric, "metric", plan, evidence.metric)),
            "errors": asdict(more(errors, "errors", failures, evidence.errors)),
            "unassigned": progress.unassigned + evidence.unassigned,
        }
    )


def _follow(
    tx: Tx,
    row: RowMapping,
    plan: CanaryPlan,
    progress: Progress,
    look: CanaryLook,
    deployment: Deployment,
    verdict: Verdict,
) -> None:
    """Move the deployment, end the canary, and write why."""
    place, name = row["environment"], row["deployment"]
    if verdict.action == "step":
        weight = plan.weights[progress.step]
        deployments.move(tx, deployment, place, name, "roll", weight=weight, note=verdict.reason)
    elif plan.act and verdict.action == "promote":
        changes: dict[str, Any] = {"canary": "", "weight": 0.0, "split": "", "previous": deployment.baseline}
        promoted = {"baseline": deployment.canary, **changes, "note": verdict.reason}
        deployments.move(tx, deployment, place, name, "promote", **promoted)
    elif plan.act and verdict.action == "rollback":
        removed: dict[str, Any] = {"canary": "", "weight": 0.0, "split": ""}
        deployments.move(tx, deployment, place, name, "rollback", **removed, note=verdict.reason)
    detail = {"canary": row["id"], "candidate": row["candidate"], "acted": plan.act, "reason": verdict.reason}
    audit.append(tx, f"canary.{verdict.action}", f"{place}/{name}", "ok", detail)
    if verdict.action != "step":
        ended: dict[str, canaries.State] = {"promote": "promoted", "rollback": "rolled_back", "keep": "kept"}
        canaries.end(tx, row["id"], ended[verdict.action], verdict.reason)
    payload = {"deployment": name, "environment": place, "action": verdict.action, **detail}
    events.emit(tx, "canary.decided", {**payload, "look": look.model_dump(mode="json")})


def _withdrawn(tx: Tx, row: RowMapping) -> Verdict | None:
    """Return the end of a canary whose release may not be deployed any more."""
    try:
        deployments.deployable(tx, row["candidate"], row["environment"])
    except MainspringError as problem:
        return Verdict("rollback", f"Rolled back, for the release may not be deployed: {problem.message}")
    return None


def _oriented(watch: Watch, sign: float) -> tuple[float, float] | None:
    """Return the ends of the sequence, positive where the canary is better."""
    found = watch.interval()
    if found is None:
        return None
    return (found.low, found.high) if sign > 0 else (-found.high, -found.low)


def _margin(plan: CanaryPlan) -> float:
    """Return the margin as it is watched: a share as the difference of logarithms that it makes."""
    return math.log1p(plan.margin) if plan.metric in canaries.LOGARITHMIC else plan.margin


def _over(plan: CanaryPlan, counted: int, age: timedelta) -> str:
    """Say which horizon was reached; empty where none was."""
    if plan.horizon_units and counted >= plan.horizon_units:
        return f"within {plan.horizon_units:,} units"
    if plan.horizon_minutes and age >= timedelta(minutes=plan.horizon_minutes):
        return f"within {plan.horizon_minutes:g} minutes"
    return ""


def _numbers(plan: CanaryPlan, look: CanaryLook) -> str:
    """Return the numbers of a look in words."""
    if look.difference is None or look.low is None or look.high is None:
        return f"{plan.metric} is known of {look.canary.units:,} and {look.baseline.units:,} units of the two releases."
    means = f"{_value(plan, look.canary.mean)} in {look.canary.units:,} units against "
    means += f"{_value(plan, look.baseline.mean)} in {look.baseline.units:,}"
    ends = f"{_amount(plan, look.low, signed=True)} and {_amount(plan, look.high, signed=True)}"
    return f"{plan.metric} is {means}; with {plan.level:.0%} confidence the difference lies between {ends}."


def _value(plan: CanaryPlan, value: float | None) -> str:
    unit = {"latency": " ms", "ttft": " ms", "cost": " $"}.get(plan.metric, "")
    return f"{value:.1%}" if plan.metric == "error" else f"{value:.4g}{unit}"


def _amount(plan: CanaryPlan, value: float, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    share = plan.metric == "error" or plan.metric in canaries.LOGARITHMIC
    return f"{value:{sign}.1%}" if share else f"{value:{sign}.4g}"
