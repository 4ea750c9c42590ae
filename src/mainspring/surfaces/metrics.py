"""Prometheus metrics in the text format: what the server has done, and what it holds."""

from __future__ import annotations

import asyncio

from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mainspring import __version__
from mainspring.kernel import access
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import event_deliveries, runs
from mainspring.serving.gateway import Gateway


def metrics_route(platform: Platform, gateway: Gateway) -> Route:
    """Return the route `/metrics`; it counts over all projects, so that a key with `metrics.export` is asked for."""

    async def metrics(request: Request) -> Response:
        access.require(request.state.caller, "metrics.export")
        text = await asyncio.to_thread(_render, platform)
        return PlainTextResponse(text + gateway.metrics(), media_type="text/plain; version=0.0.4")

    return Route("/metrics", metrics)


def _render(platform: Platform) -> str:
    lines = ["# TYPE mainspring_info gauge", f'mainspring_info{{version="{__version__}"}} 1']
    for name, value in platform.spans.stats().items():
        lines += [f"# TYPE mainspring_spans_{name} gauge", f"mainspring_spans_{name} {value}"]
    with access.acting_as(access.system()), platform.read() as tx:
        number = func.count().label("number")
        states = tx.execute(select(runs.c.state, number).group_by(runs.c.state)).mappings().all()
        pending = event_deliveries.c.state.in_(["pending", "dead"])
        column = event_deliveries.c.state
        due = tx.execute(select(column, number).where(pending).group_by(column)).mappings().all()
    lines.append("# TYPE mainspring_runs gauge")
    lines += [f'mainspring_runs{{state="{row["state"]}"}} {row["number"]}' for row in states]
    lines.append("# TYPE mainspring_event_deliveries gauge")
    lines += [f'mainspring_event_deliveries{{state="{row["state"]}"}} {row["number"]}' for row in due]
    return "\n".join(lines) + "\n"
