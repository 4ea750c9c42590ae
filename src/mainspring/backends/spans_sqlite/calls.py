"""Model calls as narrow rows in order of time: what boards count, group and take quantiles of."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from operator import attrgetter
from typing import Any

from mainspring.backends.spans_log.calls import gathered
from mainspring.backends.spans_log.codec import Packer, decode
from mainspring.backends.spans_log.lines import COUNTED, PASSED, RUNNING, STATUS, bucket, facts
from mainspring.backends.spans_sqlite.bodies import Bodies
from mainspring.backends.spans_sqlite.schema import SHIFT, Words
from mainspring.backends.spans_sqlite.totals import Short
from mainspring.kernel.errors import Invalid
from mainspring.kernel.spans import CallTotals, Span, SpanFilter

INTO = "INSERT OR REPLACE INTO calls"
"""Begins the statement that stores rows; those that stood there are replaced."""
_MARK = "UPDATE calls SET status = ? WHERE project = ? AND start_ns = ? AND id = ?"
_DELETE = "DELETE FROM calls WHERE project = ? AND start_ns = ? AND id = ?"
_WORDS = ("environment", "model", "deployment", "release", "prompt", "service", "kind")
_MOST = 100_000
"""Rows that an answer is made of at most."""


_place = attrgetter(*_WORDS)


def row(project: int, short: Short, span: Span) -> tuple[Any, ...] | None:
    """Return the row of a span; None for one that is no model call, or that has not ended."""
    if span.kind not in COUNTED or short.status == RUNNING:
        return None
    return (
        project,
        short.start_ns,
        short.id,
        *_place(short),
        short.user,
        short.status,
        bucket(short.end_ns - short.start_ns),
        None if span.ttft_ms is None else bucket(int(span.ttft_ms * 1e6)),
        short.input_tokens or 0,
        short.output_tokens or 0,
        span.cached_tokens or 0,
        short.cost or 0.0,
        *facts(span),
    )


def renewed(
    project: int,
    before: Sequence[Short],
    fresh: dict[bytes, tuple[Short, Span]],
    outer: Collection[bytes],
) -> tuple[list[tuple[int, int, int]], list[tuple[Any, ...] | None]]:
    """Return the keys of a trace's calls that go and the rows that come.

    `outer` are those that enclose another one: each is the same call as its caller saw it, and does not count.
    """
    gone = [short for short in before if short.span in fresh or short.span in outer]
    kept = [pair for key, pair in fresh.items() if key not in outer]
    rows = [row(project, short, span) for short, span in kept]
    return [(project, short.start_ns, short.id) for short in gone], rows


def mark(connection: Any, marks: Iterable[tuple[int, int, int, int]]) -> None:
    """Change the status of calls that stand there: status, project, start and id of each."""
    connection.executemany(_MARK, marks)


def forget(connection: Any, keys: Iterable[tuple[int, int, int]]) -> None:
    """Remove calls."""
    connection.executemany(_DELETE, keys)


def backfill(connection: Any) -> None:
    """Make the rows of spans that were stored before there was such a table."""
    packer, marks = Packer(), ", ".join("?" * len(COUNTED))
    chosen = f"SELECT project, {', '.join(Short._fields)} FROM spans WHERE kind IN "  # noqa: S608
    chosen += f"(SELECT id FROM words WHERE text IN ({marks})) AND status <> {RUNNING} ORDER BY id"  # noqa: S608
    with closing(connection.cursor()) as cursor:
        for of, trace in itertools.groupby(cursor.execute(chosen, COUNTED), key=lambda one: one[1] >> SHIFT):
            found = [(project, Short(*short)) for project, *short in trace]
            said = dict(Bodies(connection, packer).lines(of))
            enclosing = {short.parent for _, short in found}
            kept = [one for one in found if one[1].span not in enclosing]
            rows = (row(project, short, decode(said[short.id])) for project, short in kept)
            connection.executemany(f"{INTO} VALUES ({', '.join('?' * 20)})", [one for one in rows if one is not None])


def totals(
    connection: Any, words: Words, project: int, where: SpanFilter, by: str, step_ns: int, groups: int
) -> list[CallTotals]:
    """Sum calls by step and group; what is not among the `groups` with most calls is one group.

    Raises Invalid where that has too many parts.
    """
    sql, values = _condition(connection, words, project, where)
    column = {"": "0", "user_id": "user"}.get(by, by)
    top = f"SELECT {column} FROM calls WHERE {sql} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT ?"  # noqa: S608
    chosen = [value for (value,) in connection.execute(top, (*values, groups))]
    marks = ", ".join("?" * len(chosen)) or "NULL"
    keys = f"(start_ns - ?) / ? AS at, CASE WHEN {column} IN ({marks}) THEN {column} END AS one"
    bound = (where.since_ns, step_ns, *chosen, *values, _MOST)
    rows = connection.execute(
        f"SELECT {keys}, bucket, sum(status <> {PASSED}), sum(status = 2), sum(input_tokens), sum(output_tokens), "  # noqa: S608
        f"sum(cached_tokens), sum(cost), sum(guard = 2 AND status <> {PASSED}), "
        f"sum(guard = 3 AND status <> {PASSED}), sum(cache = 2), sum(cache > 0), "
        f"sum(status = {PASSED}) "
        f"FROM calls WHERE {sql} GROUP BY 1, 2, 3 LIMIT ?",
        bound,
    ).fetchall()
    firsts = connection.execute(
        f"SELECT {keys}, first, count(*) FROM calls WHERE {sql} AND first IS NOT NULL AND status <> {PASSED} "  # noqa: S608
        "GROUP BY 1, 2, 3 LIMIT ?",
        bound,
    ).fetchall()
    if max(len(rows), len(firsts)) >= _MOST:
        raise Invalid("These figures have too many parts.", hint="Take longer steps, fewer groups or a shorter time.")

    def name(one: Any) -> str | None:
        if one is None or by == "user_id":
            return one  # type: ignore[no-any-return]
        return words.text(connection, one) if by else ""

    return gathered(
        [(where.since_ns + at * step_ns, name(one), *rest) for at, one, *rest in rows],
        [(where.since_ns + at * step_ns, name(one), *rest) for at, one, *rest in firsts],
    )


def _condition(connection: Any, words: Words, project: int, where: SpanFilter) -> tuple[str, list[Any]]:
    sql = ["project = ?", "start_ns >= ?"]
    values: list[Any] = [project, where.since_ns]
    if where.until_ns:
        sql.append("start_ns < ?")
        values.append(where.until_ns)
    for name in _WORDS:
        if not (text := getattr(where, name)):
            continue
        numbers = [words.find(connection, word) for word in text.lstrip("!").split(",")]
        sql.append(f"{name} {'NOT ' if text.startswith('!') else ''}IN ({', '.join('?' * len(numbers))})")
        values += [-1 if number is None else number for number in numbers]
    if where.user_id:
        sql.append("user = ?")
        values.append(where.user_id)
    if where.status:
        sql.append("status = ?")
        values.append(STATUS.index(where.status))
    return " AND ".join(sql), values
