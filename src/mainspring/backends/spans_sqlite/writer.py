"""Moves spans into the tables: one transaction a batch, which keeps traces, sessions and hourly totals in step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from mainspring.backends.spans_log.codec import Arrived, Packer, decode, preview, searchable
from mainspring.backends.spans_log.lines import (
    COUNTED,
    PASSED,
    ROUTE,
    RUNNING,
    STATUS,
    enclosing,
    failed,
    passed_on,
    root_of,
    spenders,
)
from mainspring.backends.spans_sqlite import bodies, calls
from mainspring.backends.spans_sqlite.bodies import Bodies, Fresh
from mainspring.backends.spans_sqlite.rows import Rows
from mainspring.backends.spans_sqlite.schema import SHIFT, Words
from mainspring.backends.spans_sqlite.sessions import Line
from mainspring.backends.spans_sqlite.totals import Short, Totals
from mainspring.kernel.spans import Span

_SHORT = (
    "id, span, parent, start_ns, end_ns, status, name, kind, environment, service, model, deployment, release, "
    "prompt, session, user, input_tokens, output_tokens, cost, says"
)
_SELECT_SHORT = f"SELECT {_SHORT} FROM spans WHERE id BETWEEN ? AND ? ORDER BY start_ns, span"  # noqa: S608
_IS_ERASED = "SELECT 1 FROM erased WHERE project = ? AND trace = ?"
_FIND_TRACE = (
    "SELECT id, user, start_ns, status, input_tokens, output_tokens, cost, session, environment, end_ns FROM traces "
    "WHERE project = ? AND trace = ?"
)
_LOOKED_UP = 32
_FIND_TRACES = _FIND_TRACE.replace("SELECT ", "SELECT trace, ").replace(
    "trace = ?", f"trace IN ({', '.join('?' * _LOOKED_UP)})"
)
_PLACE = slice(Short._fields.index("environment"), Short._fields.index("user") + 1)
"""Where a span was made, as the line of its trace says it too."""


class Writer:
    """The one connection of a process that writes; its caller sees to it that one thread uses it at a time."""

    def __init__(self, connection: Any, words: Words) -> None:
        self.connection = connection
        self.words = words
        self.packer = Packer()

    def apply(self, batch: Iterable[Arrived]) -> None:
        """Store a batch of spans in one transaction; spans of erased traces are left out."""
        by_trace: dict[tuple[str, str], dict[str, tuple[Span, bytes]]] = defaultdict(dict)
        for span, payload in batch:
            spans = by_trace[span.project, span.trace_id]
            if span.status != "running" or spans.get(span.span_id, (span,))[0].status == "running":
                spans[span.span_id] = (span, payload)
        all_totals: dict[int, Totals] = {}
        with self._transaction():
            rows = Rows(self._last_row(), *self._kinds())
            erased = self.connection.execute("SELECT EXISTS (SELECT 1 FROM erased)").get
            placed = {
                (self.words.intern(self.connection, project), bytes.fromhex(trace_id)): spans
                for (project, trace_id), spans in by_trace.items()
            }
            known = self._known(placed)
            for (number, trace), spans in placed.items():
                totals = all_totals.get(number)
                if totals is None:
                    totals = all_totals[number] = Totals(number)
                if erased and self.connection.execute(_IS_ERASED, (number, trace)).get:
                    continue
                found = known.get((number, trace))
                if found is None and len(spans) == 1:
                    (alone,) = spans.values()
                    self._store_alone(number, trace, *alone, totals, rows)
                else:
                    self._store_trace(number, trace, spans, totals, found, rows)
            rows.write(self.connection)
            for totals in all_totals.values():
                totals.write(self.connection)
            rows.write_texts(self.connection)

    def _known(self, wanted: Iterable[tuple[int, bytes]]) -> dict[tuple[int, bytes], tuple[Any, ...]]:
        """Return the lines of those of the traces that are there already, each as `_FIND_TRACE` says it."""
        known: dict[tuple[int, bytes], tuple[Any, ...]] = {}
        for project, pairs in groupby(sorted(wanted), key=itemgetter(0)):
            traces = [trace for _, trace in pairs]
            for at in range(0, len(traces), _LOOKED_UP):
                some = traces[at : at + _LOOKED_UP]
                some += some[-1:] * (_LOOKED_UP - len(some))  # so that it is always the same statement
                for trace, *line in self.connection.execute(_FIND_TRACES, (project, *some)):
                    known[project, trace] = tuple(line)
        return known

    def erase(self, project: str, traces: Iterable[bytes]) -> int:
        """Remove traces from every table in one transaction, for good; return the number of spans removed."""
        removed = 0
        with self._transaction():
            number = self.words.intern(self.connection, project)
            totals = Totals(number)
            counted, route = self._kinds()
            for trace in traces:
                self.connection.execute("INSERT OR IGNORE INTO erased VALUES (?, ?)", (number, trace))
                row = self.connection.execute(_FIND_TRACE, (number, trace)).fetchone()
                if row is None:
                    continue
                bounds = (row[0] << SHIFT, (row[0] + 1 << SHIFT) - 1)
                shorts = self._short_rows(row[0])
                part = _parts(shorts, route, counted)
                for short in shorts:
                    part.add(totals, short, -1)
                calls.forget(self.connection, [(number, short.start_ns, short.id) for short in shorts])
                removed += len(shorts)
                self.connection.execute("DELETE FROM texts WHERE rowid BETWEEN ? AND ?", bounds)
                self.connection.execute("DELETE FROM spans WHERE id BETWEEN ? AND ?", bounds)
                self.connection.execute("DELETE FROM traces WHERE id = ?", (row[0],))
                totals.leave(Line(*row[1:]))
            totals.write(self.connection)
        return removed

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit at the end of the block, roll back on an exception."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            self.words.forget()
            raise

    def _kinds(self) -> tuple[set[int], int]:
        """Return the numbers of the kinds of model calls, and of what stands above attempts."""
        counted = {self.words.intern(self.connection, kind) for kind in COUNTED}
        return counted, self.words.intern(self.connection, ROUTE)

    def _last_row(self) -> int:
        """Return the number of the last trace there was, erased ones included."""
        return int(
            self.connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'traces'").get
        )

    def _store_alone(self, project: int, trace: bytes, span: Span, payload: bytes, totals: Totals, rows: Rows) -> None:
        """Put a new trace of one span into `rows`. Most traces are such."""
        row = rows.new()
        short = self._shorten(row << SHIFT, bytes.fromhex(span.span_id), span)
        rows.spans.append((short.id, project, *short[1:], self.packer.pack(payload)))
        rows.texts.append((short.id, searchable(span)))
        rows.calls.append(calls.row(project, short, span))
        totals.add(short, 1)
        counts = (1, short.input_tokens or 0, short.output_tokens or 0, short.cost or 0.0)
        shown = (short.id, preview(span.input), preview(span.output)) if short.says else (0, "", "")
        what = (short.start_ns, short.end_ns, short.name, short.kind, short.status, *tuple(short)[_PLACE])
        rows.traces.append((*what, *counts, *shown, row, project, trace))
        place = (short.session, short.environment, short.end_ns)
        totals.enter(Line(short.user, short.start_ns, short.status, *counts[1:], *place))

    def _store_trace(
        self,
        project: int,
        trace: bytes,
        spans: dict[str, tuple[Span, bytes]],
        totals: Totals,
        found: tuple[Any, ...] | None,
        rows: Rows,
    ) -> None:
        """Store a trace's new spans and bring its line up to date."""
        row = rows.new() if found is None else found[0]
        before = [] if found is None else self._short_rows(row)
        fresh, gone = self._fresh(row, before, spans.values())
        if not fresh:
            return
        if found is not None:
            _, *line = found
            totals.leave(Line(*line))
        left_out = {short.id for short in gone}
        rows.texts += Bodies(self.connection, self.packer).take_out(left_out)
        self._put(project, fresh, rows)
        every = sorted(
            [*(short for short in before if short.id not in left_out), *(short for short, _, _ in fresh)],
            key=lambda short: (short.start_ns, short.span),
        )
        spoken = {short.id: span for short, span, _ in fresh}
        values = self._summarise(row, every, spoken, rows, known=found is not None)
        if found is None:
            rows.traces.append((*values, row, project, trace))
        else:
            rows.lines.append((*values, row))
        start, end, status, environment, session, user = (values[at] for at in (0, 1, 4, 5, 11, 12))
        sums = (values[14], values[15], values[16])
        totals.enter(Line(user, start, status, *sums, session, environment, end))
        part = _counted(project, before, every, spoken, totals, rows)
        by_key = {
            short.span: (short._replace(status=PASSED) if short.span in part.passed else short, span)
            for short, span, _ in fresh
        }
        left, kept = calls.renewed(project, before, by_key, part.outer)
        rows.gone += left
        rows.calls += kept

    def _fresh(
        self, row: int, before: Sequence[Short], spans: Iterable[tuple[Span, bytes]]
    ) -> tuple[list[Fresh], list[Short]]:
        """Return what of a trace's spans is new, and what is there no more because of it."""
        present = {short.span: short for short in before}
        following = max((short.id for short in before), default=(row << SHIFT) - 1) + 1
        fresh: list[Fresh] = []
        gone: list[Short] = []
        stored = Bodies(self.connection, self.packer)
        for span, payload in spans:
            key = bytes.fromhex(span.span_id)
            replaced = present.get(key)
            if replaced is not None:
                over = replaced.status != RUNNING
                if over and (span.status == "running" or stored.line(replaced.id) == payload):
                    continue
                gone.append(replaced)
            fresh.append((self._shorten(following, key, span), span, payload))
            following += 1
        return fresh, gone

    def _put(self, project: int, fresh: Sequence[Fresh], rows: Rows) -> None:
        """Put the spans of one trace into `rows`, several at a time in one body, those that run each in its own."""
        for group in bodies.divided(fresh):
            packed = self.packer.pack(bodies.joined([payload for _, _, payload in group]))
            for short, _, _ in group:
                rows.spans.append((short.id, project, *short[1:], packed))
                packed = b""
            rows.texts.append((group[0][0].id, searchable(*(span for _, span, _ in group))))

    def _shorten(self, number: int, key: bytes, span: Span) -> Short:
        """Make the short columns of a span."""
        names = (span.kind, span.environment, span.service, span.model, span.deployment, span.release, span.prompt)
        kind, environment, service, model, deployment, release, prompt = self.words.interned(self.connection, names)
        # In the order of the fields, without their names: this is done for every span there is.
        return Short(
            number,
            key,
            bytes.fromhex(span.parent_id) if span.parent_id.strip("0") else None,
            span.start_ns,
            span.end_ns,
            STATUS.index(span.status),
            span.name,
            kind,
            environment,
            service,
            model,
            deployment,
            release,
            prompt,
            span.session_id,
            span.user_id,
            span.input_tokens,
            span.output_tokens,
            span.cost,
            int(span.input is not None or span.output is not None),
        )

    def _short_rows(self, row: int) -> list[Short]:
        """Return the short columns of a trace's spans, in order of start."""
        found = self.connection.execute(_SELECT_SHORT, (row << SHIFT, (row + 1 << SHIFT) - 1))
        return [Short(*columns) for columns in found]

    def _summarise(
        self, row: int, every: list[Short], fresh: dict[int, Span], rows: Rows, *, known: bool
    ) -> tuple[Any, ...]:
        """Make the line of a trace, `known` or new, from the short columns of all its spans."""
        root = root_of(every)
        ordered = [root, *(short for short in every if short is not root)]
        counting = spenders(every, rows.counted, rows.route)
        place = tuple(root)[_PLACE]
        for short in ordered:
            if all(place):
                break
            place = tuple(one or other for one, other in zip(place, tuple(short)[_PLACE], strict=True))
        return (
            min([short.start_ns for short in every]),
            max([short.end_ns for short in every]),
            root.name,
            root.kind,
            2 if failed(every, rows.route) else root.status,
            *place,
            len(every),
            sum([short.input_tokens or 0 for short in counting]),
            sum([short.output_tokens or 0 for short in counting]),
            sum([short.cost or 0.0 for short in counting]),
            *self._shown(row, ordered, fresh, known=known),
        )

    def _shown(self, row: int, ordered: list[Short], fresh: dict[int, Span], *, known: bool) -> tuple[int, str, str]:
        """Return the first span that says something, and how that begins."""
        speaker = next((short for short in ordered if short.says), None)
        if speaker is None:
            return (0, "", "")
        whole = fresh.get(speaker.id)
        if whole is None and known:
            sql = "SELECT speaker, input_preview, output_preview FROM traces WHERE id = ?"
            shown: tuple[int, str, str] = self.connection.execute(sql, (row,)).fetchone()
            if shown[0] == speaker.id:
                return shown
        if whole is None:
            whole = decode(Bodies(self.connection, self.packer).line(speaker.id))
        return (speaker.id, preview(whole.input), preview(whole.output))


