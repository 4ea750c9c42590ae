"""Reads the tables: pages of traces and sessions, spans of a trace, scans and hourly totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mainspring.backends.spans_clickhouse import calls, overview
from mainspring.backends.spans_clickhouse.server import Server
from mainspring.backends.spans_clickhouse.words import tests
from mainspring.backends.spans_log.attributes import MOST_SPANS, Matcher
from mainspring.backends.spans_log.codec import decode
from mainspring.backends.spans_log.lines import HOUR_NS, ROUTE, RUNNING, STATUS, cursor_parts, trace_key, whole_number
from mainspring.kernel import access
from mainspring.kernel.errors import Invalid
from mainspring.kernel.spans import SessionSummary, Span, SpanFilter, TraceSummary, Usage

_WORD_COLUMNS = ("environment", "model", "deployment", "release", "prompt", "service", "kind")
_TEXT_COLUMNS = {"session_id": "session", "user_id": "user", "name": "name"}
_DIMENSIONS = ("environment", "deployment", "release", "model", "kind")
_LINE = (
    "trace, name, kind, start_ns, end_ns, status, environment, service, model, deployment, release, session, user, "
    "spans, input_tokens, output_tokens, cost, input_preview, output_preview"
)

Condition = tuple[str, dict[str, Any]]


def page_of_traces(
    server: Server, project: str, where: SpanFilter, limit: int, cursor: str
) -> tuple[list[TraceSummary], str]:
    """Return a page of traces, newest first: by start, or by arrival where words are searched for."""
    sql, values = condition(project, where)
    order = "arrived" if where.query else "start_ns"
    if where.query:
        for test, bound in tests(where.query):
            sql += f" AND trace IN (SELECT trace FROM spans FINAL WHERE project = {{project:String}} AND {test})"  # noqa: S608
            values |= bound
    if limit < 1:
        return [], ""
    if where.attributes:
        # A span begins no earlier than its trace does.
        test, bound = overview.holding(where.attributes)
        test += f" AND start_ns >= {whole_number(where.since_ns)}"
        sql += f" AND trace IN (SELECT trace FROM spans FINAL WHERE project = {{project:String}} AND {test})"  # noqa: S608
        values |= bound

    def page(limit: int, cursor: str) -> tuple[list[Sequence[Any]], str]:
        return _rows(server, sql, values, order, limit, cursor)

    if where.attributes:
        rows, following = overview.passing(server, project, where, page, limit, cursor)
    else:
        rows, following = page(limit, cursor)
    return [_line(row) for row in rows], following


def _rows(
    server: Server, sql: str, values: dict[str, Any], order: str, limit: int, cursor: str
) -> tuple[list[Sequence[Any]], str]:
    """Return lines of traces; the moment by which they are ordered stands at the end of each."""
    if cursor:
        moment, trace = cursor_parts(cursor, 2)
        values = {**values, "moment": whole_number(moment), "after": trace_key(trace).hex()}
        sql += f" AND ({order}, trace) < ({{moment:UInt64}}, {{after:String}})"
    rows = server.query(
        f"SELECT {_LINE}, {order} AS at FROM traces FINAL WHERE {sql} ORDER BY at DESC, trace DESC "  # noqa: S608
        "LIMIT {limit:UInt64}",
        **values,
        limit=limit + 1,
    )
    more = len(rows) > limit
    rows = rows[:limit]
    return rows, overview.place(rows[-1]) if more else ""


def spans_of(server: Server, project: str, trace_id: str) -> list[Span]:
    """Return a trace's spans in order of start."""
    sql = (
        "SELECT body FROM spans FINAL WHERE project = {project:String} AND trace = {trace:String} "
        "ORDER BY start_ns, span"
    )
    if len(trace_id) != 32:
        return []
    return [decode(body.encode()) for (body,) in server.query(sql, project=project, trace=trace_id)]


def scan(server: Server, project: str, where: SpanFilter, limit: int) -> Iterator[Span]:
    """Yield spans that match, newest first."""
    sql, values = condition(project, where)
    if not where.status:
        sql += f" AND status <> {RUNNING}"
    for test, bound in tests(where.query) if where.query else ():
        sql += f" AND {test}"
        values |= bound
    matcher = None
    if where.attributes:
        matcher = Matcher(where.attributes)
        test, bound = overview.holding(where.attributes)
        sql += f" AND {test}"
        values |= bound
    found = server.stream(
        f"SELECT body FROM spans FINAL WHERE {sql} ORDER BY start_ns DESC, span DESC LIMIT {{limit:UInt64}}",  # noqa: S608
        **values,
        limit=MOST_SPANS if matcher else limit,
    )
    for (body,) in found:
        access.check_waited_for()
        if limit < 1:
            return
        if matcher is None or matcher.fits(body.encode()):
            limit -= 1
            yield decode(body.encode())


def page_of_sessions(
    server: Server, project: str, where: SpanFilter, limit: int, cursor: str
) -> tuple[list[SessionSummary], str]:
    """Return a page of sessions, last active first."""
    having, values = "", {}
    for field, column in (("environment", "place"), ("user_id", "person")):
        if getattr(where, field):
            having += f" AND {column} = {{{field}:String}}"
            values[field] = getattr(where, field)
    more = ", max(user) AS person, max(environment) AS place"
    wanted = overview.Latest("session", "max(end_ns)", where.session_id, more, having, values)
    rows, following = overview.latest(server, project, wanted, where, limit, cursor)
    fields = SessionSummary.__struct_fields__
    return [SessionSummary(**dict(zip(fields, (row[0], row[8], *row[1:8]), strict=True))) for row in rows], following


