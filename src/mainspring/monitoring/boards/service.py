"""Operations of boards."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field
from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, paginate
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.monitoring.boards import built_in, erasing
from mainspring.monitoring.boards.figures import Asked, figures, step_for
from mainspring.monitoring.boards.measures import KINDS, info
from mainspring.monitoring.boards.models import (
    Board,
    By,
    Figures,
    Measure,
    MeasureInfo,
    Panel,
    Panels,
    Title,
    Where,
    Word,
)
from mainspring.monitoring.boards.tables import boards
from mainspring.monitoring.sample import Traffic
from mainspring.traces.models import aware

Step = Annotated[float, Field(ge=0.1, le=44_640)]
Groups = Annotated[int, Field(ge=1, le=20)]
_LONGEST = timedelta(days=400)
_REGISTERED = (erasing,)
"""Modules whose import registers hooks."""


class Boards(Service):
    """Boards of figures."""

    noun = "board"

    @operation("GET /boards/measures", permission="board.read")
    def measures(self) -> list[MeasureInfo]:
        """List what a panel may show; besides these, `score/NAME` and `score/NAME=LABEL`."""
        return [kind.info for kind in KINDS.values()]

    @operation("GET /boards/figures", permission="board.read", mcp=True)
    def figures(
        self, measure: Measure, *, by: By = "", since: datetime | None = None, until: datetime | None = None,
        step_minutes: Step | None = None, groups: Groups = 8, compare: bool = False, environment: Word = "",
        deployment: Word = "", release: Word = "", model: Word = "", prompt: Word = "", user: Word = "",
        service: Word = "", kind: Word = "", traffic: Traffic = "live",
    ) -> Figures:  # fmt: skip
        """Measure the model calls of the last 24 hours, or the time given, over time and by group.

        The groups with most calls are kept apart, the rest is one. `compare` adds the time before, as long as this
        one. Of a call that client and gateway both report one counts. Experiments, playground, load tests, shadows
        and red teaming count where `environment` or `service` names them, or with `traffic` all.
        """
        end = aware(until) or self.platform.clock.now()
        begin = aware(since) or end - timedelta(days=1)
        if begin >= end or end - begin > _LONGEST:
            raise Invalid("The time ends before it begins, or is longer than 400 days.", param="since")
        where = Where(
            environment=environment, deployment=deployment, release=release, model=model, prompt=prompt, user=user,
            service=service, kind=kind, traffic=traffic,
        )  # fmt: skip
        step = step_minutes or step_for(begin, end)
        return figures(self.platform, self.caller.project, Asked(measure, by, where, begin, end, step, groups, compare))

    @operation("GET /boards", permission="board.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Board]:
        """List the project's boards by name, after those that come with the product."""
        with self.read() as tx:
            query = select(boards).where(boards.c.project == tx.project)
            rows, following = paginate(tx, query, boards.c.name, limit, cursor, newest=False)
            changed = set(tx.execute(select(boards.c.name).where(boards.c.project == tx.project)).scalars())
        ready = [] if cursor else [board for board in built_in.BOARDS.values() if board.name not in changed]
        return Page[Board](items=[*ready, *(_shown(row) for row in rows)], next_cursor=following)

    @operation("GET /boards/{name}", permission="board.read", mcp=True)
    def get(self, name: Name) -> Board:
        """Return a board with its panels."""
        with self.read() as tx:
            row = _row(tx, name)
        if row is None and name not in built_in.BOARDS:
            raise NotFound(f"There is no board {name}.", hint="`mainspring board list` shows them.")
        return _shown(row) if row else built_in.BOARDS[name]

    @operation("POST /boards", permission="board.write", status=201)
    def create(self, name: Name, panels: Panels, *, title: Title | None = None) -> Board:
        """Make a board for everybody in the project."""
        if name in ("measures", "figures"):
            raise Invalid(f"A board cannot be called {name}.", hint="Take another name.", param="name")
        _check(panels)
        with self.begin() as tx:
            row = {
                "id": tx.new_id(), "project": tx.project, "name": name, "title": title or name,
                "panels": [panel.model_dump(mode="json") for panel in panels], "created_at": tx.now,
                "created_by": tx.caller.member, "changed_at": tx.now, "changed_by": tx.caller.member,
            }  # fmt: skip
            try:
                with tx.conn.begin_nested():
                    tx.execute(insert(boards).values(**row))
            except IntegrityError:
                raise Conflict(f"There is a board {name} already.", hint="Change it, or take another name.") from None
            return _found(tx, name)

    @operation("PATCH /boards/{name}", permission="board.write")
    def update(self, name: Name, *, panels: Panels | None = None, title: Title | None = None) -> Board:
        """Change a board's panels or its title; one that comes with the product is kept for the project from then."""
        _check(panels or [])
        with self.begin() as tx:
            held = _row(tx, name)
            if held is None:
                if name not in built_in.BOARDS:
                    raise NotFound(f"There is no board {name}.", hint="`mainspring board list` shows them.")
                ready = built_in.BOARDS[name]
                return self.create(name, panels or ready.panels, title=title or ready.title)
            values = {"changed_at": tx.now, "changed_by": tx.caller.member}
            values |= {} if panels is None else {"panels": [panel.model_dump(mode="json") for panel in panels]}
            values |= {} if title is None else {"title": title}
            tx.execute(update(boards).where(boards.c.id == held["id"]).values(**values))
            return _found(tx, name)

    @operation("DELETE /boards/{name}", permission="board.write")
    def delete(self, name: Name) -> Board:
        """Delete a board; one that comes with the product is as it was made again."""
        with self.begin() as tx:
            gone = _found(tx, name)
            tx.execute(delete(boards).where(boards.c.project == tx.project, boards.c.name == name))
        return gone


def _check(panels: list[Panel]) -> None:
    for panel in panels:
        info(panel.measure)


def _row(tx: Tx, name: str) -> RowMapping | None:
    mine = (boards.c.project == tx.project) & (boards.c.name == name)
    return tx.execute(select(boards).where(mine)).mappings().one_or_none()


def _found(tx: Tx, name: str) -> Board:
    row = _row(tx, name)
    if row is None:
        raise NotFound(f"There is no board {name} of the project's own.", hint="`mainspring board list` shows them.")
    return _shown(row)


def _shown(row: RowMapping) -> Board:
    return Board(
        name=row["name"],
        title=row["title"],
        panels=[Panel(**panel) for panel in row["panels"]],
        built_in=False,
        changed_at=row["changed_at"],
        changed_by=row["changed_by"],
    )
