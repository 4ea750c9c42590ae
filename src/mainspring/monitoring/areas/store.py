"""Areas as rows: their traces, what happened to them, and the searches that are repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import RowMapping, String, delete, func, insert, literal_column, select, type_coerce, update

from mainspring.kernel.errors import NotFound
from mainspring.kernel.records import paginate
from mainspring.kernel.tx import Tx
from mainspring.monitoring.areas.gathering import Bad, kind_of
from mainspring.monitoring.areas.models import Effect, FindSettings, Issue, IssueEvent, IssueTrace, Search
from mainspring.monitoring.areas.tables import issue_events, issue_traces, issues, searches
from mainspring.monitoring.attacks.models import DayCount
from mainspring.traces import moment

_CHUNK = 500
_NAMELESS = "what was erased"
_DAYS = 90
_MADE = ("score", "tool", "days", "effect")
"""Fields of an area that are not its columns as they stand."""


def members(tx: Tx, trace_ids: Sequence[str]) -> set[tuple[str, str]]:
    """Return which of some traces belong to an area already, each with the tool of the area where it has one."""
    found: set[tuple[str, str]] = set()
    t, i = issue_traces.c, issues.c
    held = select(t.trace_id, i.why, i.score).join(issues, i.id == t.issue_id).where(t.project == tx.project)
    for start in range(0, len(trace_ids), _CHUNK):
        rows = tx.execute(held.where(t.trace_id.in_(trace_ids[start : start + _CHUNK])))
        found |= {(row.trace_id, kind_of(row.why, row.score).tool) for row in rows}
    return found


def add(tx: Tx, values: dict[str, Any], found: Sequence[Bad]) -> str:
    """Store a new area with its traces; return its id."""
    times = [moment(one.at_ns) for one in found]
    row = {
        **values, "id": tx.new_id(), "project": tx.project, "state": "open", "count": 0, "reopened": 0, "release": "",
        "fixed_at": None, "effect": {}, "note": "", "first_at": min(times), "last_at": max(times),
        "created_at": tx.now, "changed_at": tx.now,
    }  # fmt: skip
    tx.execute(insert(issues).values(**row))
    _put(tx, row["id"], found)
    change(tx, row["id"], count=len({one.trace_id for one in found}))
    tell(tx, row["id"], "opened", f"{len(found)} traces.")
    return str(row["id"])


def extend(tx: Tx, row: RowMapping, found: Sequence[Bad], middle: list[float]) -> None:
    """Add traces to an area."""
    _put(tx, row["id"], found)
    times = [moment(one.at_ns) for one in found]
    change(
        tx,
        row["id"],
        count=row["count"] + len(found),
        middle=middle,
        first_at=min(row["first_at"], *times),
        last_at=max(row["last_at"], *times),
    )


def _put(tx: Tx, issue_id: str, found: Sequence[Bad]) -> None:
    facts = {"issue_id": issue_id, "project": tx.project}
    rows = [
        {**facts, "trace_id": one.trace_id, "at": moment(one.at_ns), "release": one.release, "value": one.value}
        for one in found
    ]
    for start in range(0, len(rows), _CHUNK):
        tx.execute(insert(issue_traces), rows[start : start + _CHUNK])


def change(tx: Tx, issue_id: str, **values: Any) -> None:
    """Change an area's columns."""
    mine = (issues.c.project == tx.project) & (issues.c.id == issue_id)
    tx.execute(update(issues).where(mine).values(**values))


def move(tx: Tx, row: RowMapping, state: str, kind: str, note: str, release: str = "") -> None:
    """Put an area into a state, and note it in its history."""
    values: dict[str, Any] = {"state": state, "changed_at": tx.now, "release": release}
    values["fixed_at"] = tx.now if state == "fixed" else None
    if kind == "reopened":
        values |= {"reopened": row["reopened"] + 1, "release": "", "fixed_at": None}
    change(tx, row["id"], **values)
    tell(tx, row["id"], kind, note)


def tell(tx: Tx, issue_id: str, kind: str, note: str) -> None:
    """Add to an area's history."""
    tx.execute(
        insert(issue_events).values(
            id=tx.new_id(), issue_id=issue_id, project=tx.project, kind=kind, at=tx.now, member=tx.caller.member,
            note=note,
        )
    )  # fmt: skip


