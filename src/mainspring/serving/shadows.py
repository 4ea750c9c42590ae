"""Shadows: copies of calls for a release that is tried where nobody sees its answers.

A copy is made once the caller has the whole answer. For a local model it waits until all of them are idle, and gives
way to the next call; for a provider's it goes out at once, some at a time. What finds no room is dropped and counted
rather than kept: a shadow never costs a caller anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Literal, NamedTuple

from msgspec import structs

from mainspring.kernel.errors import MainspringError
from mainspring.registry import Remote
from mainspring.serving.answering import Answerer
from mainspring.serving.models import SHADOW, Origin, Question, Target

_WAITING = 32
"""Copies for local models that wait at most."""
_AWAY = 8
"""Copies that providers answer at the same time."""
_PATIENCE = 200
"""How often a copy looks whether the models are idle before it is dropped."""
_PAUSE = 0.05
_TRIES = 2
"""How often a copy gives way before it is dropped."""
_log = logging.getLogger(__name__)
Outcome = Literal["answered", "failed", "dropped"]


class _Copy(NamedTuple):
    target: Target
    question: Question
    tries: int = 0


class Shadows:
    """Answers copies on the gateway's event loop, those for local models one at a time."""

    def __init__(self, answerer: Answerer, running: Callable[[], int]) -> None:
        """`running` tells how many requests local models answer or hold waiting, that of a shadow included."""
        self._answerer = answerer
        self._running = running
        self._waiting: deque[_Copy] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._answering: asyncio.Task[None] | None = None
        self._away: set[asyncio.Task[None]] = set()
        self.counts: Counter[Outcome] = Counter()

    async def offer(self, target: Target, question: Question) -> None:
        """Take a copy of a call that was answered, where its deployment has a shadow and there is room."""
        if target.shadow is None:
            return
        away = isinstance(target.shadow.spec, Remote)
        if len(self._away) >= _AWAY if away else len(self._waiting) >= _WAITING:
            self.counts["dropped"] += 1
            return
        told = {"shadow_of": question.origin.trace_id, "deployment": target.deployment}
        copy = _Copy(
            target.shadow,
            structs.replace(question, origin=Origin(service=SHADOW, metadata=told), told=None, relay=None),
        )
        loop = asyncio.get_running_loop()
        if away:
            task = loop.create_task(self._answer(copy))
            self._away.add(task)
            task.add_done_callback(self._away.discard)
            return
        self._waiting.append(copy)
        if self._worker is None:
            self._worker = loop.create_task(self._work())

    def make_way(self, target: Target) -> None:
        """Stop the copy that a local model answers, for a caller of one has come; it is tried once more."""
        if self._answering is not None and not isinstance(target.spec, Remote):
            self._answering.cancel()

    async def close(self) -> None:
        """Drop what waits."""
        self._waiting.clear()
        tasks = {*self._away, *([self._worker] if self._worker is not None else [])}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _work(self) -> None:
        try:
            while self._waiting:
                copy = self._waiting.popleft()
                if not await self._idle():
                    self.counts["dropped"] += 1
                    continue
                self._answering = asyncio.get_running_loop().create_task(self._answer(copy))
                await asyncio.wait({self._answering})
                if self._answering.cancelled():
                    self._later(copy)
                self._answering = None
        finally:
            if self._answering is not None:
                self._answering.cancel()
            self._worker = self._answering = None

    async def _idle(self) -> bool:
        """Wait until no local model is busy; False where it takes too long."""
        for _ in range(_PATIENCE):
            if not self._running():
                return True
            await asyncio.sleep(_PAUSE)
        return False

    async def _answer(self, copy: _Copy) -> None:
        try:
            await self._answerer.complete(copy.target, copy.question)
        except MainspringError:
            self.counts["failed"] += 1  # its trace says why
        except Exception:
            self.counts["failed"] += 1
            _log.exception("a shadow of %s failed", copy.target.release)
        else:
            self.counts["answered"] += 1

    def _later(self, copy: _Copy) -> None:
        if copy.tries + 1 < _TRIES and len(self._waiting) < _WAITING:
            self._waiting.append(copy._replace(tries=copy.tries + 1))
        else:
            self.counts["dropped"] += 1
