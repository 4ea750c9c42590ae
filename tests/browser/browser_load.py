"""Load tests for the pages: two releases over four levels, the second slower, and one that is under way."""

from __future__ import annotations

import random
from datetime import timedelta

from sqlalchemy import update

from mainspring.kernel import runs
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import runs as run_table
from mainspring.serving.loads import LoadLevel


def make_load_tests(platform: Platform) -> dict[str, str]:
    """Store the results of two load tests, and leave a third under way; return their ids."""
    made = {"load": _made(platform, "release/docs@2", 1.35), "load_before": _made(platform, "release/docs@1", 1.0)}
    return {**made, "loading": _under_way(platform)}


def _under_way(platform: Platform) -> str:
    level = _level(platform, {"ttft": 400.0}, random.Random(4), 1.0, 900)
    params = {"deployment": "docs", "url": "", "arrivals": "open", "levels": [1.0, 2.0, 4.0, 8.0], "seconds": 30.0}
    with platform.begin() as tx:
        run = runs.create(tx, "loadtest.run", {**params, "slo": {"ttft": 400.0}, "max_tokens": 64, "seed": 0})
        told = {"text": "1 requests/s: 30 of 30 answered, 0.98 requests/s, 39.2 tokens/s"}
        runs.log(tx, run.id, "log", {**told, "level": level.model_dump(mode="json")})
        progress = {"done": 30.0, "total": 120.0, "message": "2: 41 requests", "metrics": {}}
        values = {"state": "running", "progress": progress, "started_at": tx.now - timedelta(seconds=51), "attempt": 1}
        tx.execute(update(run_table).where(run_table.c.id == run.id).values(**values))
    return run.id


def _level(platform: Platform, slo: dict[str, float], draw: random.Random, load: float, usual: float) -> LoadLevel:
    """A level of open load whose answers take about `usual` milliseconds; of eight requests a second some fail."""
    from mainspring.serving import loads
    from mainspring.serving.loads import Sample
    from mainspring.serving.loadtests import keep

    found = []
    for number in range(int(load * 30)):
        e2e = usual * draw.lognormvariate(0, 0.3)
        sample = Sample(number * 1000 / load, e2e / 6, e2e / 40, e2e, 40, "")
        failed = sample._replace(ttft=None, itl=None, e2e=None, tokens=0, error="status 429")
        found.append(failed if load == 8 and number % 9 == 0 else sample)
    return loads.level(found, slo, arrivals="open", load=load, seconds=30.0, kept=keep(platform, found))


def _made(platform: Platform, release: str, factor: float) -> str:
    from mainspring.serving import loads
    from mainspring.serving.loads import LoadTest

    draw, slo = random.Random(8), {"ttft": 400.0, "e2e": 3000.0}
    waits = ((1.0, 1.0), (2.0, 1.1), (4.0, 1.5), (8.0, 6.0))
    levels = [_level(platform, slo, draw, load, 900 * factor * wait) for load, wait in waits]
    with platform.begin() as tx:
        run = runs.create(tx, "loadtest.run", {})
        test = LoadTest(
            id=run.id, target="docs", release=release, slo=slo, prompts=1, max_tokens=64, seed=0, levels=levels,
            knee=loads.knee(levels), sustained=loads.sustained(levels), started_at=tx.now,
        )  # fmt: skip
        values = {"state": "succeeded", "result": test.model_dump(mode="json"), "started_at": tx.now}
        tx.execute(update(run_table).where(run_table.c.id == run.id).values(**values, finished_at=tx.now))
    return run.id
