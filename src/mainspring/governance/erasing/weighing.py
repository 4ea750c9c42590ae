"""Weighing: which traces are a user's, what would go with them, and what was made of them that stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from sqlalchemy import select

from mainspring.governance.erasing.models import Kept
from mainspring.kernel import access, hooks
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import SpanFilter
from mainspring.kernel.tables import row_edges
from mainspring.kernel.tx import Tx
from mainspring.traces import choosing
from mainspring.traces.erasure import counted
from mainspring.traces.forgetting import names_of

PART = 2_000
"""Traces that are erased together."""
_CHUNK = 500
_SCANNED = 1_000_000
_MADE = 1_000_000
_TRACES = "traces"
_CALLED = {
    "annotation": "annotations",
    "areas": "places_in_areas",
    "boards": "board_panels",
    "online": "evaluations",
    "serving.cache": "cached_answers",
    "views": "saved_views",
}


def traces_by(platform: Platform, project: str, user_id: str, limit: int, until_ns: int = 0) -> list[str]:
    """Return the newest traces of a user that began before a moment, at most `limit`."""
    found: dict[str, None] = {}
    for name in names_of(platform, project, user_id):
        where = SpanFilter(user_id=name, until_ns=until_ns)
        pages = choosing.pages(platform, project, where, size=1000, limit=limit - len(found))
        found |= dict.fromkeys(line.trace_id for lines, _ in pages for line in lines)
    return list(found)


def mentioning(platform: Platform, project: str, user_id: str, until_ns: int) -> list[str]:
    """Return a part of the traces that are another's, of which a span that began before a moment names the user."""
    return list(islice(dict.fromkeys(_named(platform, project, user_id, until_ns)), PART))


def _named(platform: Platform, project: str, user_id: str, until_ns: int) -> Iterator[str]:
    ways = [(name, status) for name in names_of(platform, project, user_id) for status in ("", "running")]
    for name, status in ways:
        where = SpanFilter(user_id=name, status=status, until_ns=until_ns)
        for span in platform.spans.scan(project, where, limit=_SCANNED):
            yield span.trace_id


def weighed(platform: Platform, request: ErasureRequest) -> dict[str, int]:
    """Return how many of what a request would erase: its traces, what belongs to them, and what names its user."""
    with access.acting_as(access.system(request.project)):
        found = counted(platform, request.project, request.trace_ids)
        for room, hook in list(hooks.erasure_hooks.items()):
            if room != _TRACES:
                found[_CALLED.get(room, room)] = hook(platform, request, False)
    return found


def made_of(tx: Tx, trace_ids: Sequence[str]) -> list[Kept]:
    """Return the dataset versions with rows that were made of traces, or of such rows, and how many of each."""
    sources, kind, seen = list(trace_ids), "trace", set[str]()
    while sources and len(seen) < _MADE:
        rows = {f"{dataset}#{row}" for dataset, row in _rows(tx, kind, sources)} - seen
        seen |= rows
        sources, kind = sorted(rows), "row"
    counts = Counter(one.partition("#")[0] for one in seen)
    return [Kept(ref=ref, rows=rows) for ref, rows in sorted(counts.items())]


def _rows(tx: Tx, kind: str, sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    e = row_edges.c
    for at in range(0, len(sources), _CHUNK):
        some = e.source_id.in_(sources[at : at + _CHUNK])
        found = tx.execute(select(e.dataset, e.row_id).where(e.project == tx.project, e.source_kind == kind, some))
        yield from ((row.dataset, row.row_id) for row in found)
