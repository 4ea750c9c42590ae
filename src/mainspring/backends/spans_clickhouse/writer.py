"""Moves spans into ClickHouse, and keeps the line of each trace in step with its spans."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from mainspring.backends.spans_clickhouse.server import Server
from mainspring.backends.spans_log.codec import Arrived, preview, searchable
from mainspring.backends.spans_log.lines import COUNTED, ROUTE, STATUS, bucket, facts, failed, root_of, spenders
from mainspring.backends.spans_log.words import stored
from mainspring.kernel.spans import Span

CHUNK = 500
"""Ids that one statement names: they travel in its address."""
_ENDED = 1 << 62
"""Added to the version of a span that has ended, so that a running one never replaces it."""

_SHORT = (
    "span, parent, start_ns, end_ns, status, name, kind, environment, service, model, deployment, release, prompt, "
    "session, user, input_tokens, output_tokens, cost, says, input_preview, output_preview, version"
)
_COUNTED = ("first", "cached", "guard", "cache")
_SPAN = ["project", "trace", *_SHORT.split(", "), "bucket", *_COUNTED, "words", "body"]
_LINE = (
    "project, trace, start_ns, end_ns, name, kind, status, environment, service, model, deployment, release, prompt, "
    "session, user, spans, input_tokens, output_tokens, cost, input_preview, output_preview, version, arrived"
).split(", ")
_OF_TRACES = "project = {project:String} AND trace IN {traces:Array(String)}"


class Short(NamedTuple):
    """The short columns of a span's row."""

    span: bytes
    parent: bytes | None
    start_ns: int
    end_ns: int
    status: int
    name: str
    kind: str
    environment: str
    service: str
    model: str
    deployment: str
    release: str
    prompt: str
    session: str
    user: str
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    says: int
    input_preview: str
    output_preview: str
    version: int


class Writer:
    """Writes batches; its caller sees to it that one thread of a process does so at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._last = 0
        self._counting = threading.Lock()

    def apply(self, batch: Iterable[Arrived]) -> None:
        """Store a batch of spans; those of erased traces are left out. To do it twice changes nothing."""
        by_trace: dict[str, dict[str, dict[str, tuple[Span, bytes]]]] = defaultdict(lambda: defaultdict(dict))
        for span, payload in batch:
            spans = by_trace[span.project][span.trace_id]
            if span.status != "running" or spans.get(span.span_id, (span,))[0].status == "running":
                spans[span.span_id] = (span, payload)
        for project, traces in by_trace.items():
            for names in _chunks(list(traces)):
                gone = self._erased(project, names)
                kept = [name for name in names if name not in gone]
                rows = [self._row(*found) for name in kept for found in traces[name].values()]
                self._server.insert("spans", rows, _SPAN)
                self._summarise(project, kept)
                # An erasure that came in between removed what was there before these rows.
                if late := self._erased(project, kept):
                    self._remove(project, sorted(late))

    def erase(self, project: str, traces: Sequence[str]) -> int:
        """Remove traces from every table for good; return the number of spans removed."""
        removed = 0
        for names in _chunks(traces):
            self._server.insert("erased", [(project, name) for name in names], ["project", "trace"])
            sql = f"SELECT count() FROM spans FINAL WHERE {_OF_TRACES}"  # noqa: S608
            removed += int(self._server.query(sql, project=project, traces=list(names))[0][0])
            self._remove(project, names)
        return removed

    def _remove(self, project: str, names: Sequence[str]) -> None:
        for table in ("spans", "traces"):
            sql = f"ALTER TABLE {table} DELETE WHERE {_OF_TRACES} SETTINGS mutations_sync = 2"
            self._server.run(sql, project=project, traces=list(names))

    def _erased(self, project: str, names: Sequence[str]) -> set[str]:
        if not names:
            return set()
        sql = f"SELECT trace FROM erased WHERE {_OF_TRACES}"  # noqa: S608
        return {row[0].decode() for row in self._server.query(sql, project=project, traces=list(names))}

    def _version(self, span: Span) -> int:
        with self._counting:
            self._last = max(self._last + 1, time.time_ns())
            return self._last + (0 if span.status == "running" else _ENDED)

    def _row(self, span: Span, payload: bytes) -> tuple[Any, ...]:
        return (
            span.project,
            span.trace_id,
            span.span_id,
            span.parent_id if span.parent_id.strip("0") else "",
            span.start_ns,
            span.end_ns,
            STATUS.index(span.status),
            span.name,
            span.kind,
            span.environment,
            span.service,
            span.model,
            span.deployment,
            span.release,
            span.prompt,
            span.session_id,
            span.user_id,
            span.input_tokens,
            span.output_tokens,
            span.cost,
            int(span.input is not None or span.output is not None),
            preview(span.input),
            preview(span.output),
            self._version(span),
            bucket(span.end_ns - span.start_ns),
            None if span.ttft_ms is None else bucket(int(span.ttft_ms * 1e6)),
            span.cached_tokens,
            *facts(span),
            stored(searchable(span)),
            payload,
        )

    def _summarise(self, project: str, names: Sequence[str]) -> None:
        """Write the lines of traces from the short columns of all their spans.

        When a trace arrived stays as it is, whatever replaces its spans. Processes may do so for one trace at the same
        time. A line's version is the sum of its spans' versions, which
        grows with every span that is added or replaced: the line that knew most is the one that stays.
        """
        if not names:
            return
        sql = f"SELECT trace, {_SHORT} FROM spans FINAL WHERE {_OF_TRACES} ORDER BY trace, start_ns, span"  # noqa: S608
        by_trace: dict[str, list[Short]] = defaultdict(list)
        for trace, span, parent, *rest in self._server.query(sql, project=project, traces=list(names)):
            by_trace[trace.decode()].append(Short(span, parent.encode() or None, *rest))
        sql = f"SELECT trace, arrived FROM traces FINAL WHERE {_OF_TRACES}"  # noqa: S608
        known = {trace.decode(): at for trace, at in self._server.query(sql, project=project, traces=list(names))}
        lines = []
        for trace, rows in by_trace.items():
            first = min(short.version % _ENDED for short in rows)
            lines.append((project, trace, *_line(rows), min(first, known.get(trace, first))))
        self._server.insert("traces", lines, _LINE)


def _line(rows: list[Short]) -> tuple[Any, ...]:
    """Return what the list of traces says of one: the columns of `_LINE` after its id."""
    root = root_of(rows)
    ordered = [root, *(short for short in rows if short is not root)]
    speaker = next((short for short in ordered if short.says), root)

    def first(column: str) -> Any:
        return next((value for short in ordered if (value := getattr(short, column))), getattr(root, column))

    counting = spenders(rows, COUNTED, ROUTE)
    columns = ("environment", "service", "model", "deployment", "release", "prompt", "session", "user")
    return (
        min(short.start_ns for short in rows),
        max(short.end_ns for short in rows),
        root.name,
        root.kind,
        2 if failed(rows, ROUTE) else root.status,
        *(first(column) for column in columns),
        len(rows),
        sum(short.input_tokens or 0 for short in counting),
        sum(short.output_tokens or 0 for short in counting),
        sum(short.cost or 0.0 for short in counting),
        speaker.input_preview,
        speaker.output_preview,
        sum(short.version for short in rows),
    )


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    held = list(names)
    for at in range(0, len(held), CHUNK):
        yield held[at : at + CHUNK]
