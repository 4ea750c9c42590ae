"""Choosing traces: what a list is narrowed by, as its operations take it, becomes the filter of the span store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from mainspring.kernel import access
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter, SpanLine, TraceSummary
from mainspring.traces import attributes, scores
from mainspring.traces.explored import TimeBin
from mainspring.traces.models import ROUTE, Status, moment, nanoseconds, shown

Milliseconds = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
_SCORED = 1000
_PAGE, _PAGES = 1000, 5


def awaited_ns(platform: Platform) -> int:
    """Return the moment before which a running span is taken for unfinished."""
    waited = timedelta(minutes=platform.settings["traces.unfinished_minutes"])
    return nanoseconds(platform.clock.now() - waited)


def chosen(
    platform: Platform, *, status: Status | None, score: str, score_at_most: float | None,
    score_at_least: float | None, since: datetime | None, until: datetime | None, min_duration_ms: float, query: str,
    attribute: Sequence[str] | None, **words: str,
) -> SpanFilter | None:  # fmt: skip
    """Return the filter that says so; None where nothing can match."""
    named = _scored(platform, score, score_at_most, score_at_least)
    if named == ():
        return None
    awaited, ends = awaited_ns(platform), nanoseconds(until)
    return SpanFilter(
        **words,
        status="running" if status == "unfinished" else status or "",
        since_ns=max(nanoseconds(since), awaited if status == "running" else 0),
        until_ns=min(ends or awaited, awaited) if status == "unfinished" else ends,
        min_duration_ms=min_duration_ms,
        query=query.strip(),
        trace_ids=named or (),
        attributes=attributes.tests(attribute),
    )


def _scored(platform: Platform, name: str, at_most: float | None, at_least: float | None) -> tuple[str, ...] | None:
    """Return the traces that have such a score; None where no score is asked for."""
    if not name and at_most is None and at_least is None:
        return None
    with platform.read() as tx:
        found = scores.find(tx, name=name, at_most=at_most, at_least=at_least, limit=_SCORED)
    return tuple(dict.fromkeys(item.trace_id for item in found))


def bins(
    platform: Platform, project: str, where: SpanFilter | None, edges: Sequence[int]
) -> tuple[list[TimeBin], bool]:
    """Count the traces that match between each two edges, oldest first, and tell whether all were counted."""
    whole = True
    if where is None:
        counts: list[tuple[int, int] | None] = [(0, 0)] * (len(edges) - 1)
    elif where.query or where.attributes:
        counts, whole = _looked(platform, project, where, edges)
    else:
        counts = platform.spans.histogram(project, where, edges)[::-1]
    found = [
        TimeBin(start=moment(start), traces=counted and counted[0], errors=counted and counted[1])
        for start, counted in zip(edges, counts, strict=False)
    ]
    return found, whole and None not in counts


def _looked(
    platform: Platform, project: str, where: SpanFilter, edges: Sequence[int]
) -> tuple[list[tuple[int, int] | None], bool]:
    """Count the first traces of the list: what words and attributes match is known by looking alone."""
    import msgspec

    counts = [(0, 0)] * (len(edges) - 1)
    within = msgspec.structs.replace(where, since_ns=max(where.since_ns, edges[0]), until_ns=edges[-1])
    cursor, width = "", max(1, edges[1] - edges[0])
    for _ in range(_PAGES):
        lines, cursor = platform.spans.traces(project, within, limit=_PAGE, cursor=cursor)
        for line in lines:
            at = min(len(counts) - 1, (line.start_ns - edges[0]) // width)
            counts[at] = (counts[at][0] + 1, counts[at][1] + (line.status == "error"))
        if not cursor:
            break
    return list(counts), not cursor


def status_of(spans: Sequence[Span | SpanLine], awaited: int) -> Status:
    """Return how a trace ended: an attempt after which another one answered did not fail its call."""
    answered = {span.span_id for span in spans if span.kind == ROUTE and span.status == "ok"}
    if any(span.status == "error" and span.parent_id not in answered for span in spans):
        return "error"
    return shown(next((span for span in spans if not span.parent_id), spans[0]), awaited)


def pages(
    platform: Platform, project: str, where: SpanFilter, *, size: int, limit: int, cursor: str = ""
) -> Iterator[tuple[list[TraceSummary], str]]:
    """Yield pages of traces, each with the cursor that follows it (empty at the end), at most `limit` traces in all."""
    while limit > 0:
        access.check_waited_for()
        lines, cursor = platform.spans.traces(project, where, limit=min(size, limit), cursor=cursor)
        limit -= len(lines)
        yield lines, cursor
        if not cursor:
            return
