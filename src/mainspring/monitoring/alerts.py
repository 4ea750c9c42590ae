"""Alerts: opened once, counted while they last, resolved by a person or because it is over."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from mainspring.kernel import events
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.tx import Tx
from mainspring.monitoring import actions, silences
from mainspring.monitoring.channels import announce
from mainspring.monitoring.models import Alert, Finding, Monitor
from mainspring.monitoring.tables import alerts, monitors

_UNTOLD = "silenced"
"""Stands in the detail of an alert of which a silence has kept everybody from being told."""


def settle(tx: Tx, monitor: Monitor, finding: Finding) -> str:
    """Bring a monitor's alert in line with what it found; return the alert's id, or nothing where there is none."""
    live = select(alerts).where(alerts.c.project == tx.project, alerts.c.live == monitor.name)
    row = tx.execute(live).mappings().one_or_none()
    if finding.state == "firing":
        return _again(tx, monitor, row, finding) if row else _open(tx, monitor, finding)
    if row is not None and finding.state == "ok":
        resolve(tx, row["id"], by="system", note=finding.summary, wanted=monitor.channels)
    return str(row["id"]) if row else ""


def get(tx: Tx, alert_id: str) -> Alert:
    """Return an alert. Raises NotFound."""
    mine = (alerts.c.project == tx.project) & (alerts.c.id == alert_id)
    row = tx.execute(select(alerts).where(mine)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no alert {alert_id}.", hint="`mainspring alert list` shows them.")
    return shown(row)


def acknowledge(tx: Tx, alert_id: str, note: str) -> Alert:
    """Note that somebody looks after an alert. Raises NotFound, Conflict for one that is resolved."""
    found = get(tx, alert_id)
    if found.state == "resolved":
        raise Conflict(f"The alert {alert_id} is resolved.")
    values = {"state": "acknowledged", "acknowledged_at": tx.now, "acknowledged_by": tx.caller.member}
    _change(tx, alert_id, **values, note=note or found.note)
    events.emit(tx, "alert.acknowledged", {"alert": alert_id, "monitor": found.monitor})
    taken = get(tx, alert_id)
    announce(tx, "alert.acknowledged", taken, channels_of(tx, alert_id))
    return taken


def resolve(tx: Tx, alert_id: str, *, by: str, note: str, wanted: list[str]) -> Alert:
    """End an alert and say so to the channels. Raises NotFound, Conflict for one that is resolved."""
    found = get(tx, alert_id)
    if found.state == "resolved":
        raise Conflict(f"The alert {alert_id} is resolved.")
    _change(tx, alert_id, state="resolved", live=None, resolved_at=tx.now, resolved_by=by, note=note or found.note)
    ended = get(tx, alert_id)
    events.emit(tx, "alert.resolved", {"alert": alert_id, "monitor": found.monitor})
    announce(tx, "alert.resolved", ended, wanted)
    return ended


def channels_of(tx: Tx, alert_id: str) -> list[str]:
    """Return the channels that the alert's monitor names; empty for all, and where the monitor is gone."""
    named = select(monitors.c.channels).where(
        monitors.c.project == tx.project, monitors.c.name == get(tx, alert_id).monitor
    )
    return list(tx.execute(named).scalar_one_or_none() or [])


def shown(row: RowMapping) -> Alert:
    """Return an alert as a record."""
    return Alert(**{name: row[name] for name in Alert.model_fields})


def _open(tx: Tx, monitor: Monitor, finding: Finding) -> str:
    where = f"{monitor.target or 'all traffic'}" + (f" in {monitor.environment}" if monitor.environment else "")
    values: dict[str, Any] = {
        "id": tx.new_id(),
        "monitor": monitor.name,
        "target": monitor.target,
        "environment": monitor.environment,
        "severity": monitor.severity,
        "state": "open",
        "title": f"{monitor.name}: {monitor.kind.replace('_', ' ')} of {where}"[:300],
        "summary": finding.summary,
        "detail": {**finding.detail, "changes": actions.changes(tx, monitor.target, monitor.environment)},
        "trace_ids": finding.trace_ids,
        "count": 1,
        "first_at": tx.now,
        "last_at": tx.now,
        "acknowledged_at": None,
        "acknowledged_by": "",
        "resolved_at": None,
        "resolved_by": "",
        "note": "",
    }
    try:
        with tx.conn.begin_nested():
            tx.execute(insert(alerts).values(project=tx.project, live=monitor.name, **values))
    except IntegrityError:
        raise Conflict(f"The monitor {monitor.name} ran twice at the same time.", hint="Try again.") from None
    opened = Alert(**values)
    if silences.over(tx, opened):
        _change(tx, opened.id, detail={**opened.detail, _UNTOLD: True})
    payload = {"alert": opened.id, "monitor": monitor.name, "target": monitor.target, "severity": monitor.severity}
    events.emit(tx, "alert.opened", payload)
    announce(tx, "alert.opened", opened, monitor.channels)
    for action in monitor.actions:
        events.emit(tx, actions.TOPIC, {"alert": opened.id, "action": action.model_dump(mode="json")})
    return opened.id


def _again(tx: Tx, monitor: Monitor, row: RowMapping, finding: Finding) -> str:
    """Count an alert that lasts; where a silence kept it from everybody, it is told once the silence is over."""
    kept = {name: row["detail"][name] for name in ("changes", "actions", _UNTOLD) if name in row["detail"]}
    due = _UNTOLD in kept and not silences.over(tx, shown(row))
    if due:
        del kept[_UNTOLD]
    shown_now = {"summary": finding.summary, "detail": {**finding.detail, **kept}, "trace_ids": finding.trace_ids}
    _change(tx, row["id"], count=row["count"] + 1, last_at=tx.now, **shown_now)
    if due and row["state"] == "open":
        announce(tx, "alert.opened", get(tx, row["id"]), monitor.channels)
    return str(row["id"])


def _change(tx: Tx, alert_id: str, **values: Any) -> None:
    mine = (alerts.c.project == tx.project) & (alerts.c.id == alert_id)
    tx.execute(update(alerts).where(mine).values(**values))
