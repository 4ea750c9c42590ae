"""The tables of metering, as the meter and its recovery write them: windows, leases, and hours of usage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, and_, insert, select, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError

from mainspring.kernel import access, events
from mainspring.kernel.platform import Platform
from mainspring.kernel.tx import Tx
from mainspring.serving.metering.models import Allowance, Amounts, Payer
from mainspring.serving.metering.tables import allowances, leases, usage_hours, windows
from mainspring.serving.metering.windows import window_end
from mainspring.workspace.tables import keys

BUDGET_REACHED = "budget.reached"
"""Topic of the event that a budget is spent to 80 % and to 100 %."""
_SHARES = (80, 100)


@dataclass(frozen=True, slots=True)
class Change:
    """How a lease changed: what was spent of it, what was granted beyond it, what was given back."""

    allowance: str
    starts: datetime
    spent: int
    granted: int = 0
    """Positive where a call used more than it had reserved; negative for what is given back."""
    ends: bool = False
    """Whether nothing more will be spent of it."""


def of_project(conn: Connection, project: str) -> list[Allowance]:
    """Return all that is allowed in a project."""
    rows = conn.execute(select(allowances).where(allowances.c.project == project)).mappings()
    return [as_allowance(row) for row in rows]


def rotated(conn: Connection, project: str) -> dict[str, list[str]]:
    """Return for each key that was rotated the keys that came in its place: what it is allowed is theirs, together."""
    query = select(keys.c.id, keys.c.replaced_by).where(keys.c.project == project, keys.c.replaced_by != "")
    following = {row.id: row.replaced_by for row in conn.execute(query)}
    found: dict[str, list[str]] = {}
    for first in following:
        name = first
        while name in following:
            name = following[name]
            found.setdefault(first, []).append(name)
    return found


def as_allowance(row: RowMapping) -> Allowance:
    """Make the record of a row."""
    return Allowance(row["id"], row["scope"], row["name"], row["measure"], row["per"], int(row["amount"]))


def window(conn: Connection, allowance: str, starts: datetime) -> RowMapping:
    """Return a window, made where it is missing; it is locked until the transaction ends."""
    add(conn, windows, {"allowance": allowance, "starts": starts}, {"spent": 0, "leased": 0, "told": 0})
    mine = select(windows).where(windows.c.allowance == allowance, windows.c.starts == starts).with_for_update()
    return conn.execute(mine).mappings().one()


def grant(conn: Connection, meter: str, allowance: str, starts: datetime, amount: int) -> None:
    """Lease so much to a process."""
    add(conn, windows, {"allowance": allowance, "starts": starts}, {"spent": 0, "leased": amount, "told": 0})
    key = {"meter": meter, "allowance": allowance, "starts": starts}
    add(conn, leases, key, {"granted": amount, "spent": 0})


def apply(platform: Platform, conn: Connection, meter: str, changes: Iterable[Change]) -> None:
    """Write how leases changed, and tell whose budget is spent to 80 % or 100 %."""
    for change in sorted(changes, key=lambda change: (change.allowance, change.starts)):
        key = {"allowance": change.allowance, "starts": change.starts}
        leased = change.granted - change.spent
        add(conn, windows, key, {"spent": change.spent, "leased": leased, "told": 0})
        mine = (leases.c.meter == meter) & _is(leases, key)
        if change.ends:
            conn.execute(sql_delete(leases).where(mine))
        else:
            values = {"granted": leases.c.granted + change.granted, "spent": leases.c.spent + change.spent}
            conn.execute(update(leases).where(mine).values(**values))
        if change.spent:
            tell(platform, conn, change.allowance, change.starts)


def tell(platform: Platform, conn: Connection, allowance: str, starts: datetime, *, refused: bool = False) -> None:
    """Emit the event for a budget that is spent to 80 % or 100 %, once for each; a refused call counts as 100 %."""
    row = conn.execute(select(allowances).where(allowances.c.id == allowance)).mappings().one_or_none()
    if row is None or row["measure"] != "money":
        return
    held, budget = window(conn, allowance, starts), as_allowance(row)
    spent = int(held["spent"])
    share = 100 if refused else max((part for part in _SHARES if spent * 100 >= part * budget.amount), default=0)
    if share <= int(held["told"]):
        return
    conn.execute(update(windows).where(_is(windows, {"allowance": allowance, "starts": starts})).values(told=share))
    tx = Tx(platform, conn, access.system(row["project"]), platform.clock.now())
    payload = {
        "budget": budget.id,
        "scope": budget.scope,
        "name": budget.name,
        "per": budget.per,
        "amount": budget.amount / 1e9,
        "spent": spent / 1e9,
        "percent": share,
        "resets_at": window_end(starts, budget.per).isoformat(),
    }
    events.emit(tx, BUDGET_REACHED, payload)


def add_usage(conn: Connection, usage: Mapping[tuple[Payer, str], Amounts]) -> None:
    """Add what calls used to the hours that they began in."""
    for (payer, hour), amounts in sorted(usage.items(), key=lambda item: item[0]):
        named = {name: getattr(payer, name) for name in payer.__struct_fields__}
        key = {**named, "hour": datetime.fromisoformat(hour)}
        add(conn, usage_hours, key, {name: getattr(amounts, name) for name in amounts.__struct_fields__})


def add(conn: Connection, table: Table, key: dict[str, Any], amounts: dict[str, int]) -> None:
    """Add amounts to the row of a key, made where it is missing."""
    values = {name: table.c[name] + amount for name, amount in amounts.items()}
    change = update(table).where(_is(table, key)).values(**values)
    if conn.execute(change).rowcount:
        return
    try:
        with conn.begin_nested():
            conn.execute(insert(table).values(**key, **amounts))
    except IntegrityError:  # another process made it meanwhile
        conn.execute(change)


def _is(table: Table, key: Mapping[str, Any]) -> Any:
    return and_(*(table.c[name] == value for name, value in key.items()))