def find(tx: Tx, issue_id: str) -> RowMapping:
    """Return the row of an area. Raises NotFound."""
    mine = (issues.c.project == tx.project) & (issues.c.id == issue_id)
    row = tx.execute(select(issues).where(mine)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no improvement area {issue_id[:64]}.", hint="`mainspring issue list` shows them.")
    return row


def shown(tx: Tx, row: RowMapping) -> Issue:
    """Return an area as a record."""
    return all_shown(tx, [row])[0]


def all_shown(tx: Tx, rows: Sequence[RowMapping]) -> list[Issue]:
    """Return areas as records."""
    counted = days(tx, [row["id"] for row in rows])
    return [
        Issue(
            **{name: row[name] for name in Issue.model_fields if name not in _MADE},
            score="" if row["why"] == "tools" else row["score"],
            tool=kind_of(row["why"], row["score"]).tool,
            days=counted[row["id"]],
            effect=Effect(**row["effect"]) if row["effect"] else None,
        )
        for row in rows
    ]


def listed(tx: Tx, state: str, target: str | None, limit: int, cursor: str) -> tuple[list[Issue], str | None]:
    """Return a page of areas, newest first, of a state or a target where these are given."""
    query = select(*(issues.c[name] for name in Issue.model_fields if name not in ("days", "tool")))
    query = query.where(issues.c.project == tx.project)
    if state:
        query = query.where(issues.c.state == state)
    if target is not None:
        query = query.where(issues.c.target == target)
    rows, following = paginate(tx, query, issues.c.id, limit, cursor)
    return all_shown(tx, rows), following


def days(tx: Tx, issue_ids: Sequence[str]) -> dict[str, list[DayCount]]:
    """Return how many traces each of some areas has by day."""
    t = issue_traces.c
    day = func.substr(type_coerce(t.at, String), literal_column("1"), literal_column("10"))
    found: dict[str, list[DayCount]] = {issue_id: [] for issue_id in issue_ids}
    for start in range(0, len(issue_ids), _CHUNK):
        some = t.issue_id.in_(issue_ids[start : start + _CHUNK])
        query = select(t.issue_id, day.label("day"), func.count().label("many"))
        query = query.where(some, t.at >= tx.now - timedelta(days=_DAYS)).group_by(t.issue_id, day)
        for row in tx.execute(query.order_by(day)):
            found[row.issue_id].append(DayCount(day=date.fromisoformat(row.day), count=row.many))
    return found


def releases(tx: Tx, issue_id: str) -> dict[str, int]:
    """Return how many traces an area has by the release that answered, the most first."""
    t = issue_traces.c
    query = select(t.release, func.count().label("many")).where(t.issue_id == issue_id).group_by(t.release)
    rows = sorted(tx.execute(query), key=lambda row: -row.many)
    return {row.release: int(row.many) for row in rows[:50]}


def traces(tx: Tx, issue_id: str, limit: int, cursor: str) -> tuple[list[IssueTrace], str | None]:
    """Return a page of an area's traces; ids of traces are in no order of time."""
    query = select(issue_traces).where(issue_traces.c.issue_id == issue_id)
    rows, following = paginate(tx, query, issue_traces.c.trace_id, limit, cursor, newest=False)
    return [IssueTrace(**{name: row[name] for name in IssueTrace.model_fields}) for row in rows], following


def newest(tx: Tx, issue_id: str, limit: int) -> list[IssueTrace]:
    """Return an area's newest traces."""
    query = select(issue_traces).where(issue_traces.c.issue_id == issue_id)
    rows = tx.execute(query.order_by(issue_traces.c.at.desc(), issue_traces.c.trace_id).limit(limit)).mappings()
    return [IssueTrace(**{name: row[name] for name in IssueTrace.model_fields}) for row in rows]


def events(tx: Tx, issue_id: str) -> list[IssueEvent]:
    """Return what happened to an area, newest first."""
    query = select(issue_events).where(issue_events.c.issue_id == issue_id).order_by(issue_events.c.id.desc())
    return [
        IssueEvent(**{name: row[name] for name in IssueEvent.model_fields})
        for row in tx.execute(query.limit(100)).mappings()
    ]


def forget(tx: Tx, trace_ids: Sequence[str], *, really: bool) -> int:
    """Take erased traces out of their areas; return how many there were.

    An area that loses its last one stays, so that it is known again; its name and words, which are theirs, do not.
    """
    count = 0
    for start in range(0, len(trace_ids), _CHUNK):
        mine = (issue_traces.c.project == tx.project) & issue_traces.c.trace_id.in_(trace_ids[start : start + _CHUNK])
        held = tx.execute(select(issue_traces.c.issue_id).where(mine)).scalars().all()
        count += len(held)
        if really and held:
            tx.execute(delete(issue_traces).where(mine))
            for issue_id, many in Counter(held).items():
                change(tx, issue_id, count=issues.c.count - many)
                rest = select(issue_traces.c.trace_id).where(issue_traces.c.issue_id == issue_id).limit(1)
                if tx.execute(rest).one_or_none() is None:
                    change(tx, issue_id, name=_NAMELESS, words=[])
    return count


def as_search(row: RowMapping) -> Search:
    """Make the record of a search."""
    kept = {name: row[name] for name in Search.model_fields if name != "settings"}
    return Search(**kept, settings=FindSettings(**row["settings"]))


def search(tx: Tx, search_id: str) -> RowMapping:
    """Return the row of a search. Raises NotFound."""
    mine = (searches.c.project == tx.project) & (searches.c.id == search_id)
    row = tx.execute(select(searches).where(mine)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no search {search_id[:64]}.", hint="`mainspring issue searches` shows them.")
    return row
