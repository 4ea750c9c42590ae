"""The Spans port over a folder: write-ahead files, one SQLite database, and the thread that joins them."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import apsw

from mainspring.backends.spans_log.codec import Packer, arrived
from mainspring.backends.spans_log.intake import BATCH, Intake
from mainspring.backends.spans_log.lines import check_calls
from mainspring.backends.spans_sqlite.purging import drop_erased
from mainspring.backends.spans_sqlite.queries import Reader
from mainspring.backends.spans_sqlite.schema import BUSY_MS, VERSION, Words, connect, migrate
from mainspring.backends.spans_sqlite.writer import Writer
from mainspring.kernel.errors import Cancelled, Invalid
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

T = TypeVar("T")

_ERASE_CHUNK = 500
_CHECKPOINT_SECONDS = 10.0
_PATIENCE = 2.0
"""Seconds for which a reader waits until what this process wrote is indexed."""


def open_spans(url: str, home: Path, settings: Mapping[str, Any]) -> SqliteSpans:
    """Open the span store: in `home/spans` where the URL is empty, else in the folder of `sqlite:///folder`."""
    scheme, _, folder = url.partition("://")
    if url and (scheme != "sqlite" or not folder):
        raise Invalid(f"spans.url is {url!r}.", hint="Leave it empty, or give sqlite:///folder.")
    return SqliteSpans(Path(folder) if url else home / "spans")


class SqliteSpans:
    """Spans in one folder; any number of processes may have it open."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._path = folder / "spans.sqlite"
        self._words = Words()
        self._writer = Writer(connect(self._path, write=True), self._words)
        migrate(self._writer.connection)
        self._readers: queue.SimpleQueue[tuple[Any, Reader]] = queue.SimpleQueue()
        self._intake = Intake(folder / "wal", self._writer.apply, calm=self._shrink)

    def append(self, spans: Sequence[Span], *, synced: bool = True) -> None:
        """Store durably before returning; see `Intake.append`."""
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
        return self._ask(lambda reader: reader.traces(project, where, limit, cursor))

    def histogram(self, project: str, where: SpanFilter, edges: Sequence[int]) -> list[tuple[int, int] | None]:
        """Count traces, and those with an error, between each two edges, newest first."""
        return self._ask(lambda reader: reader.histogram(project, where, edges))

    def trace(self, project: str, trace_id: str) -> list[Span]:
        """Return a trace's spans in order of start; empty where it is unknown."""
        return self._ask(lambda reader: reader.trace(project, trace_id))

    def outline(self, project: str, trace_id: str) -> list[SpanLine]:
        """Return a trace's spans in order of start, without their texts; empty where it is unknown."""
        return self._ask(lambda reader: reader.outline(project, trace_id))

    def span(self, project: str, trace_id: str, span_id: str) -> Span | None:
        """Return one span of a trace, or None."""
        return self._ask(lambda reader: reader.span(project, trace_id, span_id))

    def users(self, project: str, where: SpanFilter, *, limit: int, cursor: str = "") -> tuple[list[UserSummary], str]:
        """Return one page of users, last seen first, and the next cursor (empty at the end)."""
        return self._ask(lambda reader: reader.users(project, where, limit, cursor))

    def scan(self, project: str, where: SpanFilter, *, limit: int) -> Iterator[Span]:
        """Yield spans that match, newest first, at most `limit`; a query's words must all stand in the span itself."""
        self._intake.settle(_PATIENCE)
        with self._reader() as reader:
            yield from reader.scan(project, where, limit)

    def sessions(
        self, project: str, where: SpanFilter, *, limit: int, cursor: str = ""
    ) -> tuple[list[SessionSummary], str]:
        """Return one page of sessions, last active first, and the next cursor (empty at the end)."""
        return self._ask(lambda reader: reader.sessions(project, where, limit, cursor))

    def usage(self, project: str, where: SpanFilter) -> list[Usage]:
        """Return hourly totals from `since_ns` to `until_ns`, narrowed by the dimensions that `Usage` names."""
        return self._ask(lambda reader: reader.usage(project, where))

    def calls(
        self, project: str, where: SpanFilter, *, by: str = "", step_ns: int, groups: int = 10
    ) -> list[CallTotals]:
        """Return sums of ended model calls by step and group."""
        check_calls(by, step_ns, groups, where)
        return self._ask(lambda reader: reader.calls(project, where, by, step_ns, groups))

    def delete(self, project: str, trace_ids: Sequence[str]) -> int:
        """Erase traces everywhere: tables, word index, SQLite's own log, write-ahead files; return the number of spans.

        Spans of an erased trace that arrive later are dropped. Raises Unavailable where a process that does not
        answer still holds spans in its write-ahead file; they are dropped when it, or the next start, gets to them.
        """
        if not trace_ids:
            return 0
        try:
            keys = [bytes.fromhex(trace_id) for trace_id in trace_ids]
        except ValueError:
            raise Invalid("A trace id has 32 hex digits.") from None
        self.flush()
        removed = 0
        with self._intake.writing:
            for at in range(0, len(keys), _ERASE_CHUNK):
                removed += self._writer.erase(project, keys[at : at + _ERASE_CHUNK])
        drop_erased(self._writer.connection, lambda: self._intake.writing)
        with self._intake.writing:
            if removed:
                self._writer.connection.execute("PRAGMA incremental_vacuum")
            self._checkpoint()
            self._intake.recover()
        self._intake.purge()
        return removed

    def stats(self) -> Mapping[str, int]:
        """Return `spans`, `traces`, `bytes` on disk and `pending` (appended, not yet visible)."""
        with self._reader() as reader:
            spans, traces = reader.counts()
        size = sum(
            path.stat().st_size for path in [*self._folder.glob("*"), *self._folder.glob("wal/*")] if path.is_file()
        )
        return {"spans": spans, "traces": traces, "bytes": size, "pending": self._intake.pending}

    def backup(self, target: Path) -> None:
        """Write a consistent copy into the file `target`, acknowledged spans of every process included."""
        self.flush()
        logs = self._intake.others()
        target.unlink(missing_ok=True)
        source, copy = connect(self._path), connect(target, write=True)
        try:
            with copy.backup("main", source, "main") as work:
                work.step(-1)
            copy.execute("PRAGMA journal_mode = DELETE")
            for at in range(0, len(logs), BATCH):
                Writer(copy, Words()).apply(arrived(logs[at : at + BATCH]))
        finally:
            copy.close()
            source.close()

    def restore(self, source: Path) -> None:
        """Replace the whole content by a copy that `backup` wrote; no other process may be connected."""
        if not _is_store(source):
            raise Invalid(f"{source.name} is not a backup of this version's span store.")
        self.flush()
        origin = connect(source)
        try:
            with self._intake.writing:
                with self._writer.connection.backup("main", origin, "main") as work:
                    work.step(-1)
                self._words.forget()
                migrate(self._writer.connection)
                self._checkpoint()
        finally:
            origin.close()

    def close(self) -> None:
        """Flush and release."""
        if self._intake.closing:
            return
        self._intake.close()
        with self._intake.writing:
            while not self._readers.empty():
                self._readers.get()[0].close()
            self._writer.connection.close()

    def _shrink(self) -> None:
        """Empty SQLite's own log, which keeps the size of its largest batch, unless somebody uses it right now."""
        connection = self._writer.connection
        connection.set_busy_timeout(0)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.set_busy_timeout(BUSY_MS)

    def _checkpoint(self) -> None:
        """Empty SQLite's own log, which holds old pages; a reader in mid-query may make it wait."""
        deadline = time.monotonic() + _CHECKPOINT_SECONDS
        while (
            self._writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            and time.monotonic() < deadline
        ):
            time.sleep(0.02)  # another process's progress is seen only by looking

    def _ask(self, question: Callable[[Reader], T]) -> T:
        self._intake.settle(_PATIENCE)
        with self._reader() as reader:
            return question(reader)

    @contextmanager
    def _reader(self) -> Iterator[Reader]:
        try:
            pair = self._readers.get_nowait()
        except queue.Empty:
            connection = connect(self._path)
            pair = (connection, Reader(connection, self._words, Packer()))
        try:
            yield pair[1]
        except apsw.InterruptError:
            raise Cancelled("Whoever asked has gone away.") from None
        finally:
            if self._intake.closing:
                pair[0].close()
            else:
                self._readers.put(pair)


def _is_store(path: Path) -> bool:
    """Tell whether a file is a whole database of this version's schema, or of one before it."""
    if not path.is_file():
        return False
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        sound = connection.execute("PRAGMA quick_check(1)").get == "ok"
        return bool(sound and 1 <= connection.execute("PRAGMA user_version").get <= VERSION)
    except apsw.NotADBError:
        return False
    finally:
        connection.close()
