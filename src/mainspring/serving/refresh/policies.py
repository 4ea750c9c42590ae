"""Policies: when a refresh is due, told once by an event, and what becomes of it.

A refresh that is due or under way keeps its deployment's place, so that there is one at most, whoever looks at the same
time. What was done silences its own evidence: a schedule counts anew, rows and feedback are counted from there, a
score is judged again under the next release, an alert is answered. What failed may be due again after the cool-down.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from mainspring.kernel import access, audit, events, hooks
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import paginate
from mainspring.kernel.tx import Tx
from mainspring.serving import deployments
from mainspring.serving.refresh.conditions import Past, Place, examine, live_since
from mainspring.serving.refresh.models import Refresh, RefreshCheck, RefreshFinding, RefreshPolicy, RefreshTerms, State
from mainspring.serving.refresh.tables import refresh_policies as policies
from mainspring.serving.refresh.tables import refreshes as table

REFRESH_DUE = "deployment.refresh_due"
"""Topic of the event that a refresh is due."""
REFRESH_ENDED = "deployment.refresh_ended"
"""Topic of the event that a refresh was done, failed or was dismissed."""
CHECK_SECONDS = 300.0
_SILENCING = ("done", "dismissed")
_log = logging.getLogger(__name__)


def refresh_due(platform: Platform) -> int:
    """Look at every policy of all projects; return how many refreshes became due. One that fails is looked at again."""
    with access.acting_as(access.system()), platform.read() as tx:
        rows = tx.execute(select(policies).order_by(policies.c.checked_at).limit(10_000)).mappings().all()
    fired = 0
    for row in rows:
        with access.acting_as(access.system(row["project"], row["environment"])):
            try:
                fired += look(platform, row["environment"], row["deployment"]) is not None
            except Exception:
                _log.exception("the refresh policy of %s could not be looked at", row["deployment"])
    return fired


hooks.periodic("refresh", CHECK_SECONDS, refresh_due)


def look(platform: Platform, environment: str, deployment: str) -> Refresh | None:
    """Look at a policy once; return the refresh that became due, or None."""
    found = check(platform, environment, deployment)
    with platform.begin() as tx:
        row = get(tx, environment, deployment)
        late = _expired(tx, row)
        held = found.held_back if found.due else ""
        mine = _is(environment, deployment, tx)
        tx.execute(update(policies).where(mine).values(checked_at=tx.now, held_back=held))
        if late or not found.due or held:
            return None
        return fire(tx, row, found)


def check(platform: Platform, environment: str, deployment: str) -> RefreshCheck:
    """Say what a look would do now. Raises NotFound."""
    with platform.read() as tx:
        row, now = get(tx, environment, deployment), tx.now
        current = deployments.get(tx, environment, deployment)
        terms = RefreshTerms(**row["terms"])
        since = live_since(tx, environment, deployment, current.baseline)
        place = Place(environment, deployment, current.baseline, since)
        past = _past(tx, row, place)
        held = _held_back(tx, row, terms)
    findings = examine(platform, terms, place, past, now)
    if current.state == "paused":
        held = f"{deployment} is paused."
    due = any(finding.met for finding in findings)
    return RefreshCheck(
        deployment=deployment,
        environment=environment,
        release=current.baseline,
        due=due,
        held_back=held,
        findings=findings,
    )


def put(tx: Tx, environment: str, deployment: str, terms: RefreshTerms) -> RefreshPolicy:
    """Store a deployment's policy in the place of the one before."""
    values = {"terms": terms.model_dump(), "changed_at": tx.now, "changed_by": tx.caller.member}
    if not tx.execute(update(policies).where(_is(environment, deployment, tx)).values(**values)).rowcount:
        key = {"project": tx.project, "environment": environment, "deployment": deployment}
        fresh: dict[str, Any] = {"signal": {}, "held_back": "", "checked_at": None}
        tx.execute(insert(policies).values(**key, **values, **fresh))
    return as_policy(get(tx, environment, deployment))


def get(tx: Tx, environment: str, deployment: str) -> RowMapping:
    """Return the row of a policy. Raises NotFound."""
    row = tx.execute(select(policies).where(_is(environment, deployment, tx))).mappings().one_or_none()
    if row is None:
        hint = f"`mainspring refresh set {deployment} …`."
        raise NotFound(f"{deployment} has no refresh policy in {environment}.", hint=hint)
    return row


def as_policy(row: RowMapping) -> RefreshPolicy:
    """Make the record of a policy's row."""
    return RefreshPolicy(**{name: row[name] for name in RefreshPolicy.model_fields})


