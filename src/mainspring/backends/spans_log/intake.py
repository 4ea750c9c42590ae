"""From `append` to the tables: spans go to a write-ahead file, and a thread hands them on in batches."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from mainspring.backends.spans_log import wal
from mainspring.backends.spans_log.codec import Arrived, arrived, encode
from mainspring.kernel.errors import LimitReached, TooLarge, Unavailable
from mainspring.kernel.spans import Span

BATCH = 2_000
_AHEAD = 2 * BATCH
"""Spans that wait to be indexed before those who bring more are held up."""
_AHEAD_SECONDS = 1.0
_GATHER_SECONDS = 0.25
_IDLE_SECONDS = 0.25
_RESTING_SECONDS = 60.0
_RETRY_SECONDS = 0.5
_PENDING_BYTES = 256 << 20
_CROWDED_BYTES = 16 << 20
_SYNC_SECONDS = 0.5
_LARGEST_SPAN = 16 << 20
_OTHERS_SECONDS = 10.0
_BEHIND_SECONDS = 10.0
_CALM_SECONDS = 3.0

Waiting = tuple[wal.Segment, list[bytes], Sequence[Span] | None]
"""Spans that came together: where they are written, their JSON, and themselves where they are still at hand."""

log = logging.getLogger("mainspring.spans")


class Intake:
    """Takes spans durably, and applies them to the tables until that succeeds."""

    def __init__(
        self,
        folder: Path,
        apply: Callable[[Sequence[Arrived]], None],
        *,
        gather: float = _GATHER_SECONDS,
        calm: Callable[[], None] = lambda: None,
    ) -> None:
        """Keep write-ahead files in `folder`; `apply` stores a batch of spans, more than once where it failed.

        `gather` is how many seconds a batch waits to grow; `calm` is called while `writing` is held, some seconds after
        a batch, once nothing waits. What a process that died left behind is applied first.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._apply = apply
        self._gather = gather
        self._calm = calm
        self._stirred, self._calmed = False, 0.0
        self.writing = threading.Lock()
        """Held while the tables change."""
        self._behind = not self._recovered()
        self._again = time.monotonic() + _BEHIND_SECONDS
        self._wal = wal.WriteAhead(folder)
        self._pending: deque[Waiting] = deque()
        self._pending_bytes = 0
        self.pending = 0
        """Spans appended here that are not in the tables yet."""
        self._lock = threading.RLock()
        self._state = threading.Condition(self._lock)
        self._added = self._applied = 0
        self._hurry = False
        self._synced = 0.0
        self.closing = False
        self._failure: Exception | None = None
        self._worker = threading.Thread(target=self._work, name="spans-indexer", daemon=True)
        self._worker.start()

    def append(self, spans: Sequence[Span], *, synced: bool = True) -> None:
        """Store durably before returning; where not `synced`, a loss of power may take the last second.

        Raises Invalid for an impossible span, Unavailable where the disk refuses, LimitReached where more
        waits to be indexed than memory should hold; nothing is stored then.
        """
        if not spans:
            return
        payloads = [encode(span) for span in spans]
        size = sum(map(len, payloads))
        if size > _LARGEST_SPAN and max(map(len, payloads)) > _LARGEST_SPAN:
            raise TooLarge(
                f"A span takes at most {_LARGEST_SPAN >> 20} MiB.", hint="Cut long messages, or switch capture off."
            )
        if self._pending_bytes > _PENDING_BYTES:
            raise LimitReached(
                "Too many spans wait to be indexed.", hint="Send them again in a few seconds.", retry_after=5
            )
        if self.closing:
            raise Unavailable("The span store is closed.")
        segment = self._wal.append(payloads, synced=synced)
        with self._lock:
            # Of what waits long, the bytes alone are kept: they take less memory than the spans.
            self._pending.append((segment, payloads, None if self.crowded else tuple(spans)))
            self.pending += len(payloads)
            self._pending_bytes += size
            self._added += 1
            # One more of many wakes nobody: the thread looks by itself once its batch had time to grow.
            if len(self._pending) == 1 or (self.pending >= BATCH and not self._hurry):
                self._state.notify_all()
            if synced and self.pending > _AHEAD:
                # Spans that wait in long rows cost more memory and time than a sender who waits a little.
                self._state.wait_for(self._has_room, _AHEAD_SECONDS)

    def _has_room(self) -> bool:
        return self.pending <= _AHEAD or self.closing or self._failure is not None

    @property
    def crowded(self) -> bool:
        """Whether so much waits to be indexed that who can wait should."""
        return self._pending_bytes > _CROWDED_BYTES

    def flush(self, timeout: float = 60.0) -> None:
        """Wait until everything that this process appended is visible. Raises Unavailable where that fails."""
        deadline = time.monotonic() + timeout
        with self._state:
            target = self._added
            self._hurry = True
            self._state.notify_all()
            while self._applied < target:
                left = deadline - time.monotonic()
                if left <= 0 or not self._worker.is_alive():
                    raise Unavailable(f"Spans are stored but not yet indexed: {self._failure or 'it takes long'}.")
                self._state.wait(min(left, 1.0))

    def settle(self, patience: float) -> None:
        """Let a reader see what this process wrote; where indexing fails or takes long, show what there is."""
        if self._applied < self._added:
            with suppress(Unavailable):
                self.flush(patience if self._failure is None else 0.0)

    def recover(self) -> None:
        """Apply what processes that died left behind, and remove their files. The caller holds `writing`."""
        for path, payloads in wal.orphans(self._folder):
            for at in range(0, len(payloads), BATCH):
                self._apply(arrived(payloads[at : at + BATCH]))
            path.unlink(missing_ok=True)
            if payloads:
                log.info("recovered %d spans of a process that ended without closing", len(payloads))

    def others(self) -> list[bytes]:
        """Return what other processes hold in their write-ahead files."""
        return [payload for path in self._wal.others() for payload in wal.read(path)]

    def purge(self) -> None:
        """Wait until no write-ahead file, of whatever process, holds what was written before now.

        Raises Unavailable where a process that does not answer still holds spans.
        """
        waiting = self._wal.others()
        # Files keep bytes that are in the tables already until their process empties or seals them.
        self._wait(self._wal.shed(), "This process")
        self._wait(lambda: not any(path in waiting for path in self._wal.others()), "Another process")

    def close(self) -> None:
        """Flush, stop the thread and release the files. The caller does not hold `writing`."""
        with suppress(Unavailable):
            self.flush()
        with self._state:
            self.closing = True
            self._state.notify_all()
        self._worker.join(30)
        with self.writing:
            self._wal.close()

    def _recovered(self) -> bool:
        """Try to recover; where the tables are elsewhere and away, it is tried again later."""
        try:
            with self.writing:
                self.recover()
        except Unavailable as error:
            log.warning("spans of a process that ended without closing wait: %s", error)
            return False
        return True

    def _work(self) -> None:
        """Move what is pending into the tables, batch by batch, until the store is closed."""
        while True:
            with self._state:
                if not self._pending and not self.closing:
                    unsettled = self._stirred or self._behind or self._wal.holding
                    self._state.wait(_IDLE_SECONDS if unsettled else _RESTING_SECONDS)
                until = time.monotonic() + self._gather
                while self._pending and not self._hurry and not self.closing and self.pending < BATCH:
                    if (left := until - time.monotonic()) <= 0:
                        break
                    self._state.wait(left)
                if not self._pending and self.closing:
                    return
                batch = self._take()
                self._hurry = False
            if time.monotonic() - self._synced > _SYNC_SECONDS:
                self._synced = time.monotonic()
                with suppress(Unavailable):  # the file is given up then, and its spans are indexed from memory
                    self._wal.sync()
            if batch and not self._index(batch):
                if self.closing:
                    return
                with self._state:
                    self._pending.extendleft(reversed(batch))
                    self._state.wait(_RETRY_SECONDS)
                continue
            if self._behind and (batch or time.monotonic() > self._again):
                self._behind = not self._recovered()
                self._again = time.monotonic() + _BEHIND_SECONDS
            self._finish(batch)
            self._settled(idle=not batch)

    def _take(self) -> list[Waiting]:
        batch, count = [], 0
        while self._pending and count < BATCH:
            batch.append(self._pending.popleft())
            count += len(batch[-1][1])
        return batch

    def _index(self, batch: list[Waiting]) -> bool:
        try:
            with self.writing:
                self._apply(
                    [
                        one
                        for _, payloads, spans in batch
                        for one in (arrived(payloads) if spans is None else zip(spans, payloads, strict=True))
                    ]
                )
        except Exception as error:  # whatever it is, the spans stay in the write-ahead file and are tried again
            if type(error) is not type(self._failure):
                log.exception("spans are stored but cannot be indexed now")
            self._failure = error
            return False
        self._failure = None
        return True

    def _settled(self, *, idle: bool) -> None:
        self._stirred = self._stirred or not idle
        if idle and self._stirred and time.monotonic() - self._calmed > _CALM_SECONDS:
            self._stirred, self._calmed = False, time.monotonic()
            try:
                with self.writing:
                    self._calm()
            except Exception:  # the spans are where they belong; the next time tries again
                log.exception("the span store could not be tidied")

    def _finish(self, batch: list[Waiting]) -> None:
        self._wal.done([segment for segment, _, _ in batch])
        with suppress(Unavailable):
            self._wal.tidy(idle=not batch)
        with self._state:
            self._applied += len(batch)
            self.pending -= sum(len(payloads) for _, payloads, _ in batch)
            self._pending_bytes -= sum(len(payload) for _, payloads, _ in batch for payload in payloads)
            self._state.notify_all()

    def _wait(self, condition: Callable[[], bool], who: str) -> None:
        deadline = time.monotonic() + _OTHERS_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{who} still holds spans in its write-ahead file; everywhere else they are erased.",
                    hint="Delete again when it has caught up; a restart makes it do so.",
                )
            time.sleep(0.02)  # another process's progress is seen only by looking