def hours(server: Server, project: str, where: SpanFilter) -> list[Usage]:
    """Return hourly totals, oldest first."""
    sql = f"project = {{project:String}} AND status <> {RUNNING} AND start_ns >= {{since:UInt64}}"
    values: dict[str, Any] = {"project": project, "since": where.since_ns // HOUR_NS * HOUR_NS}
    if where.until_ns:
        sql += " AND start_ns < {until:UInt64}"
        values["until"] = ((where.until_ns - 1) // HOUR_NS + 1) * HOUR_NS
    for name in _DIMENSIONS:
        if getattr(where, name):
            sql += f" AND {name} = {{{name}:String}}"
            values[name] = getattr(where, name)
    keys = ", ".join(("hour", *_DIMENSIONS))
    rows = server.query(
        f"SELECT intDiv(start_ns, {HOUR_NS}) AS hour, {', '.join(_DIMENSIONS)}, bucket, count(), "  # noqa: S608
        f"countIf(status = 2 AND kind <> '{ROUTE}' AND NOT {calls.PASSED} AND counts), countIf(parent = ''), "
        "sumIf(coalesce(spans.input_tokens, 0), counts), sumIf(coalesce(spans.output_tokens, 0), counts), "
        "sumIf(coalesce(spans.cost, 0), counts), sum(end_ns - start_ns) "
        f"FROM (SELECT *, NOT (kind IN {{counted:Array(String)}} AND {calls.OUTER}) AS counts "
        f"FROM spans FINAL WHERE {sql}) AS spans GROUP BY {keys}, bucket ORDER BY {keys}, bucket",
        **values,
        **calls.near(values["since"], where.until_ns),
    )
    groups: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[:6]), []).append(tuple(row[6:]))
    return [_hour(key, parts) for key, parts in groups.items()]


def counts(server: Server) -> tuple[int, int, int]:
    """Return the number of spans, of traces and of bytes, over all projects."""
    [(spans, traces)] = server.query("SELECT sum(spans), count() FROM traces FINAL")
    sql = "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()"
    return int(spans), int(traces), int(server.query(sql)[0][0])


def _hour(key: tuple[Any, ...], parts: list[tuple[Any, ...]]) -> Usage:
    spans, errors, roots, input_tokens, output_tokens, cost, duration = (
        sum(part[index] for part in parts) for index in range(1, 8)
    )
    return Usage(
        hour_ns=key[0] * HOUR_NS,
        environment=key[1],
        deployment=key[2],
        release=key[3],
        model=key[4],
        kind=key[5],
        spans=spans,
        errors=errors,
        roots=roots,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost=cost,
        duration_ms=duration / 1e6,
        latencies={part[0]: part[1] for part in parts},
    )


def condition(project: str, where: SpanFilter) -> Condition:
    """Return SQL and its values for a filter, words and attributes left out."""
    sql = ["project = {project:String}"]
    values: dict[str, Any] = {"project": project}
    for name in _WORD_COLUMNS:
        text = getattr(where, name)
        if text.startswith("!"):
            sql.append(f"{name} NOT IN {{{name}:Array(String)}}")
            values[name] = text[1:].split(",")
        elif text:
            sql.append(f"{name} = {{{name}:String}}")
            values[name] = text
    for field, column in _TEXT_COLUMNS.items():
        if getattr(where, field):
            sql.append(f"{column} = {{{field}:String}}")
            values[field] = getattr(where, field)
    if where.status:
        if where.status not in STATUS:
            raise Invalid(f"status is {where.status!r}.", hint=f"It is one of {', '.join(STATUS)}.")
        sql.append(f"status = {STATUS.index(where.status)}")
    for field, test in (("since_ns", "start_ns >="), ("until_ns", "start_ns <")):
        if getattr(where, field):
            sql.append(f"{test} {{{field}:UInt64}}")
            values[field] = whole_number(getattr(where, field))
    if where.min_duration_ms:
        sql.append("end_ns - start_ns >= {least:Float64}")
        values["least"] = where.min_duration_ms * 1e6
    if where.trace_ids:
        sql.append("trace IN {chosen:Array(String)}")
        values["chosen"] = [trace_key(trace_id).hex() for trace_id in where.trace_ids]
    return " AND ".join(sql), values


def _line(row: Any) -> TraceSummary:
    trace, name, kind, start, end, status, *rest = row
    environment, service, model, deployment, release, session, user, spans, *totals = rest
    input_tokens, output_tokens, cost, said, answered, _ = totals
    return TraceSummary(
        trace_id=trace.decode(),
        name=name,
        kind=kind,
        start_ns=start,
        duration_ms=(end - start) / 1e6,
        status=STATUS[status],
        environment=environment,
        service=service,
        model=model,
        deployment=deployment,
        release=release,
        session_id=session,
        user_id=user,
        spans=spans,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost=cost,
        input_preview=said,
        output_preview=answered,
    )
