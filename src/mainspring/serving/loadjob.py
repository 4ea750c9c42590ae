"""The job that runs a load test, a level at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from mainspring.evals import remote
from mainspring.kernel import runs
from mainspring.kernel.access import require
from mainspring.kernel.errors import Unavailable
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import JSON
from mainspring.serving import deployments, loads
from mainspring.serving.loading import Aim, Loader, Shots
from mainspring.serving.loads import LoadLevel, LoadTest
from mainspring.serving.loadtests import KIND, keep
from mainspring.serving.models import LOADTEST
from mainspring.workspace import require_asked
from mainspring.workspace.key_service import add_key
from mainspring.workspace.tables import keys

if TYPE_CHECKING:
    from aiohttp import ClientSession

_WARM = 3


@job(KIND)
def run(task: Job) -> JSON:
    """Send level after level; a level that was finished before a crash is not repeated."""
    p = task.params
    with task.read() as tx:
        started = runs.get(tx, task.run_id).created_at
        where = deployments.get(tx, tx.caller.environment, p["deployment"]) if p["deployment"] else None
    levels = []
    for index, load in enumerate(p["levels"]):
        shots = Shots(p["arrivals"], load, p["seconds"], p["seed"] + index)
        found = task.step(f"level {load:g}", partial(_sent, task, shots))
        levels.append(LoadLevel(**found))
        task.log(_told(levels[-1]), level=levels[-1].model_dump(mode="json"))
    test = LoadTest(
        id=task.run_id,
        target=p["url"].partition("?")[0] or p["deployment"],
        release=where.baseline if where and not where.canary else "",
        slo=p["slo"],
        prompts=len(p["prompts"]),
        max_tokens=p["max_tokens"],
        seed=p["seed"],
        levels=levels,
        knee=loads.knee(levels),
        sustained=loads.sustained(levels),
        started_at=started,
    )
    return test.model_dump(mode="json")


def _sent(task: Job, shots: Shots) -> JSON:
    return asyncio.run(_level(task, shots))


async def _level(task: Job, shots: Shots) -> JSON:
    """Run one level and return its figures."""
    p = task.params
    total = p["seconds"] * len(p["levels"])
    before = p["levels"].index(shots.load) * p["seconds"]

    def tick(sent: int) -> None:
        task.check_cancelled()
        task.progress(before, total, f"{shots.load:g}: {sent} requests")

    async with _aimed(task) as (session, aim):
        loader = Loader(session, aim, tick)
        await loader.warm(_WARM)
        found = await loader.level(shots)
    figures = loads.level(
        found,
        p["slo"],
        arrivals=shots.arrivals,
        load=shots.load,
        seconds=shots.seconds,
        kept=keep(task.platform, found),
    )
    return figures.model_dump(mode="json")


@asynccontextmanager
async def _aimed(task: Job) -> AsyncIterator[tuple[ClientSession, Aim]]:
    """Open a session to the target: a server by URL, or the gateway, with a key that lives as long as the level."""
    import aiohttp

    p = task.params
    asked: dict[str, Any] = {"prompts": p["prompts"], "max_tokens": p["max_tokens"]}
    if p["url"]:
        server = remote.find(p["url"], task.platform.settings)
        async with remote.open_session(server, 0) as session:
            yield session, Aim(server.url, server.model, **asked)
        return
    key_id, secret = _key(task, p["seconds"])
    headers = {"authorization": f"Bearer {secret}", "x-mainspring-source": LOADTEST}
    timeout = aiohttp.ClientTimeout(total=float(task.platform.settings["gateway.timeout_seconds"]))
    connector = aiohttp.TCPConnector(limit=0)
    try:
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=False) as session:
            url = f"{server_url(task.platform)}/v1/chat/completions"
            yield session, Aim(url, p["deployment"], headers=headers, **asked)
    finally:
        with task.begin() as tx:
            tx.execute(update(keys).where(keys.c.id == key_id).values(revoked_at=tx.now))


def _key(task: Job, seconds: float) -> tuple[str, str]:
    """Make a key of the caller's own that may ask this deployment alone, and say that it is a load test."""
    # Whoever resumes a test may not be who started it.
    require(task.caller, "deployment.use")
    require_asked(task.caller, task.params["deployment"])
    with task.begin() as tx:
        fields = {
            "environment": tx.caller.environment,
            "member": tx.caller.member,
            "note": f"load test {task.run_id}",
            "roams": False,
            "permissions": ["deployment.use", "loadtest.write"],
            "models": [f"deployment/{task.params['deployment']}"],
            "expires_at": tx.now + timedelta(seconds=seconds + 900),
        }
        made = add_key(tx, tx.project, **fields)
    return made.id, made.secret


def server_url(platform: Platform) -> str:
    """Return where this installation's server answers. Raises Unavailable."""
    if platform.settings["url"]:
        return str(platform.settings["url"]).rstrip("/")
    try:
        return str(json.loads((platform.home / "run" / "server.json").read_text())["url"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Unavailable("No server runs here.", hint="Start one with `mainspring up`.") from None


def _told(found: LoadLevel) -> str:
    """Return a level in one line."""
    first = f", first token {found.ttft.p50.value:.0f} ms, at p95 {found.ttft.p95.value:.0f}" if found.ttft else ""
    unit = "requests/s" if found.arrivals == "open" else "clients"
    rates = f"{found.requests_per_second:.2f} requests/s, {found.tokens_per_second:.1f} tokens/s"
    return f"{found.load:g} {unit}: {found.answered} of {found.requests} answered, {rates}{first}"
