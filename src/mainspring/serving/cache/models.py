"""Records of the cache: its policies, what it found, and how it does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from mainspring.kernel.errors import MainspringError
from mainspring.kernel.records import Record
from mainspring.serving.moves import Move
from mainspring.traces import Tokens

HEADER = "x-mainspring-cache"
Mode = Literal["exact", "semantic"]
Scope = Literal["project", "key"]
Threshold = Annotated[float, Field(ge=0.5, le=1)]
_PIECE = 64
"""Characters in one event of an answer that is streamed again."""


class NotCached(MainspringError):
    """The client asked for an answer from the cache alone, and there is none."""

    code, status = "not_cached", 504


class CacheTerms(Record):
    """What of a deployment's or a route's answers is kept."""

    mode: Mode = "exact"
    """Whether only the same question is given the same answer, or also one that means the same."""
    threshold: Threshold = 0.95
    """Semantic: the least cosine between the embeddings of two last messages; everything else has to be equal."""
    ttl_seconds: Annotated[int, Field(ge=1, le=30 * 86_400)] = 3600
    max_entries: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    max_bytes: Annotated[int, Field(ge=1024, le=1 << 34)] = 64 << 20
    """Beyond either, what was used the longest ago leaves."""
    scope: Scope = "project"
    """Who gets an answer again: all who may ask the name, or only the key whose call made it."""
    sampled: bool = False
    """Whether answers to calls without `temperature` 0 are kept: they would differ from one another."""
    tools: bool = False
    """Whether answers to calls with tools are kept: a tool may be meant to be called each time."""


class CachePolicy(CacheTerms, Move):
    """The policy under a deployment's or a route's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An answer that was kept."""

    id: str
    kind: Literal["hit", "semantic"]
    age_seconds: float
    similarity: float
    content: Mapping[str, Any]
    """`text`, `tool_calls`, `finish_reason`, `stop_sequence` and `usage` of the call that made it."""
    trace_id: str
    """Of that call."""

    @property
    def usage(self) -> Tokens:
        """What the call that made it used, and this one does not."""
        return Tokens(**self.content["usage"])

    def said(self) -> str:
        """Return what the header says."""
        found = f"{self.kind}; age={self.age_seconds:.0f}"
        return f"{found}; similarity={self.similarity:.4f}" if self.kind == "semantic" else found

    def reply(self, operation: str) -> dict[str, Any]:
        """Return the answer as a model's server would have sent it, whole."""
        content = self.content
        choice: dict[str, Any] = {"index": 0, **self._end()}
        if operation == "text_completion":
            return {"choices": [{**choice, "text": content["text"]}]}
        message = {"role": "assistant", "content": content["text"], "tool_calls": content["tool_calls"]}
        return {"choices": [{**choice, "message": message}]}

    async def events(self, operation: str) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the answer as a model's server would have streamed it."""
        text = str(self.content["text"])
        for start in range(0, len(text), _PIECE):
            yield _event(operation, text[start : start + _PIECE])
        if self.content["tool_calls"]:
            calls = [{"index": index, **call} for index, call in enumerate(self.content["tool_calls"])]
            yield {"choices": [{"index": 0, "delta": {"tool_calls": calls}}]}
        yield {"choices": [{"index": 0, "delta": {}, "text": "", **self._end()}]}

    def _end(self) -> dict[str, Any]:
        stop = self.content["stop_sequence"]
        return {"finish_reason": self.content["finish_reason"], **({"stop_reason": stop} if stop else {})}


@dataclass(slots=True)
class Lookup:
    """What one call asked of the cache."""

    policy: CachePolicy
    key: str
    space: str = ""
    """Semantic: everything but the last message."""
    vector: Any = None
    """Semantic: the last message, float32 of unit length."""
    hit: Hit | None = None
    nearest: float | None = None
    """Semantic: how near the nearest came, hit or not."""
    stores: bool = True
    """Whether the answer may be kept."""


class CacheStats(Record):
    """How the cache of one name does."""

    name: str
    environment: str
    mode: Mode | Literal[""]
    """Empty where the name has no policy any more."""
    entries: int
    bytes: int
    """Of the answers that are kept."""
    hits: int
    semantic_hits: int
    misses: int
    stored: int
    hit_rate: float | None
    """Share of the calls that could have been answered from the cache and were; null without any."""
    saved: float
    """US dollars that the hits would have cost."""


class Cleared(Record):
    """What was removed."""

    entries: int


class Share(Record):
    """A share with its 95 % interval: Wilson's or Agresti and Coull's, under 35 of them Clopper and Pearson's."""

    share: float | None
    """Null where there was nothing to count."""
    low: float
    high: float
    count: int
    of: int


class ThresholdResult(Record):
    """What one threshold would have done."""

    threshold: float
    hits: Share
    """Of the calls, how many a kept answer would have been given to."""
    wrong: Share
    """Of these, how many would have got an answer that does not agree with their own."""


class CacheEvaluation(Record):
    """What thresholds give on recorded calls or on a dataset."""

    calls: int
    comparable: int
    """Calls that an earlier one could have answered: all but the last message is equal."""
    agreement: str
    """When two answers agree."""
    results: list[ThresholdResult]
    threshold: float | None
    """The lowest with hits whose share of wrong ones is at most `max_wrong`, at the upper end of its interval; null:
    none."""
    max_wrong: float
    since: datetime | None


def _event(operation: str, text: str) -> dict[str, Any]:
    piece: dict[str, Any] = {"text": text} if operation == "text_completion" else {"delta": {"content": text}}
    return {"choices": [{"index": 0, "finish_reason": None, **piece}]}
