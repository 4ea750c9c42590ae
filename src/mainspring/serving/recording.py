"""Recording: spans on their way to the disk, written at once, so that a kill after the last byte loses none of them.

A write goes to the system's memory for files, which takes microseconds and outlives the process; the store brings it to
the disk by itself. Only what would have to wait, for the records or for a store that is behind, is left to a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from mainspring.kernel.spans import Span
from mainspring.serving.models import Unkept

_PAUSE = 0.01
_PATIENCE = 500
"""Pauses that a call waits at most for a store that is behind."""


class Store(Protocol):
    """What takes spans."""

    def append(self, spans: Sequence[Span], *, synced: bool = True) -> None:
        """Store them."""
        ...

    def ready(self, project: str) -> bool:
        """Whether `append` would not wait."""
        ...


class Recorder:
    """Appends spans from one event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="recorder")

    def wrote(self, spans: Sequence[Span]) -> bool:
        """Write the spans at once; False, and nothing is written, where that would wait. Raises Unkept."""
        try:
            if not self._store.ready(spans[0].project):
                return False
            self._store.append(spans, synced=False)
        except Exception as error:
            raise _unkept(error) from error
        return True

    async def append(self, spans: Sequence[Span]) -> None:
        """Return when the spans are written. Raises Unkept where they cannot be."""
        if not self.wrote(spans):
            try:
                await asyncio.shield(self._later(spans))
            except Exception as error:
                raise _unkept(error) from error

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.get_running_loop().run_in_executor(None, self._worker.shutdown)

    async def _later(self, spans: Sequence[Span]) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._worker, self._append, spans)
        for _ in range(_PATIENCE):
            if self._store.ready(spans[0].project):
                return
            await asyncio.sleep(_PAUSE)

    def _append(self, spans: Sequence[Span]) -> None:
        self._store.append(spans, synced=False)


def _unkept(error: Exception) -> Unkept:
    return Unkept(f"The trace could not be written ({type(error).__name__}).", hint="Is the disk full?")
