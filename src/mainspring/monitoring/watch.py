"""Watching: monitors as rows, and what happens when one is looked at."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from mainspring.kernel import access
from mainspring.kernel.errors import Conflict, MainspringError, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.tx import Tx
from mainspring.monitoring import alerts, checks
from mainspring.monitoring.models import Finding, Monitor, MonitorResult, SetAction
from mainspring.monitoring.tables import monitor_results, monitors

_log = logging.getLogger(__name__)
_KEPT = timedelta(days=90)
"""How long what a monitor found is kept; its alerts stay."""
_FEW = 10


def add(tx: Tx, values: dict[str, Any]) -> Monitor:
    """Store a monitor, due at once. Raises Conflict where the name is taken, Invalid for settings it cannot have."""
    checked = checks.settings_of(values["kind"], values["settings"]).model_dump(mode="json")
    row = {**values, "settings": checked, "due_at": tx.now, "created_at": tx.now, "created_by": tx.caller.member}
    try:
        with tx.conn.begin_nested():
            tx.execute(insert(monitors).values(id=tx.new_id(), project=tx.project, **row))
    except IntegrityError:
        raise Conflict(
            f"There is a monitor {values['name']} already.", hint="Change it, or take another name."
        ) from None
    return find(tx, values["name"])


def draft(
    kind: str, target: str, environment: str, settings: dict[str, Any], every_minutes: int, window_minutes: int
) -> Monitor:
    """Return a monitor that is stored nowhere. Raises Invalid for settings it cannot have."""
    never = datetime.min.replace(tzinfo=UTC)
    checked = checks.settings_of(kind, settings).model_dump(mode="json")
    return Monitor(
        name="",
        kind=kind,
        target=target,
        environment=environment,
        settings=checked,
        every_minutes=every_minutes,
        window_minutes=window_minutes,
        severity="info",
        channels=[],
        actions=[],
        enabled=False,
        due_at=never,
        created_at=never,
        created_by="",
    )


def find(tx: Tx, name: str) -> Monitor:
    """Return a monitor with its last result. Raises NotFound."""
    mine = (monitors.c.project == tx.project) & (monitors.c.name == name)
    row = tx.execute(select(monitors).where(mine)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no monitor {name}.", hint="`mainspring monitor list` shows them.")
    return shown(tx, row)


def shown(tx: Tx, row: RowMapping) -> Monitor:
    """Return a monitor as a record."""
    last = results(tx, row["name"], 1)
    fields = {name: row[name] for name in Monitor.model_fields if name not in ("last", "actions")}
    whoever = {"set_by": row["created_by"], "set_with": "", "set_at": row["created_at"]}  # set before that was kept
    actions = [SetAction(**{**whoever, **action}) for action in row["actions"]]
    return Monitor(**fields, actions=actions, last=last[0] if last else None)


def results(tx: Tx, name: str, limit: int) -> list[MonitorResult]:
    """Return a monitor's last results, newest first."""
    mine = (monitor_results.c.project == tx.project) & (monitor_results.c.monitor == name)
    rows = tx.execute(select(monitor_results).where(mine).order_by(monitor_results.c.id.desc()).limit(limit))
    return [MonitorResult(**{field: row[field] for field in MonitorResult.model_fields}) for row in rows.mappings()]


def change(tx: Tx, name: str, values: dict[str, Any]) -> Monitor:
    """Change a monitor. Raises NotFound, Invalid."""
    before = find(tx, name)
    if "settings" in values:
        values["settings"] = checks.settings_of(before.kind, values["settings"]).model_dump(mode="json")
    mine = (monitors.c.project == tx.project) & (monitors.c.name == name)
    tx.execute(update(monitors).where(mine).values(**values, due_at=tx.now))
    return find(tx, name)


def remove(tx: Tx, name: str) -> None:
    """Remove a monitor and its results; its alerts stay, the live one resolved. Raises NotFound."""
    monitor = find(tx, name)
    over = Finding(state="ok", value=None, threshold=None, n=0, summary="The monitor was deleted.")
    alerts.settle(tx, monitor, over)
    for table in (monitors, monitor_results):
        column = monitors.c.name if table is monitors else monitor_results.c.monitor
        tx.execute(delete(table).where(table.c.project == tx.project, column == name))


def run(platform: Platform, monitor: Monitor) -> MonitorResult:
    """Look, record what was found, and open, keep or resolve the monitor's alert."""
    finding = checks.look(platform, monitor)
    with platform.begin() as tx:
        alert_id = alerts.settle(tx, monitor, finding)
        result = MonitorResult(**finding.model_dump(), monitor=monitor.name, at=tx.now, alert_id=alert_id)
        _record(tx, monitor, result.model_dump())
    return result


def run_due(platform: Platform) -> int:
    """Look at every monitor that is due, of all projects; return how many. One that fails says so in its result."""
    with access.acting_as(access.system()), platform.read() as tx:
        due = select(monitors.c.project, monitors.c.name).where(monitors.c.enabled, monitors.c.due_at <= tx.now)
        waiting = tx.execute(due.order_by(monitors.c.due_at).limit(100)).mappings().all()
    for row in waiting:
        with access.acting_as(access.system(row["project"])):
            with platform.read() as tx:
                monitor = find(tx, row["name"])
            try:
                run(platform, monitor)
            except Exception as error:
                if not isinstance(error, MainspringError):
                    _log.exception("the monitor %s of %s failed", monitor.name, row["project"])
                _failed(platform, monitor, str(error) or type(error).__name__)
    return len(waiting)


def _failed(platform: Platform, monitor: Monitor, problem: str) -> None:
    """Record that a monitor could not look; it tries again at its next turn."""
    values: dict[str, Any] = {
        "state": "insufficient",
        "value": None,
        "threshold": None,
        "n": 0,
        "detail": {},
        "trace_ids": [],
    }
    with platform.begin() as tx:
        row = {**values, "monitor": monitor.name, "at": tx.now, "summary": problem[:2000], "alert_id": ""}
        _record(tx, monitor, row)


def _record(tx: Tx, monitor: Monitor, row: dict[str, Any]) -> None:
    """Keep a result, set the next turn, and let go of a few results that are old."""
    tx.execute(insert(monitor_results).values(id=tx.new_id(), project=tx.project, **row))
    mine = (monitors.c.project == tx.project) & (monitors.c.name == monitor.name)
    tx.execute(update(monitors).where(mine).values(due_at=tx.now + timedelta(minutes=monitor.every_minutes)))
    r = monitor_results.c
    first = select(r.id, r.at).where(r.project == tx.project, r.monitor == monitor.name).order_by(r.id).limit(_FEW)
    old = [one.id for one in tx.execute(first) if one.at < tx.now - _KEPT]
    if old:
        tx.execute(delete(monitor_results).where(r.id.in_(old)))