class _Parts(NamedTuple):
    """What part spans of a trace play in the figures, where they do not count in full."""

    passed: set[bytes]
    """Attempts at routed calls that another one followed."""
    quiet: set[bytes]
    """Those, and the spans above attempts: how the last attempt ended is how the call did, and is one error at most."""
    outer: set[bytes]
    """Spans that enclose a model call; one that is a call itself is the same call as its caller saw it."""

    def of(self, short: Short) -> tuple[bool, bool]:
        return short.span in self.quiet, short.span in self.outer

    def add(self, totals: Totals, short: Short, sign: int) -> None:
        quiet, outer = self.of(short)
        totals.add(short, sign, quiet=quiet, outer=outer)


def _parts(shorts: Sequence[Short], route: int, counted: Collection[int]) -> _Parts:
    made = [short for short in shorts if short.kind in counted]
    called = {short.span for short in made}
    outer = enclosing(shorts, made, route) & called if len(made) > 1 else set()
    if all(short.kind != route for short in shorts):
        return _Parts(set(), set(), outer)
    passed, parents = passed_on(shorts, route, counted), {short.parent for short in shorts}
    above = {short.span for short in shorts if short.kind == route and short.span in parents}
    return _Parts(passed, passed | above, outer)


def _counted(
    project: int, before: Sequence[Short], every: Sequence[Short], fresh: Collection[int], totals: Totals, rows: Rows
) -> _Parts:
    """Bring the hours up to date with a trace; return the parts that its spans play.

    Its calls that an attempt has followed meanwhile are marked.
    """
    were, are = _parts(before, rows.route, rows.counted), _parts(every, rows.route, rows.counted)
    stays = {short.id for short in every}
    for short in before:
        if short.id not in stays or were.of(short) != are.of(short):
            were.add(totals, short, -1)
    for short in every:
        moved = short.id not in fresh and were.of(short) != are.of(short)
        if short.id in fresh or moved:
            are.add(totals, short, 1)
        if moved and short.kind in rows.counted:
            status = PASSED if short.span in are.passed else short.status
            rows.marks.append((status, project, short.start_ns, short.id))
    return are
