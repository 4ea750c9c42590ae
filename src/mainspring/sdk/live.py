"""LiveSpan: a span while it runs, and what of it goes over the wire."""

from __future__ import annotations

import random
import time
from typing import Any

from mainspring.sdk.snapshot import Snapshot

KINDS = {
    "agent": "invoke_agent",
    "tool": "execute_tool",
    "llm": "chat",
    "embedding": "embeddings",
    "retriever": "retrieval",
    "reranker": "rerank",
    "evaluator": "evaluation",
}
"""Short words for operations of OpenTelemetry GenAI; other words are sent as they are."""
_EVENTS = 64
_ATTRIBUTES = 128
ids = random.Random()  # noqa: S311 - an id has to be unique, not secret
"""Makes trace and span ids; seeded again in a child after a fork."""


class LiveSpan:
    """What `trace` and `span` give. Every method may be called at any time, and none raises."""

    __slots__ = (
        "_announced",
        "_begun",
        "_limit",
        "attributes",
        "end_ns",
        "events",
        "input",
        "kind",
        "message",
        "name",
        "output",
        "parent_id",
        "sampled",
        "session_id",
        "size",
        "span_id",
        "start_ns",
        "status",
        "trace_id",
        "user_id",
    )

    def __init__(self, name: str, kind: str, limit: int) -> None:
        self.name, self.kind = str(name), KINDS.get(kind, kind)
        self.trace_id = ""
        self.parent_id = ""
        self.span_id = f"{ids.getrandbits(64) or 1:016x}"
        self.start_ns = time.time_ns()
        self.end_ns = 0
        self._begun = time.perf_counter_ns()
        self._limit = limit
        self._announced = False
        self.attributes: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.input: Any = None
        self.output: Any = None
        self.status = 0
        """0 unset, 1 ok, 2 error."""
        self.message = ""
        self.session_id = self.user_id = ""
        self.sampled = True
        self.size = 1_200
        """About how many bytes of memory the span takes."""

    def set(self, **attributes: Any) -> LiveSpan:
        """Set attributes; a name with dots is given as `span.set(**{"shop.order": 7})`."""
        for name, value in attributes.items():
            if len(self.attributes) < _ATTRIBUTES or name in self.attributes:
                self.attributes[name[:200]] = self.kept(value)
        return self

    def set_input(self, value: Any) -> LiveSpan:
        """Say what went in."""
        self.input = self.kept(value)
        return self

    def set_output(self, value: Any) -> LiveSpan:
        """Say what came out."""
        self.output = self.kept(value)
        return self

    def event(self, name: str, **attributes: Any) -> LiveSpan:
        """Note that something happened now."""
        if len(self.events) < _EVENTS:
            said = {key: self.kept(value) for key, value in attributes.items()}
            self.events.append({"name": str(name)[:200], "time_ns": time.time_ns(), "attributes": said})
        return self

    def fail(self, problem: BaseException | str) -> LiveSpan:
        """Say that it failed, and why."""
        self.status = 2
        if isinstance(problem, str):
            self.message = problem[:2000]
            return self
        said = Snapshot(2000).copy(problem)
        self.message = said if isinstance(said, str) else type(problem).__name__
        return self.event(
            "exception", **{"exception.type": type(problem).__qualname__, "exception.message": self.message}
        )

    def score(self, name: str, number: float | None = None, **how: Any) -> None:
        """Judge this span; see `mainspring.score`."""
        from mainspring.sdk.judging import score

        score(name, number, trace_id=self.trace_id, span_id=self.span_id, **how)

    @property
    def traceparent(self) -> str:
        """The span as W3C Trace Context."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    def kept(self, value: Any) -> Any:
        """Return a bounded copy of a value, and count its size."""
        copy = Snapshot(self._limit)
        try:
            found = copy.copy(value)
        except Exception as problem:  # a value may do anything when it is looked at
            return f"[{type(value).__name__} cannot be read: {type(problem).__name__}]"
        self.size += 50 + self._limit - max(copy.chars, 0)
        return found

    def ended(self) -> None:
        """Take the time. The first call counts."""
        if not self.end_ns:
            self.end_ns = self.start_ns + max(0, time.perf_counter_ns() - self._begun)

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return (time.perf_counter_ns() - self._begun) / 1e9

    def due(self, now_ns: int, after_ns: int) -> bool:
        """Tell, once, whether the span has run so long that its start should be told."""
        if self._announced or self.end_ns or now_ns - self.start_ns < after_ns:
            return False
        self._announced = True
        return True
