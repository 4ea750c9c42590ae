"""Erasure: of chosen traces, of a user's, and of those that are older than the project keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import select

from mainspring.kernel import access, hooks
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import SpanFilter
from mainspring.traces import scores as score_store
from mainspring.traces.models import Erased, nanoseconds
from mainspring.traces.tables import retentions

_BATCH = 1000


def erase_traces(platform: Platform, project: str, trace_ids: Sequence[str]) -> Erased:
    """Erase traces with their scores. Doing it again, after a failure half-way, finishes it."""
    spans = platform.spans.delete(project, trace_ids)
    with platform.begin() as tx:
        return Erased(spans=spans, scores=score_store.erase(tx, trace_ids))


def erase_request(platform: Platform, request: ErasureRequest, really: bool) -> int:
    """Erase what a request names in spans and scores, or count it; the hook of this room."""
    chosen = list(request.trace_ids)
    if request.user_id:
        where = SpanFilter(user_id=request.user_id)
        chosen += [trace_id for page in _pages(platform, request.project, where) for trace_id in page]
    with access.acting_as(access.system(request.project)):
        if really:
            removed = erase_traces(platform, request.project, chosen)
            return removed.spans + removed.scores
        with platform.read() as tx:
            spans = sum(len(platform.spans.trace(request.project, trace_id)) for trace_id in chosen)
            return spans + score_store.erase(tx, chosen, really=False)


def expire(platform: Platform) -> int:
    """Erase the traces that are older than their project keeps them; return the number of spans."""
    with access.acting_as(access.system()), platform.read() as tx:
        kept = tx.execute(select(retentions.c.project, retentions.c.days).where(retentions.c.days > 0)).mappings().all()
    removed = 0
    for row in kept:
        project = row["project"]
        where = SpanFilter(until_ns=nanoseconds(platform.clock.now() - timedelta(days=row["days"])))
        with access.acting_as(access.system(project)):
            while chosen := next(_pages(platform, project, where)):
                removed += erase_traces(platform, project, chosen).spans
    return removed


def _pages(platform: Platform, project: str, where: SpanFilter) -> Iterator[list[str]]:
    cursor = ""
    while True:
        lines, cursor = platform.spans.traces(project, where, limit=_BATCH, cursor=cursor)
        yield [line.trace_id for line in lines]
        if not cursor:
            return


hooks.erasable("traces", erase_request)
