"""Prometheus metrics in the text format: what the server has done, over all its processes, and what it holds."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mainspring import __version__
from mainspring.kernel import access
from mainspring.kernel.errors import Unauthenticated
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import event_deliveries, runs
from mainspring.serving.engine_metrics import add_engines
from mainspring.serving.totals import Totals
from mainspring.surfaces.shared_totals import SharedTotals
from mainspring.traces.tables import scores

_MOST = 1000
"""Names of scores that are told apart."""
CONTENT_TYPE = "text/plain; version=0.0.4"


def metrics_route(platform: Platform, shared: SharedTotals) -> Route:
    """Return the route `/metrics`.

    It counts over all projects, so that a key with `metrics.export` is asked for, unless the settings say otherwise.
    """

    def render() -> str:
        found = shared.together()
        _hold(platform, found)
        add_engines(platform, found)
        return found.render()

    async def metrics(request: Request) -> Response:
        if not platform.settings["metrics.public"]:
            caller = getattr(request.state, "caller", None)
            if caller is None:
                raise Unauthenticated("No API key was sent.", hint="Send 'Authorization: Bearer ms_…'.")
            access.require(caller, "metrics.export")
        return PlainTextResponse(await asyncio.to_thread(render), media_type=CONTENT_TYPE)

    return Route("/metrics", metrics)


def _hold(platform: Platform, found: Totals) -> None:
    """Add what the stores hold."""
    found.gauge("info", (("version", __version__),), 1)
    for name, value in platform.spans.stats().items():
        found.gauge(f"spans_{name}", (), value)
    with access.acting_as(access.system()), platform.read() as tx:
        number = func.count().label("number")
        mean = func.avg(scores.c.number).label("mean")
        lately = scores.c.number.is_not(None) & (scores.c.created_at >= tx.now - timedelta(hours=1))
        group = (scores.c.project, scores.c.name)
        given = tx.execute(select(*group, mean, number).where(lately).group_by(*group).limit(_MOST)).mappings().all()
        states = tx.execute(select(runs.c.state, number).group_by(runs.c.state)).mappings().all()
        pending = event_deliveries.c.state.in_(["pending", "dead"])
        column = event_deliveries.c.state
        due = tx.execute(select(column, number).where(pending).group_by(column)).mappings().all()
    for row in states:
        found.gauge("runs", (("state", row["state"]),), row["number"])
    for row in given:
        labels = (("project", row["project"]), ("name", row["name"]))
        found.gauge("score_mean", labels, row["mean"])
        found.gauge("scores_last_hour", labels, row["number"])
    for row in due:
        found.gauge("event_deliveries", (("state", row["state"]),), row["number"])
