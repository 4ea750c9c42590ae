"""Aliases (labels): names that move from version to version, with append-only history."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, insert, select

from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.records import Record, paginate
from mainspring.kernel.refs import check_name
from mainspring.kernel.tables import alias_moves as table
from mainspring.kernel.tables import versions as version_table
from mainspring.kernel.tx import Tx


class AliasMove(Record):
    """One move of an alias; `number` is null where it was taken away."""

    name: str
    alias: str
    number: int | None
    moved_at: datetime
    moved_by: str
    note: str


def move(tx: Tx, kind: str, name: str, alias: str, number: int | None, *, note: str = "") -> AliasMove:
    """Point an alias at a version, or at none. Raises Invalid for a bad alias, NotFound for an unknown version."""
    check_name(alias)
    if alias.isdigit() or alias == "latest":
        raise Invalid(f"'{alias}' cannot be an alias.", hint="Numbers and 'latest' have a meaning of their own.")
    if number is not None:
        v = version_table.c
        query = select(v.id).where(v.project == tx.project, v.kind == kind, v.name == name, v.number == number)
        if tx.execute(query).one_or_none() is None:
            raise NotFound(f"There is no {kind}/{name}@{number}.", hint=f"`mainspring {kind} versions {name}` lists.")
    made = AliasMove(name=name, alias=alias, number=number, moved_at=tx.now, moved_by=tx.caller.member, note=note)
    tx.execute(insert(table).values(id=tx.new_id(), project=tx.project, kind=kind, **made.model_dump()))
    return made


def current(tx: Tx, kind: str, name: str) -> dict[str, int]:
    """Return the version number that each alias of a name points at now."""
    mine = (table.c.project == tx.project) & (table.c.kind == kind) & (table.c.name == name)
    last = select(func.max(table.c.id)).where(mine).group_by(table.c.alias)
    rows = tx.execute(select(table.c.alias, table.c.number).where(mine, table.c.id.in_(last))).mappings()
    return {row["alias"]: row["number"] for row in rows if row["number"] is not None}


def history(
    tx: Tx, kind: str, name: str, alias: str | None = None, limit: int = 100, cursor: str = ""
) -> tuple[list[AliasMove], str | None]:
    """Return one page of the moves of a name's aliases, or of one of them, newest first."""
    query = select(table).where(table.c.project == tx.project, table.c.kind == kind, table.c.name == name)
    if alias is not None:
        query = query.where(table.c.alias == alias)
    rows, following = paginate(tx, query, table.c.id, limit, cursor)
    return [AliasMove(**{field: row[field] for field in AliasMove.model_fields}) for row in rows], following


def at(tx: Tx, kind: str, name: str, alias: str, moment: datetime) -> AliasMove | None:
    """Return the move that was in force at a moment: what was live at 14:03 last Tuesday, and who moved it."""
    mine = (table.c.project == tx.project) & (table.c.kind == kind) & (table.c.name == name)
    query = select(table).where(mine, table.c.alias == alias, table.c.moved_at <= moment)
    row = tx.execute(query.order_by(table.c.id.desc()).limit(1)).mappings().one_or_none()
    return AliasMove(**{field: row[field] for field in AliasMove.model_fields}) if row else None
