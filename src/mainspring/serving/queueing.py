"""Turns: who may ask an engine next. Keys take turns, so that one with a hundred calls holds nobody else up."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.kernel.errors import LimitReached

_LONGEST = 60
"""Seconds of `Retry-After` at most."""
_WEIGHT = 0.2
"""Of the newest answer in the mean time that one takes."""


class Turns:
    """The turns of one engine, on one event loop."""

    def __init__(self, slots: int, *, most: int, patience: float) -> None:
        """`slots` have their turn at once, `most` may wait, each for `patience` seconds."""
        self._slots = slots
        self._most = most
        self._patience = patience
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """Of each key, oldest first; the keys in the order of their next turns."""
        self._seconds = 1.0
        self.running = 0
        self.waiting = 0

    @property
    def retry_after(self) -> int:
        """In how many seconds a turn is likely to be free for one more."""
        return max(1, min(_LONGEST, math.ceil(self._seconds * (self.waiting + 1) / self._slots)))

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises LimitReached where too many wait, or it takes too long.

        Whoever is cancelled while it waits leaves the queue at once.
        """
        if self.running < self._slots and not self.waiting:
            self.running += 1
        else:
            await self._wait(key)
        began = time.monotonic()
        try:
            yield
            self._seconds += _WEIGHT * (time.monotonic() - began - self._seconds)
        finally:
            self._next()

    async def _wait(self, key: str) -> None:
        if self.waiting >= self._most and not self._yielded(key):
            raise self._refusal(f"{self.waiting} requests wait for this model already.")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        self.waiting += 1
        try:
            async with asyncio.timeout(None if math.isinf(self._patience) else self._patience):
                await turn
        except TimeoutError:
            self._leave(key, turn)
            raise self._refusal(f"The request waited {self._patience:g} s for this model.") from None
        except BaseException:
            self._leave(key, turn)
            raise

    def _yielded(self, key: str) -> bool:
        """Refuse the newest request of the key that has most of them waiting, where that makes it fairer."""
        longest = max(self._waiting, key=lambda name: len(self._waiting[name]), default=key)
        if len(self._waiting.get(longest, ())) <= len(self._waiting.get(key, ())) + 1:
            return False
        turn = self._waiting[longest][-1]
        self._remove(longest, turn)
        turn.set_exception(self._refusal("Too many requests of this key wait for this model already."))
        return True

    def _leave(self, key: str, turn: asyncio.Future[None]) -> None:
        """Give up waiting; a turn that came in the same moment goes to the next."""
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self._next()
        elif turn in self._waiting.get(key, ()):
            self._remove(key, turn)

    def _remove(self, key: str, turn: asyncio.Future[None]) -> None:
        self._waiting[key].remove(turn)
        self.waiting -= 1
        if not self._waiting[key]:
            del self._waiting[key]

    def _next(self) -> None:
        """Hand a turn on."""
        self.running -= 1
        while self._waiting and self.running < self._slots:
            key = next(iter(self._waiting))
            queue = self._waiting.pop(key)
            turn = queue.popleft()
            self.waiting -= 1
            if queue:
                self._waiting[key] = queue
            if not turn.done():
                self.running += 1
                turn.set_result(None)

    def _refusal(self, message: str) -> LimitReached:
        return LimitReached(message, hint="Ask again in a moment.", retry_after=self.retry_after)
