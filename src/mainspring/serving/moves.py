"""Moves: what stands under a name in an environment, kept append-only; how it is now is its latest move.

What calls look up is remembered for a few seconds, and forgotten at once where this process writes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from mainspring.kernel import events
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Record, paginate
from mainspring.kernel.tables import Json, UtcTime, metadata
from mainspring.kernel.tx import Tx

Change = Literal["create", "update", "delete"]
MOST = 1000
"""Names in one environment."""
_SECONDS = 2.0
_MOVE = {"name", "environment", "revision", "action", "moved_at", "moved_by", "note"}


class Move(Record):
    """What one move made of a name; the rest of the record is what stands under it."""

    name: str
    environment: str
    revision: int
    """Counts the moves, from 1."""
    action: Change
    """The move that made it so."""
    moved_at: datetime
    moved_by: str
    note: str


M = TypeVar("M", bound=Move)
_Known = dict[tuple[str, str], tuple[float, int, dict[str, M]]]


def table_of(name: str) -> Table:
    """Return the table of one kind of moves."""
    return Table(
        name,
        metadata,
        Column("id", String(36), primary_key=True),
        Column("project", String(128), nullable=False),
        Column("environment", String(128), nullable=False),
        Column("name", String(128), nullable=False),
        Column("revision", Integer, nullable=False),
        Column("action", String(16), nullable=False),
        Column("content", Json, nullable=False),
        Column("moved_at", UtcTime, nullable=False),
        Column("moved_by", String(128), nullable=False),
        Column("note", Text, nullable=False),
        UniqueConstraint("project", "environment", "name", "revision"),
    )


class Moves(Generic[M]):
    """The moves of one kind: `noun` names it in messages and events."""

    def __init__(self, table: Table, record: type[M], noun: str) -> None:
        self._table = table
        self._record = record
        self._noun = noun
        self._known: WeakKeyDictionary[Platform, _Known[M]] = WeakKeyDictionary()

    def find(self, tx: Tx, environment: str, name: str) -> M | None:
        """Return what stands under a name now, or None."""
        query = select(self._table).where(self._of(tx, environment, name))
        row = tx.execute(query.order_by(self._table.c.revision.desc()).limit(1)).mappings().one_or_none()
        return self._shown(row) if row is not None and row["action"] != "delete" else None

    def get(self, tx: Tx, environment: str, name: str) -> M:
        """Return what stands under a name now. Raises NotFound."""
        found = self.find(tx, environment, name)
        if found is None:
            hint = f"`mainspring {self._noun} list` shows them."
            raise NotFound(f"There is no {self._noun} {name} in {environment}.", hint=hint)
        return found

    def page(self, tx: Tx, environment: str, limit: int, cursor: str = "") -> tuple[list[M], str | None]:
        """Return one page of an environment's names as they are now, in order."""
        query = self._latest(tx, environment).where(self._table.c.action != "delete")
        rows, following = paginate(tx, query, self._table.c.name, limit, cursor, newest=False)
        return [self._shown(row) for row in rows], following

    def history(self, tx: Tx, environment: str, name: str, limit: int, cursor: str) -> tuple[list[M], str | None]:
        """Return one page of the moves of a name, newest first. Raises NotFound for a name that never was."""
        query = select(self._table).where(self._of(tx, environment, name))
        rows, following = paginate(tx, query, self._table.c.id, limit, cursor)
        if not rows and not cursor:
            self.get(tx, environment, name)
        return [self._shown(row) for row in rows], following

    def append(self, tx: Tx, environment: str, name: str, action: Change, content: Mapping[str, Any], note: str) -> M:
        """Append a move, and say so to who listens. Raises Conflict where another came first, or for too many names."""
        query = select(func.max(self._table.c.revision)).where(self._of(tx, environment, name))
        last = int(tx.execute(query).scalar_one() or 0)
        if action == "create" and len(self.page(tx, environment, MOST)[0]) >= MOST:
            raise Conflict(f"{environment} has {MOST} of them already.", hint=f"`mainspring {self._noun} delete` some.")
        facts = {"name": name, "environment": environment, "revision": last + 1, "action": action, "note": note}
        moved = {**facts, "moved_at": tx.now, "moved_by": tx.caller.member}
        made = self._record(**{**content, **moved})
        kept = made.model_dump(mode="json", exclude=_MOVE)
        try:
            with tx.conn.begin_nested():
                tx.execute(insert(self._table).values(id=tx.new_id(), project=tx.project, content=kept, **moved))
        except IntegrityError:
            problem = f"The {self._noun} {name} was changed at the same time."
            raise Conflict(problem, hint="Look, and try again.") from None
        events.emit(tx, f"{self._noun}.moved", {"name": name, "environment": environment, "action": action})
        return made

    def known(self, tx: Tx, environment: str) -> Mapping[str, M]:
        """Return an environment's names as they were a few seconds ago at most."""
        known = self._known.setdefault(tx.platform, {})
        held = known.get((tx.project, environment))
        writes, until = tx.platform.writes, time.monotonic() + _SECONDS
        if held is None or held[0] < time.monotonic() or held[1] != writes:
            rows = tx.execute(self._latest(tx, environment)).mappings()
            found = {row["name"]: self._shown(row) for row in rows if row["action"] != "delete"}
            held = known[tx.project, environment] = (until, writes, found)
        return held[2]

    def _latest(self, tx: Tx, environment: str) -> Any:
        columns = self._table.c
        mine = (columns.project == tx.project) & (columns.environment == environment)
        last = select(columns.name.label("n"), func.max(columns.revision).label("m")).where(mine)
        sub = last.group_by(columns.name).subquery()
        joined = select(self._table).join(sub, (columns.name == sub.c.n) & (columns.revision == sub.c.m))
        return joined.where(mine)

    def _of(self, tx: Tx, environment: str, name: str) -> ColumnElement[bool]:
        columns = self._table.c
        mine = (columns.project == tx.project) & (columns.environment == environment) & (columns.name == name)
        found: ColumnElement[bool] = mine
        return found

    def _shown(self, row: Any) -> M:
        return self._record(**row["content"], **{field: row[field] for field in _MOVE})
