"""Model calls summed by time and by what they have in common: what boards show."""

from __future__ import annotations

from typing import Any

from mainspring.backends.spans_clickhouse.server import Server
from mainspring.backends.spans_log.calls import gathered
from mainspring.backends.spans_log.lines import CARRIED, COUNTED, ROUTE, RUNNING, STATUS, whole_number
from mainspring.kernel.spans import CallTotals, SpanFilter

_WORDS = ("environment", "model", "deployment", "release", "prompt", "service", "kind")
_NEAR_NS = 3_600_000_000_000
"""How far from the edge of the time an inner call is looked for that says the same as an outer one."""
PASSED = """(trace, toString(span)) IN (
    SELECT trace, toString(span) FROM (
        SELECT trace, span, row_number() OVER (PARTITION BY trace, parent ORDER BY start_ns DESC, span DESC) AS place
        FROM spans FINAL
        WHERE project = {project:String} AND kind IN {counted:Array(String)}
            AND start_ns >= {before:UInt64} AND start_ns < {after:UInt64}
            AND (trace, parent) IN (
                SELECT trace, toString(span) FROM spans FINAL
                WHERE project = {project:String} AND kind = 'route'
                    AND start_ns >= {before:UInt64} AND start_ns < {after:UInt64}
            )
    ) WHERE place > 1
)"""
"""Whether a call is an attempt after which another one was made."""
_AROUND = (
    "FROM spans FINAL WHERE project = {project:String} AND start_ns >= {before:UInt64} AND start_ns < {after:UInt64}"
)


def _outer() -> str:
    """Return the test of a span that encloses a model call, as `lines.enclosing` says it."""
    calls = "kind IN {counted:Array(String)}"
    found = f"SELECT trace, parent {_AROUND} AND {calls}"
    for _ in range(CARRIED):
        carries = f"(kind = '{ROUTE}' OR match(name, '^POST( |$)|^HTTP POST')) AND (trace, toString(span)) IN ({found})"
        found = f"SELECT trace, parent {_AROUND} AND ({calls} OR {carries})"
    return f"(trace, toString(span)) IN ({found})"


OUTER = _outer()
"""Whether a span encloses a model call: one that is a call itself is the same call as its caller saw it."""
_SUMS = (
    "countIf(NOT passed), countIf(status = 2 AND NOT passed), "
    "sum(coalesce(spans.input_tokens, 0)), sum(coalesce(spans.output_tokens, 0)), "
    "sum(coalesce(cached, 0)), sum(coalesce(spans.cost, 0)), countIf(guard = 2 AND NOT passed), "
    "countIf(guard = 3 AND NOT passed), "
    "countIf(cache = 2), countIf(cache > 0), countIf(passed)"
)


def totals(server: Server, project: str, where: SpanFilter, by: str, step_ns: int, groups: int) -> list[CallTotals]:
    """Sum calls by step and group; what is not among the `groups` with most calls is one group."""
    sql, values = _condition(project, where)
    column = {"": "''", "user_id": "user"}.get(by, by)
    top = f"SELECT {column} AS one FROM spans FINAL WHERE {sql} GROUP BY one ORDER BY count() DESC, one LIMIT {{most:UInt64}}"  # noqa: S608, E501
    chosen = [str(one) for (one,) in server.query(top, **values, most=groups)]
    if not chosen:
        return []
    values |= {"step": step_ns, "chosen": chosen}
    keys = (
        "toInt64(intDiv(start_ns - {since:UInt64}, {step:UInt64})) AS at, "
        f"if({column} IN {{chosen:Array(String)}}, {column}, '') AS one, "
        f"{column} NOT IN {{chosen:Array(String)}} AS rest"
    )
    rows = server.query(
        f"SELECT {keys}, bucket, {_SUMS} FROM (SELECT *, {PASSED} AS passed FROM spans FINAL WHERE {sql}) AS spans "  # noqa: S608
        "GROUP BY at, one, rest, bucket",
        **values,
    )
    firsts = server.query(
        f"SELECT {keys}, first, count() FROM spans FINAL WHERE {sql} AND first IS NOT NULL AND NOT {PASSED} GROUP BY at, one, rest, first",  # noqa: S608, E501
        **values,
    )
    begin = where.since_ns
    return gathered(
        [(begin + at * step_ns, None if rest else one, *sums) for at, one, rest, *sums in rows],
        [(begin + at * step_ns, None if rest else one, *more) for at, one, rest, *more in firsts],
    )


def near(since: int, until: int) -> dict[str, Any]:
    """Return the values of `PASSED` and `OUTER` but for the project."""
    around = {"before": max(0, since - _NEAR_NS), "after": (until or 1 << 62) + _NEAR_NS}
    return {"counted": list(COUNTED), **around}


def _condition(project: str, where: SpanFilter) -> tuple[str, dict[str, Any]]:
    until = where.until_ns or 1 << 62
    values: dict[str, Any] = {
        "project": project,
        "since": whole_number(where.since_ns),
        "until": whole_number(until),
        **near(where.since_ns, until),
    }
    sql = [
        "project = {project:String}",
        "start_ns >= {since:UInt64}",
        "start_ns < {until:UInt64}",
        "kind IN {counted:Array(String)}",
        f"status <> {RUNNING}",
        f"NOT {OUTER}",
    ]
    for name in _WORDS:
        if text := getattr(where, name):
            sql.append(f"{name} {'NOT ' if text.startswith('!') else ''}IN {{w_{name}:Array(String)}}")
            values[f"w_{name}"] = text.lstrip("!").split(",")
    if where.user_id:
        sql.append("user = {user:String}")
        values["user"] = where.user_id
    if where.status:
        sql.append(f"status = {STATUS.index(where.status)}")
    return " AND ".join(sql), values
