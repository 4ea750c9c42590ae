"""Reads the tables: pages of traces and sessions, spans of a trace, scans and hourly totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from mainspring.backends.spans_log.attributes import MOST_SPANS, Matcher
from mainspring.backends.spans_log.codec import Packer, decode
from mainspring.backends.spans_log.lines import (
    HOUR_NS,
    RUNNING,
    STATUS,
    cursor_parts,
    trace_key,
    whole_number,
)
from mainspring.backends.spans_sqlite import calls, overview
from mainspring.backends.spans_sqlite.bodies import Bodies, bounds
from mainspring.backends.spans_sqlite.scanning import scanned
from mainspring.backends.spans_sqlite.schema import Words
from mainspring.backends.spans_sqlite.searching import holding
from mainspring.backends.spans_sqlite.walks import Equal, rarest_first
from mainspring.kernel import access
from mainspring.kernel.errors import Invalid
from mainspring.kernel.spans import (
    CallTotals,
    SessionSummary,
    Span,
    SpanFilter,
    SpanLine,
    TraceSummary,
    Usage,
    UserSummary,
)

_WORD_COLUMNS = ("environment", "model", "deployment", "release", "prompt", "service", "kind")
_DIMENSIONS = ("environment", "deployment", "release", "model", "kind")
_TEXT_COLUMNS = {"session_id": "session", "user_id": "user", "name": "name"}
_LINE = (
    "id, trace, name, kind, start_ns, end_ns, status, environment, service, model, deployment, release, session, "
    "user, spans, input_tokens, output_tokens, cost, input_preview, output_preview"
)
_CHUNK = 256
_CHOSEN = "trace IN"

Condition = tuple[str, list[Any]]


class Reader:
    """Questions to one connection."""

    def __init__(self, connection: Any, words: Words, packer: Packer) -> None:
        self._connection = connection
        self._words = words
        self._packer = packer

    def traces(self, project: str, where: SpanFilter, limit: int, cursor: str) -> tuple[list[TraceSummary], str]:
        """Return a page of traces, newest first: by start, or by arrival where words are searched for."""
        condition = self._condition(project, where, "traces")
        if condition is None or limit < 1:
            return [], ""
        if where.attributes:
            rows, following = self._passing(where, condition, limit, cursor)
        else:
            rows, following = self._rows(where.query, condition, limit, cursor)
        return [self._line(row) for row in rows], following

    def histogram(self, project: str, where: SpanFilter, edges: Sequence[int]) -> list[tuple[int, int] | None]:
        """Count traces, and those with an error, between each two edges, newest first."""
        condition = self._condition(project, where, "traces")
        if condition is None:
            return [(0, 0)] * (len(edges) - 1)
        return overview.histogram(self._connection, condition, edges)

    def trace(self, project: str, trace_id: str) -> list[Span]:
        """Return a trace's spans in order of start."""
        row = self._row(project, trace_id)
        if row is None:
            return []
        found = [decode(line) for _, line in Bodies(self._connection, self._packer).lines(row)]
        return sorted(found, key=lambda span: (span.start_ns, span.span_id))

    def outline(self, project: str, trace_id: str) -> list[SpanLine]:
        """Return a trace's spans in order of start, without their texts."""
        row = self._row(project, trace_id)
        if row is None:
            return []
        return overview.outline(self._connection, lambda number: self._words.text(self._connection, number), row)

    def span(self, project: str, trace_id: str, span_id: str) -> Span | None:
        """Return one span of a trace, or None."""
        row = self._row(project, trace_id)
        if row is None or len(span_id) != 16:
            return None
        line = Bodies(self._connection, self._packer).of_span(row, trace_key(span_id))
        return None if line is None else decode(line)

    def users(self, project: str, where: SpanFilter, limit: int, cursor: str) -> tuple[list[UserSummary], str]:
        """Return a page of users, last seen first."""
        number = self._words.find(self._connection, project)
        if number is None or limit < 1:
            return [], ""
        return overview.users(self._connection, number, where, limit, cursor)

    def scan(self, project: str, where: SpanFilter, limit: int) -> Iterator[Span]:
        """Yield spans that match, newest first."""
        condition = self._condition(project, where, "spans")
        if condition is None:
            return
        sql, values = condition
        if not where.status:
            sql += f" AND status <> {RUNNING}"
        if where.trace_ids:
            rows = [row for trace_id in where.trace_ids if (row := self._row(project, trace_id)) is not None]
            marks = " OR ".join(["id BETWEEN ? AND ?"] * len(rows)) or "0"
            sql += f" AND ({marks})"
            values = values + [bound for row in rows for bound in bounds(row)]
        yield from scanned(self._connection, self._packer, (sql, values), where, limit)

    def sessions(self, project: str, where: SpanFilter, limit: int, cursor: str) -> tuple[list[SessionSummary], str]:
        """Return a page of sessions, last active first."""
        number = self._words.find(self._connection, project)
        environment = self._words.find(self._connection, where.environment)
        if number is None or environment is None or limit < 1:
            return [], ""
        return overview.sessions(self._connection, number, environment, where, limit, cursor)

    def usage(self, project: str, where: SpanFilter) -> list[Usage]:
        """Return hourly totals, oldest first."""
        number = self._words.find(self._connection, project)
        if number is None:
            return []
        sql, values = "project = ? AND hour >= ?", [number, where.since_ns // HOUR_NS]
        if where.until_ns:
            sql += " AND hour <= ?"
            values.append((where.until_ns - 1) // HOUR_NS)
        for name in _DIMENSIONS:
            if getattr(where, name):
                sql += f" AND {name} = ?"
                values.append(self._words.find(self._connection, getattr(where, name)) or -1)
        rows = self._connection.execute(
            f"SELECT * FROM hours WHERE {sql} ORDER BY hour, environment, deployment, release, model, kind",  # noqa: S608
            values,
        )
        groups: dict[tuple[int, ...], list[tuple[Any, ...]]] = {}
        for row in rows:
            groups.setdefault(row[1:7], []).append(row[7:])
        found = [self._hour(key, parts) for key, parts in groups.items()]
        return sorted(found, key=lambda one: (one.hour_ns, *(getattr(one, name) for name in _DIMENSIONS)))

    def calls(self, project: str, where: SpanFilter, by: str, step_ns: int, groups: int) -> list[CallTotals]:
        """Return sums of model calls by step and group."""
        number = self._words.find(self._connection, project)
        if number is None:
            return []
        return calls.totals(self._connection, self._words, number, where, by, step_ns, groups)

    def counts(self) -> tuple[int, int]:
        """Return the number of spans and of traces, over all projects."""
        # Rows of an index are counted page by page; the sums that stand in the traces would have to be read one by one.
        spans = self._connection.execute("SELECT count(*) FROM spans").get
        return int(spans), int(self._connection.execute("SELECT count(*) FROM traces").get)

    def _hour(self, key: tuple[int, ...], parts: list[tuple[Any, ...]]) -> Usage:
        environment, deployment, release, model, kind = (
            self._words.text(self._connection, number) for number in key[1:]
        )
        spans, errors, roots, input_tokens, output_tokens, cost, duration = (
            sum(part[index] for part in parts) for index in range(1, 8)
        )
        return Usage(
            hour_ns=key[0] * HOUR_NS,
            environment=environment,
            deployment=deployment,
            release=release,
            model=model,
            kind=kind,
            spans=spans,
            errors=errors,
            roots=roots,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost=cost,
            duration_ms=duration / 1e6,
            latencies={part[0]: part[1] for part in parts},
        )

    def _row(self, project: str, trace_id: str) -> int | None:
        number = self._words.find(self._connection, project)
        try:
            key = bytes.fromhex(trace_id)
        except ValueError:
            return None
        sql = "SELECT id FROM traces WHERE project = ? AND trace = ?"
        found = self._connection.execute(sql, (number, key)).get
        return None if found is None else int(found)

    def _condition(self, project: str, where: SpanFilter, table: str) -> Condition | None:
        """Return SQL and its values for a filter; None where nothing can match."""
        number = self._words.find(self._connection, project)
        if number is None:
            return None
        # Where few traces are chosen, their own rows are looked at: no index is walked along.
        sql = ["+project = ?" if where.trace_ids and table == "spans" else "project = ?"]
        values: list[Any] = [number]
        equal: list[Equal] = []
        for name in _WORD_COLUMNS:
            if not (text := getattr(where, name)):
                continue
            if text.startswith("!"):
                left_out = [self._words.find(self._connection, word) for word in text[1:].split(",")]
                sql.append(f"{name} NOT IN ({', '.join('?' * len(left_out))})")
                values += [-1 if word is None else word for word in left_out]
                continue
            found = self._words.find(self._connection, text)
            if found is None:
                return None
            equal.append(Equal(name, found))
        for field, column in _TEXT_COLUMNS.items():
            if text := getattr(where, field):
                equal.append(Equal(column, text))
        if where.status:
            if where.status not in STATUS:
                raise Invalid(f"status is {where.status!r}.", hint=f"It is one of {', '.join(STATUS)}.")
            sql.append("status = 2" if where.status == "error" else f"status = {STATUS.index(where.status)}")
        bounds = [
            (f"start_ns {sign} ?", whole_number(at))
            for sign, at in ((">=", where.since_ns), ("<", where.until_ns))
            if at
        ]
        if where.trace_ids:
            sql += [f"+{test.column} = ?" for test in equal]
            bounds = [(f"+{test}", at) for test, at in bounds]
        elif table == "traces":
            sql += rarest_first(self._connection, number, equal, bounds)
        else:
            sql += [test.sql for test in equal]
        values += [test.value for test in equal]
        sql += [test for test, _ in bounds]
        values += [at for _, at in bounds]
        if where.min_duration_ms:
            sql.append("end_ns - start_ns >= ?")
            values.append(where.min_duration_ms * 1e6)
        if where.trace_ids and table == "traces":
            sql.append(f"{_CHOSEN} ({', '.join('?' * len(where.trace_ids))})")
            values += [trace_key(trace_id) for trace_id in where.trace_ids]
        return " AND ".join(sql), values

    def _rows(self, query: str, condition: Condition, limit: int, cursor: str) -> tuple[list[tuple[Any, ...]], str]:
        if query:
            return self._searched(query, condition, limit, cursor)
        return self._listed(condition, limit, cursor)

    def _passing(
        self, where: SpanFilter, condition: Condition, limit: int, cursor: str
    ) -> tuple[list[tuple[Any, ...]], str]:
        """Return the traces of which a span passes the tests, from as many spans as one page may look at."""
        matcher, looked = Matcher(where.attributes), 0
        found: list[tuple[Any, ...]] = []
        while True:
            rows, following = self._rows(where.query, condition, _CHUNK, cursor)
            for at, row in enumerate(rows, 1):
                access.check_waited_for()
                looked += row[14]
                bodies = Bodies(self._connection, self._packer)
                if any(matcher.fits(line) for _, line in bodies.lines(row[0])):
                    found.append(row)
                if (len(found) == limit or looked >= MOST_SPANS) and (at < len(rows) or following):
                    return found, str(row[0]) if where.query else _place(row)
            if not following:
                return found, ""
            cursor = following

    def _listed(self, condition: Condition, limit: int, cursor: str) -> tuple[list[tuple[Any, ...]], str]:
        sql, values = condition
        # Where few are chosen, they are looked up: a plus keeps the index of the start from being walked along.
        start_ns = "+start_ns" if _CHOSEN in sql else "start_ns"
        if cursor:
            start, trace = cursor_parts(cursor, 2)
            sql += f" AND ({start_ns}, trace) < (?, ?)"
            values = [*values, whole_number(start), trace_key(trace)]
        rows = self._connection.execute(
            f"SELECT {_LINE} FROM traces WHERE {sql} ORDER BY {start_ns} DESC, trace DESC LIMIT ?",  # noqa: S608
            (*values, limit + 1),
        ).fetchall()
        more = len(rows) > limit
        rows = rows[:limit]
        return rows, _place(rows[-1]) if more else ""

    def _searched(self, query: str, condition: Condition, limit: int, cursor: str) -> tuple[list[tuple[Any, ...]], str]:
        sql, values = condition
        before = whole_number(cursor_parts(cursor, 1)[0]) if cursor else 1 << 38
        rows: list[tuple[Any, ...]] = []
        found = holding(self._connection, query, before)
        looked = min(limit + 1, _CHUNK)
        while chunk := list(islice(found, looked)):
            looked = _CHUNK
            marks = ", ".join("?" * len(chunk))
            rows += self._connection.execute(
                # Left to itself, SQLite walks along an index of the whole project to find these few.
                f"SELECT {_LINE} FROM traces NOT INDEXED WHERE id IN ({marks}) AND {sql} ORDER BY id DESC",  # noqa: S608
                (*chunk, *values),
            ).fetchall()
            if len(rows) > limit:
                return rows[:limit], f"{rows[limit - 1][0]}"
        return rows, ""

    def _line(self, row: tuple[Any, ...]) -> TraceSummary:
        _, trace, name, kind, start, end, status, environment, service, model, deployment, release, *rest = row
        session, user, spans, input_tokens, output_tokens, cost, said, answered = rest

        def text(number: int) -> str:
            return self._words.text(self._connection, number)

        return TraceSummary(
            trace_id=trace.hex(),
            name=name,
            kind=text(kind),
            start_ns=start,
            duration_ms=(end - start) / 1e6,
            status=STATUS[status],
            environment=text(environment),
            service=text(service),
            model=text(model),
            deployment=text(deployment),
            release=text(release),
            session_id=session,
            user_id=user,
            spans=spans,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost=cost,
            input_preview=said,
            output_preview=answered,
        )


def _place(row: tuple[Any, ...]) -> str:
    """Return the cursor after a row of the list: what begins at the same moment is in the order of its ids."""
    return f"{row[4]}:{row[1].hex()}"
