"""Recording: spans on their way to the disk, many callers' in one write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from mainspring.kernel.spans import Span
from mainspring.serving.models import Unkept

_Waiting = tuple[Sequence[Span], "asyncio.Future[None]"]


class Recorder:
    """Appends spans from one event loop, off the loop; what arrives during a write shares the next one."""

    def __init__(self, store: Callable[[Sequence[Span]], None]) -> None:
        """`store` blocks until the spans are on disk."""
        self._store = store
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recorder")

    async def append(self, spans: Sequence[Span]) -> None:
        """Return when the spans are on disk. Raises Unavailable where they cannot be written."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((spans, done))
        if self._writing is None:
            self._writing = loop.create_task(self._write())
        await asyncio.shield(done)

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            await self._writing
        self._thread.shutdown()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                error: Exception | None = None
                try:
                    together = [span for spans, _ in batch for span in spans]
                    await loop.run_in_executor(self._thread, self._store, together)
                except Exception as caught:  # whatever the store raises, nobody may wait for ever
                    error = caught
                for _, done in batch:
                    _settle(done, error)
        finally:
            self._writing = None


def _settle(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
        return
    failure = Unkept(f"The trace could not be written ({type(error).__name__}).", hint="Is the disk full?")
    failure.__cause__ = error
    done.set_exception(failure)
