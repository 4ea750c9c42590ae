"""What an overview asks: counts over time, users, the outline of a trace."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mainspring.backends.spans_log.lines import STATUS, cursor_parts, whole_number
from mainspring.backends.spans_sqlite.schema import SHIFT
from mainspring.kernel.spans import SessionSummary, SpanFilter, SpanLine, UserSummary

L = TypeVar("L", UserSummary, SessionSummary)
_COUNTING_SECONDS = 2.0
_SUMS = "first_ns, last_ns, traces, errors, input_tokens, output_tokens, cost"

_OUTLINE = "span, parent, name, kind, service, start_ns, end_ns, status, model, input_tokens, output_tokens, cost, says"


def histogram(connection: Any, condition: tuple[str, list[Any]], edges: Sequence[int]) -> list[tuple[int, int] | None]:
    """Count bin by bin, newest first, until the time is up: each is a walk along an index."""
    sql, values = condition
    ends = time.monotonic() + _COUNTING_SECONDS
    counts: list[tuple[int, int] | None] = []
    for low, high in reversed(list(itertools.pairwise(edges))):
        if time.monotonic() > ends:
            counts.append(None)
            continue
        bound = (*values, whole_number(low), whole_number(high))
        every = f"SELECT count(*) FROM traces WHERE {sql} AND start_ns >= ? AND start_ns < ?"  # noqa: S608
        traces = int(connection.execute(every, bound).get)
        errors = int(connection.execute(f"{every} AND status = 2", bound).get) if traces else 0
        counts.append((traces, errors))
    return counts


def outline(connection: Any, word: Callable[[int], str], row: int) -> list[SpanLine]:
    """Return the spans of the trace at `row`, from their short columns alone."""
    sql = f"SELECT {_OUTLINE} FROM spans WHERE id BETWEEN ? AND ? ORDER BY start_ns, span"  # noqa: S608
    rows = connection.execute(sql, (row << SHIFT, (row + 1 << SHIFT) - 1)).fetchall()
    words = {number: word(number) for number in {number for one in rows for number in (one[3], one[4], one[8])}}
    return [
        SpanLine(
            span_id=span.hex(),
            parent_id=parent.hex() if parent else "",
            name=name,
            kind=words[kind],
            service=words[service],
            start_ns=start,
            end_ns=end,
            status=STATUS[status],
            model=words[model],
            input_tokens=came,
            output_tokens=went,
            cost=cost,
            says=bool(says),
        )
        for span, parent, name, kind, service, start, end, status, model, came, went, cost, says in rows
    ]


def users(connection: Any, project: int, where: SpanFilter, limit: int, cursor: str) -> tuple[list[UserSummary], str]:
    """Return a page of users, last seen first."""
    tests = _named(project, (where.user_id, "user = ?", where.user_id))
    return _latest(connection, UserSummary, ("users", f"user, {_SUMS}"), tests, where, limit, cursor)


def sessions(
    connection: Any, project: int, environment: int, where: SpanFilter, limit: int, cursor: str
) -> tuple[list[SessionSummary], str]:
    """Return a page of sessions, last active first; `environment` is the number of the one that the filter names."""
    tests = _named(
        project,
        (where.environment, "environment = ?", environment),
        (where.session_id, "session = ?", where.session_id),
        (where.user_id, "user = ?", where.user_id),
    )
    return _latest(connection, SessionSummary, ("sessions", f"session, user, {_SUMS}"), tests, where, limit, cursor)


def _named(project: int, *tests: tuple[str, str, Any]) -> list[tuple[str, Any]]:
    """Return the tests of which something is wanted, with their values, and that of the project."""
    return [("project = ?", project), *((test, value) for wanted, test, value in tests if wanted)]


def _latest(
    connection: Any,
    shape: type[L],
    read: tuple[str, str],
    tests: Sequence[tuple[str, Any]],
    where: SpanFilter,
    limit: int,
    cursor: str,
) -> tuple[list[L], str]:
    """Return a page of the table and columns that are `read`, last active first; the first column is the name.

    Rows with the same last moment are told apart by how many of them were shown, so that the cursor needs no name.
    """
    last, skip = (whole_number(part) for part in cursor_parts(cursor, 2)) if cursor else ((1 << 63) - 1, 0)
    table, columns = read
    every: list[tuple[str, Any]] = [*tests, ("last_ns <= ?", last)]
    for moment, test in ((where.since_ns, "last_ns >= ?"), (where.until_ns, "first_ns < ?")):
        if moment:
            every.append((test, moment))
    rows = connection.execute(
        f"SELECT {columns} FROM {table} WHERE {' AND '.join(test for test, _ in every)} "  # noqa: S608
        f"ORDER BY last_ns DESC, {columns.partition(',')[0]} DESC LIMIT ? OFFSET ?",
        (*(value for _, value in every), limit + 1, skip),
    ).fetchall()
    page = [shape(**dict(zip(shape.__struct_fields__, row, strict=True))) for row in rows[:limit]]
    if len(rows) <= limit:
        return page, ""
    end = page[-1].last_ns
    return page, f"{end}:{sum(line.last_ns == end for line in page) + (skip if end == last else 0)}"
