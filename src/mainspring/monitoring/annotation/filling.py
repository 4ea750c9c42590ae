"""Filling: which traces a queue is filled with, and what becomes of them when their traces are erased."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import delete, func, select

from mainspring.kernel import access, hooks
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Record
from mainspring.kernel.spans import SpanFilter
from mainspring.monitoring.annotation.tables import holds, items, reviews
from mainspring.traces import scores as score_store
from mainspring.traces.models import nanoseconds

_PAGE = 200
_LOOKED_AT = 20_000


class Choice(Record):
    """Which traces; an empty field does not narrow."""

    deployment: str = ""
    release: str = ""
    environment: str = ""
    score: str = ""
    at_most: float | None = None
    at_least: float | None = None
    status: str = ""
    query: str = ""
    since: datetime | None = None
    share: float = 1.0
    """Of the traces that fit: which ones is told by their ids, so that asking again draws the same."""
    limit: int = 100


def chosen(platform: Platform, choice: Choice) -> list[str]:
    """Return the traces that fit, newest first."""
    platform.spans.flush()
    found: list[str] = []
    for trace_id in _fitting(platform, choice):
        if _drawn(trace_id) < choice.share:
            found.append(trace_id)
        if len(found) == choice.limit:
            break
    return found


def _fitting(platform: Platform, choice: Choice) -> Iterator[str]:
    ids: tuple[str, ...] = ()
    with platform.read() as tx:
        project = tx.project
        if choice.score or choice.at_most is not None or choice.at_least is not None:
            low, high = choice.at_least, choice.at_most
            given = score_store.find(tx, name=choice.score, at_least=low, at_most=high, limit=1000)
            ids = tuple(dict.fromkeys(one.trace_id for one in given))
            if not ids:
                return
    where = SpanFilter(
        environment=choice.environment,
        deployment=choice.deployment,
        release=choice.release,
        status=choice.status,
        query=choice.query.strip(),
        since_ns=nanoseconds(choice.since),
        trace_ids=ids,
    )
    cursor, seen = "", 0
    while seen < _LOOKED_AT:
        lines, cursor = platform.spans.traces(project, where, limit=_PAGE, cursor=cursor)
        seen += len(lines)
        yield from (line.trace_id for line in lines)
        if not cursor:
            return


def _drawn(trace_id: str) -> float:
    """Return a number from 0 to 1 that differs from trace to trace and is always the same for one."""
    return int.from_bytes(hashlib.sha256(trace_id.encode()).digest()[:8], "big") / 2**64


def erase(platform: Platform, request: ErasureRequest, really: bool) -> int:
    """Erase what reviewers said of traces; the hook of annotation."""
    ids = request.trace_ids
    count = 0
    with access.acting_as(access.system(request.project)), platform.begin() as tx:
        for start in range(0, len(ids), 500):
            mine = (items.c.project == request.project) & items.c.trace_id.in_(ids[start : start + 500])
            some = list(tx.execute(select(items.c.id).where(mine)).scalars())
            said = tx.execute(select(func.count()).where(reviews.c.item_id.in_(some))).scalar_one()
            count += len(some) + said
            if really and some:
                for table in (holds, reviews):
                    tx.execute(delete(table).where(table.c.item_id.in_(some)))
                tx.execute(delete(items).where(items.c.id.in_(some)))
    return count


hooks.erasable("annotation", erase)
