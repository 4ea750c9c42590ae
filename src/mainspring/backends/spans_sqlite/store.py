"""The Spans port over a folder: write-ahead files, one SQLite database, and the thread that joins them."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import apsw

from mainspring.backends.spans_sqlite import wal
from mainspring.backends.spans_sqlite.codec import Packer, encode
from mainspring.backends.spans_sqlite.queries import Reader
from mainspring.backends.spans_sqlite.schema import VERSION, Words, connect, migrate
from mainspring.backends.spans_sqlite.writer import Writer
from mainspring.kernel.errors import Invalid, LimitReached, TooLarge, Unavailable
from mainspring.kernel.spans import SessionSummary, Span, SpanFilter, TraceSummary, Usage

T = TypeVar("T")

_GATHER_SECONDS = 0.03
_IDLE_SECONDS = 0.25
_RETRY_SECONDS = 0.5
_BATCH = 2_000
_PENDING_BYTES = 256 << 20
_LARGEST_SPAN = 16 << 20
_ERASE_CHUNK = 500
_OTHERS_SECONDS = 10.0

log = logging.getLogger("mainspring.spans")


def open_spans(url: str, home: Path, settings: Mapping[str, Any]) -> SqliteSpans:
    """Open the span store: in `home/spans` where the URL is empty, else in the folder of `sqlite:///folder`."""
    scheme, _, folder = url.partition("://")
    if url and (scheme != "sqlite" or not folder):
        raise Invalid(f"spans.url is {url!r}.", hint="Leave it empty, or give sqlite:///folder.")
    return SqliteSpans(Path(folder) if url else home / "spans")


class SqliteSpans:
    """Spans in one folder; any number of processes may have it open."""

    def __init__(self, folder: Path) -> None:
        for each in (folder, folder / "wal"):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._path = folder / "spans.sqlite"
        self._words = Words()
        self._writer = Writer(connect(self._path, write=True), self._words)
        self._writing = threading.Lock()
        migrate(self._writer.connection)
        self._recover()
        self._wal = wal.WriteAhead(folder / "wal")
        self._readers: queue.SimpleQueue[tuple[Any, Reader]] = queue.SimpleQueue()
        self._pending: deque[tuple[wal.Segment, list[bytes]]] = deque()
        self._pending_bytes = 0
        self._pending_spans = 0
        self._state = threading.Condition()
        self._added = self._applied = 0
        self._hurry = self._closing = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="spans-indexer", daemon=True)
        self._thread.start()

    def append(self, spans: Sequence[Span]) -> None:
        """Store durably before returning. Raises Invalid for an impossible span, Unavailable where the disk refuses,

        LimitReached where more waits to be indexed than memory should hold; nothing is stored then.
        """
        if not spans:
            return
        payloads = [encode(span) for span in spans]
        if max(map(len, payloads)) > _LARGEST_SPAN:
            raise TooLarge(
                f"A span takes at most {_LARGEST_SPAN >> 20} MiB.", hint="Cut long messages, or switch capture off."
            )
        if self._pending_bytes > _PENDING_BYTES:
            raise LimitReached(
                "Too many spans wait to be indexed.", hint="Send them again in a few seconds.", retry_after=5
            )
        if self._closing:
            raise Unavailable("The span store is closed.")
        segment = self._wal.append(payloads)
        with self._state:
            self._pending.append((segment, payloads))
            self._pending_spans += len(payloads)
            self._pending_bytes += sum(map(len, payloads))
            self._added += 1
            self._state.notify_all()

    def flush(self, timeout: float = 60.0) -> None:
        """Wait until everything that this process appended is visible. Raises Unavailable where that fails."""
        deadline = time.monotonic() + timeout
        with self._state:
            target = self._added
            self._hurry = True
            self._state.notify_all()
            while self._applied < target:
                left = deadline - time.monotonic()
                if left <= 0 or not self._thread.is_alive():
                    raise Unavailable(f"Spans are stored but not yet indexed: {self._failure or 'it takes long'}.")
                self._state.wait(min(left, 1.0))

    def traces(
        self, project: str, where: SpanFilter, *, limit: int, cursor: str = ""
    ) -> tuple[list[TraceSummary], str]:
        """Return one page of traces, newest first, and the next cursor (empty at the end)."""
        return self._ask(lambda reader: reader.traces(project, where, limit, cursor))

    def trace(self, project: str, trace_id: str) -> list[Span]:
        """Return a trace's spans in order of start; empty where it is unknown."""
        return self._ask(lambda reader: reader.trace(project, trace_id))

    def scan(self, project: str, where: SpanFilter, *, limit: int) -> Iterator[Span]:
        """Yield spans that match, newest first, at most `limit`; a query's words must all stand in the span itself."""
        self._settle()
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
        with self._writing:
            for at in range(0, len(keys), _ERASE_CHUNK):
                removed += self._writer.erase(project, keys[at : at + _ERASE_CHUNK])
            if removed:
                # A contentless index only marks rows as deleted; merging it into one piece drops their words.
                self._writer.connection.execute("INSERT INTO texts (texts) VALUES ('optimize')")
                self._writer.connection.execute("PRAGMA incremental_vacuum")
            self._checkpoint()
            self._recover()
        waiting = self._wal.others()
        # Files keep bytes that are in the database already until their process empties or seals them.
        self._wait(self._wal.shed(), "This process")
        self._wait(lambda: not any(path in waiting for path in self._wal.others()), "Another process")
        return removed

    def stats(self) -> Mapping[str, int]:
        """Return `spans`, `traces`, `bytes` on disk and `pending` (appended, not yet visible)."""
        with self._reader() as reader:
            spans, traces = reader.counts()
        size = sum(
            path.stat().st_size for path in [*self._folder.glob("*"), *self._folder.glob("wal/*")] if path.is_file()
        )
        return {"spans": spans, "traces": traces, "bytes": size, "pending": self._pending_spans}

    def backup(self, target: Path) -> None:
        """Write a consistent copy into the file `target`, acknowledged spans of every process included."""
        self.flush()
        logs = [payload for path in self._wal.others() for payload in wal.read(path)]
        target.unlink(missing_ok=True)
        source, copy = connect(self._path), connect(target, write=True)
        try:
            with copy.backup("main", source, "main") as work:
                work.step(-1)
            copy.execute("PRAGMA journal_mode = DELETE")
            for at in range(0, len(logs), _BATCH):
                Writer(copy, Words()).apply(logs[at : at + _BATCH])
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
            with self._writing:
                with self._writer.connection.backup("main", origin, "main") as work:
                    work.step(-1)
                self._words.forget()
                self._checkpoint()
        finally:
            origin.close()

    def close(self) -> None:
        """Flush and release."""
        if self._closing:
            return
        with suppress(Unavailable):
            self.flush()
        with self._state:
            self._closing = True
            self._state.notify_all()
        self._thread.join(30)
        with self._writing:
            self._wal.close()
            while not self._readers.empty():
                self._readers.get()[0].close()
            self._writer.connection.close()

    def _recover(self) -> None:
        for path, payloads in wal.orphans(self._folder / "wal"):
            for at in range(0, len(payloads), _BATCH):
                self._writer.apply(payloads[at : at + _BATCH])
            path.unlink(missing_ok=True)
            if payloads:
                log.info("recovered %d spans of a process that ended without closing", len(payloads))

    def _work(self) -> None:
        """Move what is pending into the database, batch by batch, until the store is closed."""
        while True:
            with self._state:
                if not self._pending and not self._closing:
                    self._state.wait(_IDLE_SECONDS)
                if self._pending and not self._hurry and not self._closing and self._pending_spans < _BATCH:
                    self._state.wait(_GATHER_SECONDS)
                if not self._pending and self._closing:
                    return
                batch = self._take()
                self._hurry = False
            if batch and not self._index(batch):
                if self._closing:
                    return
                with self._state:
                    self._pending.extendleft(reversed(batch))
                    self._state.wait(_RETRY_SECONDS)
                continue
            self._finish(batch)

    def _take(self) -> list[tuple[wal.Segment, list[bytes]]]:
        batch, count = [], 0
        while self._pending and count < _BATCH:
            batch.append(self._pending.popleft())
            count += len(batch[-1][1])
        return batch

    def _index(self, batch: list[tuple[wal.Segment, list[bytes]]]) -> bool:
        try:
            with self._writing:
                self._writer.apply([payload for _, payloads in batch for payload in payloads])
        except Exception as error:  # whatever it is, the spans stay in the write-ahead file and are tried again
            if type(error) is not type(self._failure):
                log.exception("spans are stored but cannot be indexed now")
            self._failure = error
            return False
        self._failure = None
        return True

    def _finish(self, batch: list[tuple[wal.Segment, list[bytes]]]) -> None:
        self._wal.done([segment for segment, _ in batch])
        with suppress(Unavailable):
            self._wal.tidy(idle=not batch)
        with self._state:
            self._applied += len(batch)
            self._pending_spans -= sum(len(payloads) for _, payloads in batch)
            self._pending_bytes -= sum(len(payload) for _, payloads in batch for payload in payloads)
            self._state.notify_all()

    def _checkpoint(self) -> None:
        """Empty SQLite's own log, which holds old pages; a reader in mid-query may make it wait."""
        deadline = time.monotonic() + _OTHERS_SECONDS
        while (
            self._writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            and time.monotonic() < deadline
        ):
            time.sleep(0.02)  # another process's progress is seen only by looking

    def _wait(self, condition: Callable[[], bool], who: str) -> None:
        deadline = time.monotonic() + _OTHERS_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{who} still holds spans in its write-ahead file; everywhere else they are erased.",
                    hint="Delete again when it has caught up; a restart makes it do so.",
                )
            time.sleep(0.02)  # another process's progress is seen only by looking

    def _settle(self) -> None:
        """Let a reader see what this process wrote; where indexing fails, show what there is."""
        if self._applied < self._added:
            with suppress(Unavailable):
                self.flush(2.0)

    def _ask(self, question: Callable[[Reader], T]) -> T:
        self._settle()
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
        finally:
            if self._closing:
                pair[0].close()
            else:
                self._readers.put(pair)


def _is_store(path: Path) -> bool:
    """Tell whether a file is a whole database of this version's schema."""
    if not path.is_file():
        return False
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        sound = connection.execute("PRAGMA quick_check(1)").get == "ok"
        return bool(sound and connection.execute("PRAGMA user_version").get == VERSION)
    except apsw.NotADBError:
        return False
    finally:
        connection.close()
