"""Skewed clocks: spans that say that they come from the future are moved to the present, and say so."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mainspring.kernel.spans import Span

TOLERATED_NS = 300 * 10**9
"""How far ahead of this machine's clock another's may be."""
MOVED = "mainspring.clock.moved_ms"
"""The attribute that tells by how many milliseconds a span was moved back."""


def settled(spans: Sequence[Span], now_ns: int) -> list[Span]:
    """Return the spans of one request, none of them in the future.

    A trace is moved as a whole, so that its spans keep their order and lengths: until its last end is now. What would
    then start before 1970 stays where it is, or is now where that is in the future.
    """
    ahead: dict[str, int] = {}
    for span in spans:
        latest = max(span.start_ns, span.end_ns)
        if latest > now_ns + TOLERATED_NS:
            ahead[span.trace_id] = max(ahead.get(span.trace_id, 0), latest - now_ns)
    return [_moved(span, ahead[span.trace_id], now_ns) if span.trace_id in ahead else span for span in spans]


def _moved(span: Span, by_ns: int, now_ns: int) -> Span:
    start, end = span.start_ns - by_ns, span.end_ns - by_ns
    if start <= 0:
        if span.end_ns <= now_ns:
            return span
        start, end = min(span.start_ns, now_ns), now_ns
    said = {**span.attributes, MOVED: by_ns // 1_000_000}
    events = [
        {**event, "time_ns": event["time_ns"] - by_ns} if event.get("time_ns", 0) > by_ns else event
        for event in span.events
    ]
    return msgspec.structs.replace(span, start_ns=start, end_ns=end, attributes=said, events=events)
