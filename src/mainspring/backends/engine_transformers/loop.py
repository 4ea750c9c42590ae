"""Loop: the one thread that computes. Answers take turns, a token each, every one with a cache of its own."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from mainspring.backends.engine_transformers.model import Model
from mainspring.backends.engine_transformers.sampling import Options, Sampler, Text

Finish = Literal["stop", "length"]


@dataclass(slots=True)
class Piece:
    """Something that happened to an answer."""

    text: str = ""
    finish: Finish | None = None
    stopped_by: str = ""
    error: str = ""


@dataclass(eq=False)
class Job:
    """One answer on its way; `tell` is called from the loop's thread."""

    prompt: list[int]
    options: Options
    tell: Callable[[Piece], None]
    cancelled: bool = False
    made: int = 0
    """Tokens of the answer."""
    cache: Any = None
    sampler: Sampler | None = None
    text: Text | None = None
    seconds: float = 0.0
    id: int = field(default_factory=itertools.count().__next__)


class Loop:
    """Computes answers, at most `slots` of them by turns; others wait in order."""

    def __init__(self, model: Model, *, slots: int) -> None:
        self._model = model
        self._slots = slots
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: deque[Job] = deque()
        self.totals = {"prompt": 0, "generated": 0}
        self.seconds = 0.0

    def start(self) -> None:
        """Begin to compute."""
        threading.Thread(target=self._go_on, name="loop", daemon=True).start()

    def submit(self, job: Job) -> None:
        """Take in a job."""
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()

    def cancel(self, job: Job) -> None:
        """End a job, whose owner went away."""
        with self._changed:
            job.cancelled = True
            if job in self._waiting:
                self._waiting.remove(job)

    def slots(self) -> list[tuple[bool, int]]:
        """Return for each slot whether it is in use, and how many tokens it holds."""
        with self._changed:
            used = [(True, len(job.prompt) + job.made) for job in self._running]
        return used + [(False, 0)] * (self._slots - len(used))

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiting)

    def _go_on(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._running:
                    self._changed.wait()
                while self._waiting and len(self._running) < self._slots:
                    self._running.append(self._waiting.popleft())
                job = self._running[0]
            try:
                ended = job.cancelled or self._step(job)
            except Exception as error:  # one answer fails; the others go on
                job.tell(Piece(error=str(error)[:2000] or type(error).__name__))
                ended = True
            with self._changed:
                if ended:
                    self._running.popleft()
                else:
                    self._running.rotate(-1)

    def _step(self, job: Job) -> bool:
        """Compute one token of a job; tell whether it was the last."""
        began = time.perf_counter()
        if job.sampler is None or job.text is None:
            job.sampler, job.text = Sampler(job.options), Text(self._model.text_of, job.options.stop)
            scores, job.cache = self._model.step(job.prompt, None)
            self.totals["prompt"] += len(job.prompt)
        else:
            scores, job.cache = self._model.step(job.text.tokens[-1:], job.cache)
        token = job.sampler.next(scores)
        job.made += 1
        self.totals["generated"] += 1
        self.seconds += time.perf_counter() - began
        if token in self._model.ends and not job.options.ignore_eos:
            job.tell(Piece(text=job.text.finish(), finish="stop"))
            return True
        piece = job.text.add(token)
        if job.text.stopped_by:
            job.tell(Piece(text=piece, finish="stop", stopped_by=job.text.stopped_by))
            return True
        if job.made >= job.options.max_tokens:
            job.tell(Piece(text=piece + job.text.finish(), finish="length"))
            return True
        if piece:
            job.tell(Piece(text=piece))
        return False
