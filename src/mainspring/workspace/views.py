"""Saved views: what a list is narrowed to, under a name, for oneself or for the whole project."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import RowMapping, delete, func, insert, select, update

from mainspring.kernel import access, hooks
from mainspring.kernel.errors import Conflict, Denied, LimitReached, NotFound
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.operation import operation
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Cursor, Limit, Name, Page, Record, paginate
from mainspring.kernel.service import Service
from mainspring.workspace.tables import views

_MOST, _ALL = 500, 2_000
"""Views that a list, and all lists together, may have in a project."""
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
_LONGEST = 10_000
"""Characters of a view; an address is never so long."""


def _bounded(state: dict[str, str]) -> dict[str, str]:
    if sum(len(name) + len(value) for name, value in state.items()) > _LONGEST:
        raise ValueError(f"a view has at most {_LONGEST:,} characters")
    return state


ViewId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
State = Annotated[
    dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=5000)]],
    Field(max_length=40),
    AfterValidator(_bounded),
]


class View(Record):
    """A saved view of a list."""

    id: str
    page: str
    """The list that it is a view of: traces, sessions, experiments."""
    title: str
    state: dict[str, str]
    """What stands in the address of the list."""
    shared: bool
    """Whether every member of the project sees it."""
    created_at: datetime
    created_by: str


class Views(Service):
    """Saved views of lists."""

    noun = "view"

    @operation("POST /views", permission="view.write", status=201)
    def save(self, page: Name, title: Title, state: State, *, shared: bool = False) -> View:
        """Save a view of a list; one of the same title that is one's own is replaced."""
        with self.begin() as tx:
            here = (views.c.project == tx.project) & (views.c.page == page)
            row = tx.execute(select(views).where(here, views.c.title == title)).mappings().all()
            mine = next((one for one in row if one["created_by"] == tx.caller.member), None)
            if shared and any(one["shared"] for one in row if one is not mine):
                raise Conflict(f"The project has a view '{title}' already.", hint="Give yours another title.")
            values = {"state": dict(state), "shared": shared, "created_at": tx.now}
            if mine is not None:
                tx.execute(update(views).where(views.c.id == mine["id"]).values(**values))
                return _shown({**mine, **values})
            if tx.execute(select(func.count()).where(here)).scalar_one() >= _MOST:
                raise LimitReached(f"There are {_MOST} views of {page} already.", hint="Delete one first.")
            if tx.execute(select(func.count()).where(views.c.project == tx.project)).scalar_one() >= _ALL:
                raise LimitReached(f"The project has {_ALL:,} views already.", hint="Delete one first.")
            values |= {"id": tx.new_id(), "page": page, "title": title, "created_by": tx.caller.member}
            tx.execute(insert(views).values(project=tx.project, **values))
            return _shown(values)

    @operation("GET /views", permission="view.read")
    def list_(self, *, page: Name | None = None, limit: Limit = 100, cursor: Cursor = "") -> Page[View]:
        """List one's own views and those that are shared, oldest first, of one list or of all."""
        with self.read() as tx:
            seen = views.c.shared | (views.c.created_by == tx.caller.member)
            query = select(views).where(views.c.project == tx.project, seen)
            if page:
                query = query.where(views.c.page == page)
            rows, following = paginate(tx, query, views.c.id, limit, cursor, newest=False)
        return Page[View](items=[_shown(row) for row in rows], next_cursor=following)

    @operation("DELETE /views/{view_id}", permission="view.write")
    def delete(self, view_id: ViewId) -> View:
        """Delete a view. Only who saved it may, or an admin."""
        with self.begin() as tx:
            mine = (views.c.project == tx.project) & (views.c.id == view_id)
            row = tx.execute(select(views).where(mine)).mappings().one_or_none()
            own = row is not None and row["created_by"] == tx.caller.member
            if row is None or not (own or row["shared"]):
                raise NotFound(f"There is no view {view_id}.", hint="`mainspring view list` shows yours.")
            if not own and not tx.caller.may("view.delete"):
                raise Denied(f"{row['created_by']} saved this view.", hint="Ask them, or an admin.")
            tx.execute(delete(views).where(mine))
            return _shown(row)


def erase(platform: Platform, request: ErasureRequest, really: bool) -> int:
    """Delete the views that are narrowed to a user; the hook of saved views."""
    if not request.user_id:
        return 0
    count = 0
    with access.acting_as(access.system(request.project)), platform.begin() as tx:
        for row in tx.execute(select(views.c.id, views.c.state).where(views.c.project == tx.project)).all():
            if any(_names(value, request.user_id) for value in row.state.values()):
                count += 1
                if really:
                    tx.execute(delete(views).where(views.c.id == row.id))
    return count


def _names(value: str, user_id: str) -> bool:
    """Tell whether a value of a view is a user, or a test of an attribute for one."""
    return value == user_id or f"={user_id}" in value


def _shown(row: RowMapping | dict[str, object]) -> View:
    return View.model_validate({name: row[name] for name in View.model_fields})


hooks.erasable("views", erase)
