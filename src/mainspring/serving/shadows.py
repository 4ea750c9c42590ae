"""Shadows: copies of calls for a release that is tried where nobody sees its answers.

A copy is made once the caller has the whole answer. It waits until the local models are idle, gives way to the next
call, and is dropped, and counted, rather than kept: a shadow never costs a caller anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

from mainspring.kernel.errors import MainspringError
from mainspring.serving.answering import Answerer
from mainspring.serving.models import SHADOW, Origin, Question, Target

_WAITING = 32
"""Copies that wait at most."""
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
    """Answers copies on the gateway's event loop, one at a time."""

    def __init__(self, answerer: Answerer, running: Callable[[], int]) -> None:
        """`running` tells how many requests local models answer or hold waiting, that of a shadow included."""
        self._answerer = answerer
        self._running = running
        self._waiting: deque[_Copy] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._answering: asyncio.Task[None] | None = None
        self.counts: Counter[Outcome] = Counter()

    async def offer(self, target: Target, question: Question) -> None:
        """Take a copy of a call that was answered, where its deployment has a shadow and there is room."""
        if target.shadow is None:
            return
        if len(self._waiting) >= _WAITING:
            self.counts["dropped"] += 1
            return
        told = {"shadow_of": question.origin.trace_id, "deployment": target.deployment}
        copy = replace(question, origin=Origin(service=SHADOW, metadata=told))
        self._waiting.append(_Copy(target.shadow, copy))
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work())

    def make_way(self) -> None:
        """Stop the copy that is being answered, for a caller has come; it is tried once more."""
        if self._answering is not None:
            self._answering.cancel()

    async def close(self) -> None:
        """Drop what waits."""
        self._waiting.clear()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait({self._worker})

    def render(self) -> str:
        """Return the counts in the text format of Prometheus."""
        if not self.counts:
            return ""
        lines = [f'mainspring_shadow_requests_total{{outcome="{name}"}} {n}' for name, n in self.counts.items()]
        return "\n".join(["# TYPE mainspring_shadow_requests_total counter", *lines]) + "\n"

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
