"""The audit log: append-only rows, each chained to the one before by an HMAC over canonical JSON.

    mac(n) = HMAC-SHA256(key, mac(n-1) || canonical(row n without its mac))

A row that is changed, removed or reordered breaks the chain at that point. The head holds the last number under a seal

    seal = HMAC-SHA256(key, "head/" || seq || "/" || mac(seq))

which nobody can write for an earlier row without the key, so that rows cut off the end show. Two things stay hidden
without an anchor outside the database: a log whose two tables were emptied, and one that was cut back to a head that
was copied earlier, from a backup for example.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping, insert, select, update

from mainspring.kernel.records import Record
from mainspring.kernel.tables import audit_head, audit_rows, canonical
from mainspring.kernel.tx import Tx

if TYPE_CHECKING:
    from datetime import datetime

GENESIS = "0" * 64


@dataclass(slots=True)
class Activity:
    """An operation in progress whose row is still to be written."""

    action: str
    target: str
    detail: dict[str, Any] = field(default_factory=dict)
    written: bool = False


_pending: ContextVar[tuple[Activity, ...]] = ContextVar("mainspring_audit_pending", default=())


@contextmanager
def activity(action: str, target: str, detail: dict[str, Any]) -> Iterator[Activity]:
    """Announce an operation: the next transaction that commits within the block carries its row."""
    entry = Activity(action, target, detail)
    token = _pending.set((*_pending.get(), entry))
    try:
        yield entry
    finally:
        _pending.reset(token)


def note(**detail: Any) -> None:
    """Add to the detail of the operation in progress; values must be JSON and must hold no secret."""
    pending = _pending.get()
    if pending:
        pending[-1].detail.update(detail)


def settle(tx: Tx) -> list[Activity]:
    """Write the rows of all operations in progress into `tx`; the caller marks them written after the commit."""
    due = [entry for entry in _pending.get() if not entry.written]
    for entry in due:
        append(tx, entry.action, entry.target, "ok", entry.detail)
    return due


def append(tx: Tx, action: str, target: str, outcome: str, detail: dict[str, Any]) -> None:
    """Append one row to the chain within `tx`. The head row is locked, so appends are one after the other."""
    head = tx.execute(select(audit_head).where(audit_head.c.id == 1).with_for_update()).mappings().one_or_none()
    key = tx.platform.keyring.key("audit")
    seq, previous = (head["seq"] + 1, _last_mac(tx, key, head)) if head else (1, GENESIS)
    row = {
        "seq": seq,
        "at": tx.now,
        "project": tx.project,
        "member": tx.caller.member,
        "key_id": tx.caller.key_id,
        "action": action[:64],
        "target": target[:400],
        "outcome": outcome,
        "detail": detail,
    }
    mac = _mac(key, previous, row)
    seal = _seal(key, seq, mac)
    tx.execute(insert(audit_rows).values(**row, mac=mac))
    if head:
        tx.execute(update(audit_head).where(audit_head.c.id == 1).values(seq=seq, seal=seal))
    else:
        tx.execute(insert(audit_head).values(id=1, seq=seq, seal=seal))


def _last_mac(tx: Tx, key: bytes, head: RowMapping) -> str:
    """Return the mac of the last row; empty where the head does not fit it, so that the break stays in the chain."""
    mac = tx.execute(select(audit_rows.c.mac).where(audit_rows.c.seq == head["seq"])).scalar_one_or_none() or ""
    return mac if hmac.compare_digest(head["seal"], _seal(key, head["seq"], mac)) else ""


def _seal(key: bytes, seq: int, mac: str) -> str:
    return hmac.new(key, f"head/{seq}/{mac}".encode(), hashlib.sha256).hexdigest()


def _mac(key: bytes, previous: str, row: dict[str, Any] | RowMapping) -> str:
    at: datetime = row["at"]
    body = {name: row[name] for name in ("seq", "project", "member", "key_id", "action", "target", "outcome", "detail")}
    body["at"] = at.isoformat(timespec="microseconds")
    return hmac.new(key, previous.encode() + canonical(body).encode(), hashlib.sha256).hexdigest()


class AuditCheck(Record):
    """The outcome of verifying the chain."""

    rows: int
    """Rows that were read."""
    verified: bool
    first_bad: int | None = None
    """Sequence number of the first row that does not fit, or that is missing."""
    reason: str = ""


def verify(tx: Tx) -> AuditCheck:
    """Recompute the whole chain, over all projects, and compare it with the stored one and with its head."""
    key, previous, count = tx.platform.keyring.key("audit"), GENESIS, 0
    for row in tx.execute(select(audit_rows).order_by(audit_rows.c.seq)).mappings():
        count += 1
        if row["seq"] != count:
            return AuditCheck(rows=count, verified=False, first_bad=count, reason=f"row {count} is missing")
        expected = _mac(key, previous, row)
        if not hmac.compare_digest(expected, row["mac"]):
            return AuditCheck(rows=count, verified=False, first_bad=count, reason=f"row {count} was changed")
        previous = row["mac"]
    head = tx.execute(select(audit_head).where(audit_head.c.id == 1)).mappings().one_or_none()
    if not hmac.compare_digest(head["seal"], _seal(key, count, previous)) if head else count:
        return AuditCheck(rows=count, verified=False, first_bad=count + 1, reason="rows were cut off the end")
    return AuditCheck(rows=count, verified=True)


@contextmanager
def outside() -> Iterator[None]:
    """Write a row by itself, with no operation in progress settled along with it."""
    token = _pending.set(())
    try:
        yield
    finally:
        _pending.reset(token)
