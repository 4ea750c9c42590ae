"""Scores for boards: each with its moment, its value, and the group that its call is of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import select

from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.monitoring.boards.models import Where
from mainspring.monitoring.sample import live
from mainspring.traces.models import moment, nanoseconds
from mainspring.traces.scores import conditions
from mainspring.traces.tables import scores

_MOST = 20_000
_CHUNK = 200
_SPANS = 20_000


@dataclass(frozen=True, slots=True)
class Scored:
    """A score."""

    at_ns: int
    value: float
    group: str


def scored(
    platform: Platform, project: str, name: str, by: str, where: Where, begin: int, end: int
) -> tuple[list[Scored], str]:
    """Return the scores that were given in a time to calls that fit, and what is to be known of them."""
    name, _, label = name.partition("=")
    with platform.read() as tx:
        wanted = [*conditions(tx, name=name), scores.c.created_at >= moment(begin), scores.c.created_at < moment(end)]
        columns = (scores.c.trace_id, scores.c.number, scores.c.label, scores.c.created_at)
        rows = tx.execute(select(*columns).where(*wanted).order_by(scores.c.id.desc()).limit(_MOST)).mappings().all()
    note = f"Of the scores the latest {_MOST:,} count." if len(rows) == _MOST else ""
    groups: dict[str, str] | None = None
    if where.traffic == "live" and not where.service:
        kept = live(platform, project, [row["trace_id"] for row in rows if row["trace_id"]], where.environment)
        rows = [row for row in rows if not row["trace_id"] or row["trace_id"] in kept]
    if by or where.model_copy(update={"traffic": "live"}) != Where():
        groups = _groups(platform, project, list({row["trace_id"] for row in rows if row["trace_id"]}), by, where)
    found = []
    for row in rows:
        value = row["number"] if not label else None if row["label"] is None else float(row["label"] == label)
        group = "" if groups is None else groups.get(row["trace_id"])
        if value is not None and math.isfinite(value) and group is not None:
            found.append(Scored(nanoseconds(row["created_at"]), value, group))
    return found, note


def _groups(platform: Platform, project: str, trace_ids: list[str], by: str, where: Where) -> dict[str, str]:
    """Return what the calls of traces have in common, by trace, of those that fit."""
    named = {name: value for name, value in where.model_dump(exclude={"user", "traffic"}).items() if value}
    field = "user_id" if by == "user" else by
    found: dict[str, str] = {}
    for start in range(0, len(trace_ids), _CHUNK):
        some = tuple(trace_ids[start : start + _CHUNK])
        chosen = SpanFilter(**named, user_id=where.user, trace_ids=some)
        for span in platform.spans.scan(project, chosen, limit=_SPANS):
            found[span.trace_id] = _said(span, field) or found.get(span.trace_id, "")
    return found


def _said(span: Span, field: str) -> str:
    return str(getattr(span, field)) if field else ""
