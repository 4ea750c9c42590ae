"""The monitor of improvement areas: new ones, and such as came back."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from sqlalchemy import and_, or_, select

from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Record
from mainspring.monitoring.areas import store
from mainspring.monitoring.areas.tables import issue_events, issues
from mainspring.monitoring.checks import Count, check
from mainspring.monitoring.models import Finding, Monitor


class AreaOptions(Record):
    """Settings of an areas monitor."""

    least: Count = 3
    """Traces that an area must have to count."""
    announce: Literal["shown", "found"] = "shown"
    """`shown`: areas of errors and of tools, those that came back, and others once calls that ask alike are shown to
    do worse, corrected for all areas. `found`: every area, which groups of bad traces make by chance too."""


@check("areas", AreaOptions)
def areas(platform: Platform, monitor: Monitor, options: AreaOptions) -> Finding:
    """An improvement area was found and shown to do worse, or one that was fixed came back."""
    since = platform.clock.now() - timedelta(minutes=monitor.window_minutes)
    until = platform.clock.now()
    with platform.read() as tx:
        e, i = issue_events.c, issues.c
        shown = or_(e.kind.in_(("shown", "reopened")), and_(e.kind == "opened", i.why != "scores"))
        telling = shown if options.announce == "shown" else e.kind.in_(("opened", "reopened"))
        mine = (e.project == tx.project) & telling & (e.at >= since) & (e.at <= until)
        told = select(e.issue_id).join(issues, i.id == e.issue_id).where(mine).order_by(e.id.desc())
        ids = list(dict.fromkeys(tx.execute(told).scalars()))
        query = select(issues).where(i.project == tx.project, i.id.in_(ids[:200]), i.state == "open")
        if monitor.target:
            query = query.where(i.target == monitor.target)
        if monitor.environment:
            query = query.where(i.environment.in_((monitor.environment, "")))
        rows = [row for row in tx.execute(query).mappings() if row["count"] >= options.least]
        traces = [one.trace_id for row in rows[:5] for one in store.newest(tx, row["id"], 2)]
    names = "; ".join(f"{row['name']} ({row['count']} traces)" for row in rows[:5])
    return Finding(
        state="firing" if rows else "ok",
        value=float(len(rows)),
        threshold=0.0,
        n=len(ids),
        summary=f"{len(rows)} improvement areas were found or came back{': ' if names else ''}{names}."[:2000],
        detail={"issues": [row["id"] for row in rows]},
        trace_ids=traces[:5],
    )
