"""The audit log: append-only rows, each chained to the one before by an HMAC over canonical JSON.

    mac(n) = HMAC-SHA256(key, mac(n-1) || canonical(row n without its mac))

A row that is changed, removed or reordered breaks the chain at that point. The head holds the last number under a seal

    seal = HMAC-SHA256(key, "head/" || seq || "/" || mac(seq))

which nobody can write for an earlier row without the key, so that rows cut off the end show. The last head stands in a
file outside the database too, see `mainspring.kernel.anchor`: so a log shows whose tables were emptied, or set back to
a head that was copied earlier. Where a backup was brought back, a row says so.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from mainspring.kernel import anchor as anchors
from mainspring.kernel.anchor import Head
from mainspring.kernel.records import Record
from mainspring.kernel.tables import audit_head, audit_rows, canonical
from mainspring.kernel.tx import Tx

if TYPE_CHECKING:
    from datetime import datetime

    from mainspring.kernel.platform import Platform

_log = logging.getLogger(__name__)
GENESIS = "0" * 64
RESTORED = "backup.restore"
"""The action of the row that says that a backup was brought back."""


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
    seq, previous = (head["seq"] + 1, _last_mac(tx, key, head)) if head else _headless(tx)
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
    if not tx.heads:
        tx.heads.append(Head(head["seq"], head["seal"]) if head else Head(0, ""))
    tx.heads.append(Head(seq, seal))


def follow(tx: Tx) -> None:
    """Move the anchor to the last head of a transaction that has committed.

    What cannot be written is logged, and made good with the next row: the rows themselves are safe.
    """
    if not tx.heads:
        return
    platform, (before, *_, last) = tx.platform, tx.heads
    try:
        anchors.advance(platform.home, last, lambda known: known == before or _stands(platform, known))
    except (OSError, SQLAlchemyError) as error:
        _log.warning("the anchor of the audit log could not be moved to row %d: %s", last.seq, error)


def _stands(platform: Platform, known: Head) -> bool:
    with platform.records.read() as conn:
        mac = conn.execute(select(audit_rows.c.mac).where(audit_rows.c.seq == known.seq)).scalar_one_or_none()
    return hmac.compare_digest(known.seal, _seal(platform.keyring.key("audit"), known.seq, mac or ""))


def _headless(tx: Tx) -> tuple[int, str]:
    """Return where a log without a head goes on: at its beginning, or after its last row with a break in the chain."""
    last = tx.execute(select(func.max(audit_rows.c.seq))).scalar_one()
    return (1, GENESIS) if last is None else (last + 1, "")


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
    anchor: int | None = None
    """The last row that the file outside the database knows of; null where there is no such file."""
    restores: list[str] = []
    """When the log was set back by bringing back a backup, and what it had before."""


def verify(tx: Tx, anchor: Head | None = None) -> AuditCheck:
    """Recompute the whole chain, over all projects, and compare it with the stored one, its head and the anchor.

    The anchor has to be read before the transaction began: rows written in between are newer than it.
    """
    key, previous, count = tx.platform.keyring.key("audit"), GENESIS, 0
    restores: list[str] = []
    kept: dict[str, Any] = {"anchor": anchor.seq if anchor else None, "restores": restores}

    def bad(seq: int, reason: str) -> AuditCheck:
        return AuditCheck(rows=count, verified=False, first_bad=seq, reason=reason, **kept)

    for row in tx.execute(select(audit_rows).order_by(audit_rows.c.seq)).mappings():
        count += 1
        if row["seq"] != count:
            return bad(count, f"row {count} is missing")
        if not hmac.compare_digest(_mac(key, previous, row), row["mac"]):
            if hmac.compare_digest(_mac(key, "", row), row["mac"]):
                return bad(count, f"the log was changed before row {count} was written")
            return bad(count, f"row {count} was changed")
        previous = row["mac"]
        if anchor is not None and anchor.seq == count and anchor.seal != _seal(key, count, previous):
            return bad(count, f"row {count} is not the one that the anchor outside the database knows")
        if row["action"] == RESTORED:
            restores[:-99] = []
            restores.append(f"Row {count}, {row['at'].isoformat(timespec='seconds')}: {row['target']}"[:500])
    head = tx.execute(select(audit_head).where(audit_head.c.id == 1)).mappings().one_or_none()
    if not hmac.compare_digest(head["seal"], _seal(key, count, previous)) if head else count:
        return bad(count + 1, "rows were cut off the end" if head else "the head is missing: rows may be, too")
    if anchor is not None and anchor.seq > count:
        lost = "rows are gone, or the database was set back"
        return bad(count + 1, f"the log ends at row {count}, and row {anchor.seq} was written: {lost}")
    return AuditCheck(rows=count, verified=True, **kept)


def restored(platform: Platform, of: datetime) -> None:
    """Say in the log that a backup of the moment `of` was brought back, and let the anchor begin there."""
    before = anchors.read(platform.home)
    with platform.records.read() as conn:
        head = conn.execute(select(audit_head).where(audit_head.c.id == 1)).mappings().one_or_none()
    anchors.set_back(platform.home, Head(head["seq"], head["seal"]) if head else None)
    last = f"; row {before.seq} was the last one before" if before else ""
    with platform.begin() as tx:
        append(tx, RESTORED, f"the backup of {of.isoformat(timespec='seconds')} was brought back{last}", "ok", {})


@contextmanager
def outside() -> Iterator[None]:
    """Write a row by itself, with no operation in progress settled along with it."""
    token = _pending.set(())
    try:
        yield
    finally:
        _pending.reset(token)
