"""The Spans port over a ClickHouse server, with write-ahead files in the home folder before it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from mainspring.backends.spans_clickhouse import calls, overview, queries
from mainspring.backends.spans_clickhouse.server import Server
from mainspring.backends.spans_clickhouse.writer import Writer
from mainspring.backends.spans_log.codec import arrived, decode
from mainspring.backends.spans_log.intake import BATCH, Intake
from mainspring.backends.spans_log.lines import check_calls, trace_key
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

_GATHER_SECONDS = 0.2
"""How long a batch waits to grow: every insert makes a part that the server has to merge."""
_PATIENCE = 10.0
"""Seconds that a reader waits for what this process wrote, where the server answers."""
_HEADER = b'{"mainspring_spans":1}'


def open_spans(url: str, home: Path, settings: Mapping[str, Any]) -> ClickHouseSpans:
    """Open the database of `clickhouse://user:password@host:port/database`; write-ahead files lie in `home/spans`."""
    return ClickHouseSpans(url, home / "spans")


class ClickHouseSpans:
    """Spans in one database; any number of processes may have it open."""

    def __init__(self, url: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._server = Server(url)
        self._server.reach()
        self._writer = Writer(self._server)
        self._intake = Intake(folder / "wal", self._writer.apply, gather=_GATHER_SECONDS)

    def append(self, spans: Sequence[Span], *, synced: bool = True) -> None:
        """Store durably in the write-ahead file before returning, whether the server is there or not."""
        self._intake.append(spans, synced=synced)

    @property
    def crowded(self) -> bool:
        """Whether so much waits to be indexed that who can wait should."""
        return self._intake.crowded

    def flush(self, timeout: float = 60.0) -> None:
        """Wait until everything that this process appended is visible. Raises Unavailable where that fails."""
        self._intake.flush(timeout)

    def traces(
        self, project: str, where: SpanFilter, *, limit: int, cursor: str = ""
    ) -> tuple[list[TraceSummary], str]:
        """Return one page of traces, newest first, and the next cursor (empty at the end)."""
        self._intake.settle(_PATIENCE)
        return queries.page_of_traces(self._server, project, where, limit, cursor)

    def histogram(self, project: str, where: SpanFilter, edges: Sequence[int]) -> list[tuple[int, int] | None]:
        """Count traces, and those with an error, between each two edges, newest first."""
        self._intake.settle(_PATIENCE)
        return overview.histogram(self._server, queries.condition(project, where), edges)

    def trace(self, project: str, trace_id: str) -> list[Span]:
        """Return a trace's spans in order of start; empty where it is unknown."""
        self._intake.settle(_PATIENCE)
        return queries.spans_of(self._server, project, trace_id)

    def outline(self, project: str, trace_id: str) -> list[SpanLine]:
        """Return a trace's spans in order of start, without their texts; empty where it is unknown."""
        self._intake.settle(_PATIENCE)
        return overview.outline(self._server, project, trace_id)

    def span(self, project: str, trace_id: str, span_id: str) -> Span | None:
        """Return one span of a trace, or None."""
        self._intake.settle(_PATIENCE)
        return overview.one_span(self._server, project, trace_id, span_id)

    def users(self, project: str, where: SpanFilter, *, limit: int, cursor: str = "") -> tuple[list[UserSummary], str]:
        """Return one page of users, last seen first, and the next cursor (empty at the end)."""
        self._intake.settle(_PATIENCE)
        return overview.users(self._server, project, where, limit, cursor)

    def scan(self, project: str, where: SpanFilter, *, limit: int) -> Iterator[Span]:
        """Yield spans that match, newest first, at most `limit`; a query's words must all stand in the span itself."""
        self._intake.settle(_PATIENCE)
        yield from queries.scan(self._server, project, where, limit)

    def sessions(
        self, project: str, where: SpanFilter, *, limit: int, cursor: str = ""
    ) -> tuple[list[SessionSummary], str]:
        """Return one page of sessions, last active first, and the next cursor (empty at the end)."""
        self._intake.settle(_PATIENCE)
        return queries.page_of_sessions(self._server, project, where, limit, cursor)

    def usage(self, project: str, where: SpanFilter) -> list[Usage]:
        """Return hourly totals from `since_ns` to `until_ns`, narrowed by the dimensions that `Usage` names."""
        self._intake.settle(_PATIENCE)
        return queries.hours(self._server, project, where)

    def calls(
        self, project: str, where: SpanFilter, *, by: str = "", step_ns: int, groups: int = 10
    ) -> list[CallTotals]:
        """Return sums of ended model calls by step and group."""
        check_calls(by, step_ns, groups, where)
        self._intake.settle(_PATIENCE)
        return calls.totals(self._server, project, where, by, step_ns, groups)

    def delete(self, project: str, trace_ids: Sequence[str]) -> int:
        """Erase traces everywhere: tables, word index, write-ahead files; return the number of spans.

        The server drops the files of the old parts within a minute. Spans of an erased trace that arrive later are
        dropped. Raises Unavailable where a process that does not answer still holds spans in its write-ahead file.
        """
        if not trace_ids:
            return 0
        names = [trace_key(trace_id).hex() for trace_id in trace_ids]
        self.flush()
        with self._intake.writing:
            removed = self._writer.erase(project, names)
            self._intake.recover()
        self._intake.purge()
        return removed

    def stats(self) -> Mapping[str, int]:
        """Return `spans`, `traces`, `bytes` on the server's disk and `pending` (appended, not yet visible)."""
        spans, traces, size = queries.counts(self._server)
        return {"spans": spans, "traces": traces, "bytes": size, "pending": self._intake.pending}

    def backup(self, target: Path) -> None:
        """Write a consistent copy into the file `target`, acknowledged spans of every process included."""
        self.flush()
        logs = self._intake.others()
        spans = (body.encode() for (body,) in self._server.stream("SELECT body FROM spans FINAL"))
        erased = self._server.stream("SELECT project, trace FROM erased FINAL")
        marks = (msgspec.json.encode({"erased": [project, trace.decode()]}) for project, trace in erased)
        with target.open("wb") as file, zstandard.ZstdCompressor(level=3).stream_writer(file) as packed:
            for line in itertools.chain([_HEADER], marks, spans, logs):
                packed.write(line + b"\n")

    def restore(self, source: Path) -> None:
        """Replace the whole content by a copy that `backup` wrote; no other process may be connected."""
        for _ in _lines(source):  # the whole file is read before anything is removed
            pass
        self.flush()
        with self._intake.writing:
            for table in ("spans", "traces", "erased"):
                self._server.run(f"TRUNCATE TABLE {table}")
            lines = _lines(source)
            while batch := list(itertools.islice(lines, BATCH)):
                marks = [found["erased"] for line in batch if isinstance(found := line, dict)]
                self._server.insert("erased", marks, ["project", "trace"])
                self._writer.apply(arrived(line for line in batch if isinstance(line, bytes)))

    def close(self) -> None:
        """Flush and release."""
        if self._intake.closing:
            return
        self._intake.close()
        self._server.close()


def _lines(source: Path) -> Iterator[bytes | dict[str, Any]]:
    """Yield what a backup holds: spans as bytes, marks of erased traces as objects. Raises Invalid for another file."""
    problem = Invalid(f"{source.name} is not a backup of this version's span store.")
    rest = b""
    try:
        with source.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as unpacked:
            first = True
            while data := unpacked.read(1 << 20):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    if first:
                        if line != _HEADER:
                            raise problem
                        first = False
                    elif line.startswith(b'{"erased":'):
                        yield msgspec.json.decode(line)
                    else:
                        decode(line)
                        yield line
    except (OSError, zstandard.ZstdError, msgspec.MsgspecError):
        raise problem from None
    if first or rest:
        raise problem
