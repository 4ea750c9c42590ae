"""Paging through one trace: its spans in order of start, so many and so large at once as one answer should be."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter, SpanLine

_MOST_BYTES = 8 << 20
"""Of JSON that the spans of a page hold; one span alone may be larger."""


def page(
    platform: Platform, project: str, lines: Sequence[SpanLine], trace_id: str, limit: int, cursor: str
) -> tuple[list[Span], str]:
    """Return a page of the spans of a trace whose outline is `lines`, and the next cursor (empty at the end)."""
    places = [(line.start_ns, line.span_id) for line in lines]
    begin = bisect_right(places, _place(cursor)) if cursor else 0
    end = min(len(lines), begin + limit)
    order = {line.span_id: at for at, line in enumerate(lines[begin:end], begin)}
    held: dict[int, tuple[int, Span]] = {}
    size = 0
    for span in _scanned(platform, project, lines[begin:end], trace_id, len(lines)):
        at = order.get(span.span_id, end)
        if at >= end:
            continue
        held[at] = (len(msgspec.json.encode(span)), span)
        size += held[at][0]
        # They come last first: what is too much is what begins last.
        while size > _MOST_BYTES and len(held) > 1:
            end = max(held)
            size -= held.pop(end)[0]
    following = f"{lines[end - 1].start_ns}:{lines[end - 1].span_id}" if 0 < end < len(lines) else ""
    return [held[at][1] for at in sorted(held)], following


def _scanned(platform: Platform, project: str, lines: Sequence[SpanLine], trace_id: str, most: int) -> Iterator[Span]:
    """Yield the spans of a trace that begin within the time of `lines`, last first, those that run after the others."""
    if not lines:
        return
    for status in ("", "running"):
        if not status or any(line.status == status for line in lines):
            where = SpanFilter(
                trace_ids=(trace_id,), since_ns=lines[0].start_ns, until_ns=lines[-1].start_ns + 1, status=status
            )
            yield from platform.spans.scan(project, where, limit=most)


def _place(cursor: str) -> tuple[int, str]:
    start, _, span_id = cursor.partition(":")
    if not (start.isdigit() and span_id):
        raise Invalid("That is no cursor of this list.", hint="Take `next_cursor` of the page before.", param="cursor")
    return int(start), span_id
