"""Evaluating: what a threshold would have done on calls whose own answers are known.

The calls are gone through in order, as the cache would have met them: what it would have answered is not kept, what it
would not have is. A hit is wrong where the answer that would have been given does not agree with the call's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring import data
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.serving.cache.models import Share, ThresholdResult
from mainspring.serving.models import LOADTEST, PLAYGROUND, SHADOW
from mainspring.stats import exact_proportion, proportion
from mainspring.stats.proportions import LEAST_ROWS

if TYPE_CHECKING:
    import numpy as np

_TRIED = (PLAYGROUND, SHADOW, LOADTEST)
_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Recorded:
    """One call: what it shares with others, its last message, its answer, and when it was."""

    space: str
    asked: str
    answer: str
    at_ns: int


def of_traffic(platform: Platform, project: str, where: SpanFilter, name: str, limit: int) -> list[Recorded]:
    """Return the calls of a deployment or a route that were answered by a model and whose text was kept, in order."""
    found: list[Recorded] = []
    for span in platform.spans.scan(project, where, limit=limit * 20):
        if span.deployment == name or span.attributes.get("mainspring.route") == name:
            found += _of_span(span)
        if len(found) >= limit:
            break
    return sorted(found[:limit], key=lambda one: one.at_ns)


def of_dataset(platform: Platform, ref: str, limit: int) -> list[Recorded]:
    """Return the rows of a dataset as calls: the last message of a user, and the answer after it. Raises NotFound."""
    found = []
    for number, row in enumerate(data.read_rows(platform, ref)):
        messages = [message.model_dump() for message in row.messages]
        if len(messages) >= 2 and messages[-1]["role"] == "assistant" and messages[-2]["role"] == "user":
            rest, asked, answer = messages[:-2], str(messages[-2]["content"]), str(messages[-1]["content"])
            found.append(Recorded(_hashed(rest), asked, answer, number))
        if len(found) >= limit:
            break
    return found


def judged(
    platform: Platform, calls: Sequence[Recorded], thresholds: Sequence[float], *, closeness: float, ttl_seconds: float
) -> tuple[int, list[ThresholdResult]]:
    """Return how many calls an earlier one could have answered, and what each threshold would have done.

    Answers agree where they are equal but for case and spaces or, with a `closeness` below 1, where the cosine of their
    embeddings is at least that. With `ttl_seconds`, only what is not older answers; 0: whatever is earlier.
    """
    import numpy as np

    if not calls:
        return 0, [_result(threshold, 0, 0, 0) for threshold in thresholds]
    asked = platform.embed.embed([call.asked for call in calls])
    answers = platform.embed.embed([call.answer or " " for call in calls]) if closeness < 1 else None
    spaces: dict[str, list[int]] = {}
    for place, call in enumerate(calls):
        spaces.setdefault(call.space, []).append(place)
    comparable = sum(len(places) - 1 for places in spaces.values())
    results = []
    for threshold in thresholds:
        hits = wrong = 0
        for places in spaces.values():
            cosines = np.asarray(asked[places] @ asked[places].T)
            kept: list[int] = []
            for row, place in enumerate(places):
                usable = [one for one in kept if _is_fresh(calls[places[one]], calls[place], ttl_seconds)]
                best = max(usable, key=lambda one: cosines[row, one], default=None)
                if best is not None and cosines[row, best] >= threshold - 1e-6:
                    hits += 1
                    wrong += not _agree(calls, answers, places[best], place, closeness)
                else:
                    kept.append(row)
        results.append(_result(threshold, len(calls), hits, wrong))
    return comparable, results


def _agree(calls: Sequence[Recorded], answers: np.ndarray | None, one: int, other: int, closeness: float) -> bool:
    if " ".join(calls[one].answer.casefold().split()) == " ".join(calls[other].answer.casefold().split()):
        return True
    return answers is not None and float(answers[one] @ answers[other]) >= closeness


def _is_fresh(earlier: Recorded, later: Recorded, ttl_seconds: float) -> bool:
    return not ttl_seconds or later.at_ns - earlier.at_ns <= ttl_seconds * 1e9


def _result(threshold: float, calls: int, hits: int, wrong: int) -> ThresholdResult:
    return ThresholdResult(threshold=threshold, hits=_share(hits, calls), wrong=_share(wrong, hits))


def _share(count: int, of: int) -> Share:
    if not of:
        return Share(share=None, low=0.0, high=1.0, count=0, of=0)
    held = proportion(count, of) if of >= LEAST_ROWS else exact_proportion(count, of)
    return Share(share=held.estimate, low=held.low, high=held.high, count=count, of=of)


def _of_span(span: Span) -> list[Recorded]:
    """Return the call of a span, where it could have been answered from a cache."""
    messages, attributes = span.input, span.attributes
    if span.kind != "chat" or span.status != "ok" or span.service in _TRIED or not isinstance(messages, list):
        return []
    if not messages or not span.output or attributes.get("mainspring.cache") in ("hit", "semantic"):
        return []
    asked, answer = _text(messages[-1]), _text(span.output[0]) if isinstance(span.output, list) else ""
    if not asked or not answer or messages[-1].get("role") != "user":
        return []
    requested = {name: value for name, value in attributes.items() if name.startswith("gen_ai.request.")}
    rest = {"messages": messages[:-1], "model": span.model, "release": span.release, **requested}
    return [Recorded(_hashed(rest), asked, answer, span.start_ns)]


def _text(message: Any) -> str:
    parts = message.get("parts") if isinstance(message, dict) else None
    if not isinstance(parts, list) or any(part.get("type") != "text" for part in parts):
        return ""
    return "".join(str(part.get("content", "")) for part in parts)


def _hashed(rest: Any) -> str:
    return hashlib.sha256(_encode(rest)).hexdigest()