def find(tx: Tx, refresh_id: str) -> RowMapping:
    """Return the row of a refresh. Raises NotFound."""
    mine = (table.c.project == tx.project) & (table.c.id == refresh_id)
    row = tx.execute(select(table).where(mine)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no refresh {refresh_id}.", hint="`mainspring refresh history` shows them.")
    return row


def page(
    tx: Tx, environment: str, deployment: str, state: State | None, limit: int, cursor: str
) -> tuple[list[Refresh], str | None]:
    """Return one page of refreshes, newest first."""
    query = select(table).where(table.c.project == tx.project, table.c.environment == environment)
    query = query.where(table.c.deployment == deployment) if deployment else query
    query = query.where(table.c.state == state) if state else query
    rows, following = paginate(tx, query, table.c.id, limit, cursor)
    return [as_refresh(row) for row in rows], following


def as_refresh(row: RowMapping | dict[str, Any]) -> Refresh:
    """Make the record of a refresh's row."""
    return Refresh(**{name: row[name] for name in Refresh.model_fields})


def start(tx: Tx, refresh_id: str, note: str) -> Refresh:
    """Note that somebody takes a refresh on. Raises NotFound, Conflict where it is not due (any more)."""
    values = {"state": "started", "started_at": tx.now, "started_by": tx.caller.member, "note": note}
    due = (table.c.project == tx.project) & (table.c.id == refresh_id) & (table.c.state == "due")
    if not tx.execute(update(table).where(due).values(**values)).rowcount:
        raise Conflict(f"The refresh {refresh_id} is {find(tx, refresh_id)['state']}.", hint="Start one that is due.")
    return as_refresh(find(tx, refresh_id))


def end(tx: Tx, refresh_id: str, state: State, outcome: str, note: str) -> Refresh:
    """Note what came of a refresh. Raises NotFound, Conflict for one that has ended."""
    row = find(tx, refresh_id)
    if row["state"] not in ("due", "started"):
        raise Conflict(f"The refresh {refresh_id} is {row['state']} already.")
    values = {"state": state, "live": None, "ended_at": tx.now, "ended_by": tx.caller.member, "outcome": outcome}
    mine = (table.c.id == refresh_id) & table.c.state.in_(["due", "started"])
    if not tx.execute(update(table).where(mine).values(**values, note=note or row["note"])).rowcount:
        raise Conflict(f"The refresh {refresh_id} was changed at the same time.", hint="Look at it again.")
    if state == "failed":
        _rearm(tx, row)
    ended = as_refresh(find(tx, refresh_id))
    events.emit(tx, REFRESH_ENDED, ended.model_dump(mode="json"))
    return ended


@events.on("alert.opened", consumer="serving.refresh")
def note_alert(platform: Platform, payload: dict[str, Any]) -> None:
    """Keep a monitor's alert for the policies that wait for it; the same alert again changes nothing."""
    with platform.begin() as tx:
        rows = tx.execute(select(policies).where(policies.c.project == tx.project)).mappings().all()
        for row in rows:
            if row["terms"].get("drift_monitor") == payload["monitor"] and not row["signal"]:
                signal = {"alert": payload["alert"], "monitor": payload["monitor"], "at": tx.now.isoformat()}
                set_signal(tx, row, signal)


def _past(tx: Tx, row: RowMapping, place: Place) -> Past:
    mine = _of(tx, place.environment, place.deployment)
    last = tx.execute(select(func.max(table.c.id)).where(mine)).scalar_one_or_none()
    base = find(tx, last)["due_at"] if last else row["changed_at"]
    done = select(table).where(mine, table.c.state.in_(_SILENCING)).order_by(table.c.id.desc()).limit(50)
    rows, feedback, score = 0, 0, False
    for ended in tx.execute(done).mappings():
        for finding in ended["findings"]:
            seen, same = finding["evidence"], ended["release"] == place.release
            if finding["kind"] == "volume" and finding["met"]:
                rows = max(rows, int(seen.get("rows", 0)))
            if finding["kind"] == "feedback" and finding["met"] and same:
                feedback = max(feedback, int(seen.get("calls", 0)))
            score = score or (finding["kind"] == "score" and finding["met"] and same)
    return Past(base, rows, feedback, score, row["signal"])


def _held_back(tx: Tx, row: RowMapping, terms: RefreshTerms) -> str:
    """Say why nothing may become due now; empty where it may."""
    mine, now = _of(tx, row["environment"], row["deployment"]), tx.now
    going = under_way(tx, row["environment"], row["deployment"])
    if going is not None:
        return f"The refresh {going.id} is {going.state} since {going.due_at:%Y-%m-%d %H:%M} UTC."
    ended = tx.execute(select(func.max(table.c.ended_at)).where(mine)).scalar_one_or_none()
    rests = ended + timedelta(hours=terms.cooldown_hours) if ended else None
    if rests is not None and now < rests:
        return f"It rests until {rests:%Y-%m-%d %H:%M} UTC after the last one."
    if terms.quiet_hours and _is_quiet(terms.quiet_hours, now):
        return f"The hours {terms.quiet_hours} UTC are quiet."
    week = select(func.count()).select_from(table).where(mine, table.c.due_at > now - timedelta(days=7))
    if int(tx.execute(week).scalar_one()) >= terms.max_per_week:
        return f"{terms.max_per_week} were due within seven days."
    return ""


def _is_quiet(hours: str, now: datetime) -> bool:
    first, last = (int(part) for part in hours.split("-"))
    return first <= now.hour < last if first <= last else now.hour >= first or now.hour < last


def _expired(tx: Tx, row: RowMapping) -> bool:
    """Count a refresh as failed whose end nobody reported for too long; True where there was one."""
    patience = timedelta(hours=RefreshTerms(**row["terms"]).patience_hours)
    mine = _of(tx, row["environment"], row["deployment"]) & table.c.live.is_not(None)
    found = tx.execute(select(table).where(mine)).mappings().one_or_none()
    if found is None or not patience or tx.now < (found["started_at"] or found["due_at"]) + patience:
        return False
    hours = patience.total_seconds() / 3600
    end(tx, found["id"], "failed", "", f"Nobody reported its end within {hours:g} hours.")
    return True


def fire(tx: Tx, row: RowMapping, found: RefreshCheck) -> Refresh | None:
    """Make a refresh due and say so; None where another look was first."""
    terms = RefreshTerms(**row["terms"])
    met = [finding for finding in found.findings if finding.met]
    values: dict[str, Any] = {
        "id": tx.new_id(),
        "environment": row["environment"],
        "deployment": row["deployment"],
        "state": "dry run" if terms.dry_run else "due",
        "release": found.release,
        "reason": " ".join(finding.summary for finding in met),
        "findings": [finding.model_dump() for finding in found.findings],
        "dry_run": terms.dry_run,
        "due_at": tx.now,
        "started_at": None,
        "started_by": "",
        "ended_at": tx.now if terms.dry_run else None,
        "ended_by": "",
        "outcome": "",
        "note": "",
    }
    live = None if terms.dry_run else row["deployment"]
    try:
        with tx.conn.begin_nested():
            tx.execute(insert(table).values(project=tx.project, live=live, **values))
    except IntegrityError:
        return None
    if any(finding.kind in ("drift", "alert") for finding in met):
        set_signal(tx, row, {})
    due = as_refresh(values)
    detail = {"refresh": due.id, "release": due.release, "reason": due.reason, "dry_run": due.dry_run}
    audit.append(tx, "refresh.due", f"{due.environment}/{due.deployment}", "ok", detail)
    if not terms.dry_run:
        events.emit(tx, REFRESH_DUE, due.model_dump(mode="json"))
    return due


def _rearm(tx: Tx, ended: RowMapping) -> None:
    """Give back to the policy the alert that a failed refresh was to answer."""
    for finding in map(RefreshFinding.model_validate, ended["findings"]):
        if finding.kind == "drift" and finding.met:
            mine = select(policies).where(_is(ended["environment"], ended["deployment"], tx))
            row = tx.execute(mine).mappings().one_or_none()
            if row is not None and not row["signal"]:
                set_signal(tx, row, finding.evidence)


def set_signal(tx: Tx, row: RowMapping, signal: dict[str, Any]) -> None:
    """Keep the alert that a policy is to answer, or none."""
    tx.execute(update(policies).where(_is(row["environment"], row["deployment"], tx)).values(signal=signal))


def _is(environment: str, deployment: str, tx: Tx) -> ColumnElement[bool]:
    p = policies.c
    return (p.project == tx.project) & (p.environment == environment) & (p.deployment == deployment)


def under_way(tx: Tx, environment: str, deployment: str) -> Refresh | None:
    """Return the refresh of a deployment that is due or started, or None."""
    mine = _of(tx, environment, deployment) & table.c.live.is_not(None)
    row = tx.execute(select(table).where(mine)).mappings().one_or_none()
    return as_refresh(row) if row else None


def latest(tx: Tx, environment: str, deployment: str, limit: int) -> list[Refresh]:
    """Return a deployment's last refreshes, newest first."""
    query = select(table).where(_of(tx, environment, deployment)).order_by(table.c.id.desc()).limit(limit)
    return [as_refresh(row) for row in tx.execute(query).mappings()]


def _of(tx: Tx, environment: str, deployment: str) -> ColumnElement[bool]:
    t = table.c
    return (t.project == tx.project) & (t.environment == environment) & (t.deployment == deployment)
