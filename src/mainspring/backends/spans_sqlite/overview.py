"""What an overview asks: counts over time, users, the outline of a trace."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from mainspring.backends.spans_log.lines import STATUS, cursor_parts, whole_number
from mainspring.backends.spans_sqlite.schema import SHIFT
from mainspring.kernel.spans import SpanFilter, SpanLine, UserSummary

_COUNTING_SECONDS = 2.0

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
    """Return a page of users, last seen first; those seen at the same moment are told apart by their names' order."""
    sql, values = "project = ?", [project]
    tests: list[tuple[bool, str, Any]] = [
        (bool(where.user_id), "user = ?", where.user_id),
        (bool(where.since_ns), "last_ns >= ?", where.since_ns),
        (bool(where.until_ns), "first_ns < ?", where.until_ns),
    ]
    for wanted, test, value in tests:
        if wanted:
            sql += f" AND {test}"
            values.append(value)
    last, skip = (whole_number(part) for part in cursor_parts(cursor, 2)) if cursor else ((1 << 63) - 1, 0)
    rows = connection.execute(
        "SELECT user, first_ns, last_ns, traces, errors, input_tokens, output_tokens, cost "  # noqa: S608
        f"FROM users WHERE {sql} AND last_ns <= ? ORDER BY last_ns DESC, user DESC LIMIT ? OFFSET ?",
        (*values, last, limit + 1, skip),
    ).fetchall()
    page = [UserSummary(**dict(zip(UserSummary.__struct_fields__, row, strict=True))) for row in rows[:limit]]
    if len(rows) <= limit:
        return page, ""
    end = page[-1].last_ns
    return page, f"{end}:{sum(line.last_ns == end for line in page) + (skip if end == last else 0)}"
