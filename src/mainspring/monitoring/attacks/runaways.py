"""Runaways: answers that run on or go round in circles, and traces of far too many calls."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from mainspring.kernel.spans import Span
from mainspring.monitoring.attacks.models import Runaway
from mainspring.monitoring.online.sampling import text_of
from mainspring.safety.loops import loops
from mainspring.traces import moment

_LEAST_TOKENS = 60
"""Tokens under which no answer is read: a loop takes more."""


def of(spans: Iterable[Span], max_tokens: int, max_calls: int) -> list[Runaway]:
    """Return what ran away among calls, newest first; of a trace of too many calls the newest stands for it."""
    seen = sorted(spans, key=lambda span: -span.start_ns)
    counts = Counter(span.trace_id for span in seen)
    costs: dict[str, float] = defaultdict(float)
    for span in seen:
        costs[span.trace_id] += span.cost or 0.0
    found: list[Runaway] = []
    told: set[str] = set()
    for span in seen:
        tokens = span.output_tokens or 0
        if counts[span.trace_id] > max_calls and span.trace_id not in told:
            told.add(span.trace_id)
            found.append(_runaway(span, "calls", counts, costs[span.trace_id]))
        elif tokens > max_tokens:
            found.append(_runaway(span, "long", counts, span.cost or 0.0))
        elif circles(span):
            found.append(_runaway(span, "loop", counts, span.cost or 0.0))
    return found


def circles(span: Span) -> bool:
    """Tell whether an answer ends in one piece repeated."""
    long = span.output_tokens is None or span.output_tokens >= _LEAST_TOKENS
    return long and span.output is not None and loops(text_of(span.output))


def _runaway(span: Span, why: str, counts: Counter[str], cost: float) -> Runaway:
    return Runaway(
        trace_id=span.trace_id,
        at=moment(span.start_ns),
        why=why,  # type: ignore[arg-type]
        output_tokens=span.output_tokens or 0,
        calls=counts[span.trace_id],
        cost=cost,
        key_id=str(span.attributes.get("mainspring.key_id", "")),
        user_id=span.user_id,
        deployment=span.deployment,
        model=span.model,
    )


def trace_ids(found: Sequence[Runaway]) -> list[str]:
    """Return a few traces to look at first."""
    return list(dict.fromkeys(one.trace_id for one in found))[:5]
