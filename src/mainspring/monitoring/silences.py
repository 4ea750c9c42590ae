"""Silences: times in which alerts are opened and kept, but nobody is told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select

from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.tx import Tx
from mainspring.monitoring.models import Alert, Silence
from mainspring.monitoring.tables import silences


def add(tx: Tx, monitor: str, target: str, severity: str, since: datetime, until: datetime, why: str) -> Silence:
    """Store a silence. Raises Invalid for one that ends before it begins, or lies in the past."""
    if until <= max(since, tx.now):
        raise Invalid("The silence ends before it begins, or has ended.", hint="Give a later until.", param="until")
    row: dict[str, Any] = {"id": tx.new_id(), "monitor": monitor, "target": target, "severity": severity, "why": why}
    row |= {"starts_at": since, "ends_at": until, "created_at": tx.now, "created_by": tx.caller.member}
    tx.execute(insert(silences).values(project=tx.project, **row))
    return Silence(**row)


def remove(tx: Tx, silence_id: str) -> Silence:
    """Remove a silence. Raises NotFound."""
    mine = (silences.c.project == tx.project) & (silences.c.id == silence_id)
    row = tx.execute(select(silences).where(mine)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no silence {silence_id}.", hint="`mainspring silence list` shows them.")
    tx.execute(delete(silences).where(mine))
    return Silence(**{name: row[name] for name in Silence.model_fields})


def over(tx: Tx, alert: Alert) -> str:
    """Return the id of a silence that covers an alert now; empty where there is none."""
    now = (silences.c.starts_at <= tx.now) & (silences.c.ends_at > tx.now)
    rows = tx.execute(select(silences).where(silences.c.project == tx.project, now).limit(1000)).mappings()
    facts = {"monitor": alert.monitor, "target": alert.target, "severity": alert.severity}
    for row in rows:
        if all(row[name] in ("", value) for name, value in facts.items()):
            return str(row["id"])
    return ""
