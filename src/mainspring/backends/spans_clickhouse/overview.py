"""What an overview asks: counts over time, users, the outline of a trace, tests of any attribute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mainspring.backends.spans_clickhouse.server import Server
from mainspring.backends.spans_log.attributes import MOST_SPANS, Matcher
from mainspring.backends.spans_log.codec import decode
from mainspring.backends.spans_log.lines import STATUS, cursor_parts, whole_number
from mainspring.kernel import access
from mainspring.kernel.spans import AttributeTest, Span, SpanFilter, SpanLine, UserSummary

_CHUNK = 256
_OUTLINE = "span, parent, name, kind, service, start_ns, end_ns, status, model, input_tokens, output_tokens, cost, says"

Condition = tuple[str, dict[str, Any]]


def histogram(server: Server, condition: Condition, edges: Sequence[int]) -> list[tuple[int, int] | None]:
    """Count traces, and those with an error, between each two edges, newest first."""
    sql, values = condition
    rows = server.query(
        "SELECT arrayFirstIndex(edge -> edge > start_ns, {edges:Array(UInt64)}) AS bin, count(), countIf(status = 2) "  # noqa: S608
        f"FROM traces FINAL WHERE {sql} AND start_ns >= {{low:UInt64}} AND start_ns < {{high:UInt64}} GROUP BY bin",
        **values,
        edges=[whole_number(edge) for edge in edges],
        low=whole_number(edges[0]),
        high=whole_number(edges[-1]),
    )
    counts = {int(place): (int(traces), int(errors)) for place, traces, errors in rows}
    return [counts.get(place, (0, 0)) for place in range(len(edges), 1, -1)]


def outline(server: Server, project: str, trace_id: str) -> list[SpanLine]:
    """Return a trace's spans in order of start, from their short columns alone."""
    if len(trace_id) != 32:
        return []
    sql = (
        f"SELECT {_OUTLINE} FROM spans FINAL WHERE project = {{project:String}} AND trace = {{trace:String}} "  # noqa: S608
        "ORDER BY start_ns, span"
    )
    lines = []
    for span, parent, name, kind, service, start, end, status, *rest in server.query(
        sql, project=project, trace=trace_id
    ):
        values = dict(zip(SpanLine.__struct_fields__[8:-1], rest[:-1], strict=True))
        lines.append(
            SpanLine(
                span_id=span.decode(),
                parent_id=parent,
                name=name,
                kind=kind,
                service=service,
                start_ns=start,
                end_ns=end,
                status=STATUS[status],
                says=bool(rest[-1]),
                **values,
            )
        )
    return lines


def one_span(server: Server, project: str, trace_id: str, span_id: str) -> Span | None:
    """Return one span of a trace, or None."""
    if len(trace_id) != 32 or len(span_id) != 16:
        return None
    sql = (
        "SELECT body FROM spans FINAL WHERE project = {project:String} AND trace = {trace:String} "
        "AND span = {span:String}"
    )
    found = server.query(sql, project=project, trace=trace_id, span=span_id)
    return decode(found[0][0].encode()) if found else None


def users(server: Server, project: str, where: SpanFilter, limit: int, cursor: str) -> tuple[list[UserSummary], str]:
    """Return a page of users, last seen first."""
    wanted = Latest("user", "max(start_ns)", where.user_id)
    rows, following = latest(server, project, wanted, where, limit, cursor)
    return [UserSummary(**dict(zip(UserSummary.__struct_fields__, row, strict=True))) for row in rows], following


class Latest(NamedTuple):
    """What a list of the last active asks for: a column, when a trace counts as active, and what narrows the list."""

    column: str
    active: str
    named: str = ""
    more: str = ""
    """Figures after those of every list."""
    having: str = ""
    values: Mapping[str, Any] = {}


def latest(
    server: Server, project: str, wanted: Latest, where: SpanFilter, limit: int, cursor: str
) -> tuple[list[Sequence[Any]], str]:
    """Return a page of a column's words, last active first: the first and last moment, traces, errors, tokens and cost.

    Words with the same last moment are told apart by how many of them were shown, so that the cursor needs no name.
    """
    if limit < 1:
        return [], ""
    last, skip = (whole_number(part) for part in cursor_parts(cursor, 2)) if cursor else ((1 << 63) - 1, 0)
    values: dict[str, Any] = {"project": project, "last": last, "skip": skip, "limit": limit + 1, **wanted.values}
    sql, having = f"project = {{project:String}} AND {wanted.column} <> ''", f"last <= {{last:UInt64}}{wanted.having}"
    if wanted.named:
        sql += f" AND {wanted.column} = {{named:String}}"
        values["named"] = wanted.named
    for field, test in (("since_ns", "last >="), ("until_ns", "first <")):
        if getattr(where, field):
            having += f" AND {test} {{{field}:UInt64}}"
            values[field] = whole_number(getattr(where, field))
    rows = server.query(
        f"SELECT {wanted.column}, min(start_ns) AS first, {wanted.active} AS last, count(), countIf(status = 2), "  # noqa: S608
        f"sum(input_tokens), sum(output_tokens), sum(cost){wanted.more} "
        f"FROM traces FINAL WHERE {sql} GROUP BY {wanted.column} HAVING {having} "
        f"ORDER BY last DESC, {wanted.column} DESC LIMIT {{limit:UInt64}} OFFSET {{skip:UInt64}}",
        **values,
    )
    page = rows[:limit]
    if len(rows) <= limit:
        return page, ""
    end = int(page[-1][2])
    return page, f"{end}:{sum(int(row[2]) == end for row in page) + (skip if end == last else 0)}"


def holding(tests: Sequence[AttributeTest]) -> Condition:
    """Return a condition on `body` that every span which passes the tests fulfils."""
    sql, values = ["1"], {}
    for number, group in enumerate(Matcher(tests).needles):
        names = []
        for place, needle in enumerate(group):
            values[f"needle{number}_{place}"] = needle
            names.append(f"position(body, {{needle{number}_{place}:String}}) > 0")
        sql.append(f"({' OR '.join(names)})")
    return " AND ".join(sql), values


def place(row: Sequence[Any]) -> str:
    """Return the cursor after a line of a list: what stands at the same moment is in the order of its ids."""
    return f"{row[-1]}:{row[0].decode()}"


def passing(
    server: Server,
    project: str,
    where: SpanFilter,
    page: Callable[[int, str], tuple[list[Sequence[Any]], str]],
    limit: int,
    cursor: str,
) -> tuple[list[Sequence[Any]], str]:
    """Return the traces of which a span passes the tests, from as many spans as one page may look at.

    `page` returns rows that may pass, from a cursor on: trace first, the count of spans fourteenth, their place last.
    """
    matcher, (test, values), looked = Matcher(where.attributes), holding(where.attributes), 0
    sql = (
        "SELECT trace, body FROM spans FINAL WHERE project = {project:String} AND trace IN {some:Array(String)} "  # noqa: S608
        f"AND {test}"
    )
    found: list[Sequence[Any]] = []
    while True:
        access.check_waited_for()
        rows, following = page(_CHUNK, cursor)
        names = [row[0].decode() for row in rows]
        bodies = server.query(sql, project=project, some=names, **values) if names else []
        passed = {trace for trace, body in bodies if matcher.fits(body.encode())}
        for at, row in enumerate(rows, 1):
            looked += int(row[13])
            if row[0] in passed:
                found.append(row)
            if (len(found) == limit or looked >= MOST_SPANS) and (at < len(rows) or following):
                return found, place(row)
        if not following:
            return found, ""
        cursor = following
