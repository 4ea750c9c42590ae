"""Canaries for the pages: one that is judged just now, and one that was rolled back."""

from __future__ import annotations

import random
from typing import Any

from browser_gateway import make_routes

from mainspring.kernel import access
from mainspring.kernel.access import ROLES, Caller
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span

PLACE = "staging"


def make_canaries(platform: Platform) -> None:
    """Put a canary on `search`, which goes on, and one on `help`, which is worse; both in staging."""
    with access.acting_as(Caller("bea", "key-of-bea", "default", PLACE, "admin", ROLES["admin"])):
        _run(platform, "search", worse=0.02)
        _run(platform, "help", worse=0.35)
        _refreshes(platform)


def make_staging(platform: Platform) -> None:
    """Put routes and caches into staging."""
    with access.acting_as(Caller("bea", "key-of-bea", "default", PLACE, "admin", ROLES["admin"])):
        make_routes(platform)


def _refreshes(platform: Platform) -> None:
    """Let one refresh of `search` be done and another be due, then watch it by the month and by a score."""
    from mainspring.serving.refresh import Refreshes, refresh_due

    service = Refreshes(platform)
    service.set("search", every_hours=1e-7, cooldown_hours=0)
    refresh_due(platform)
    [first] = service.history(deployment="search").items
    service.start(first.id, note="run 41")
    service.finish(first.id, release="release/docs@2", note="better on packages")
    refresh_due(platform)
    service.set("search", every_hours=720, score="helpful", quiet_hours="07-19")


def _run(platform: Platform, name: str, worse: float) -> None:
    from mainspring.serving.judging import judge_due
    from mainspring.serving.rollouts import Canaries
    from mainspring.serving.service import Deployments
    from mainspring.traces import scores

    Deployments(platform).create(name, "release/docs@1", note="first")
    plan: dict[str, Any] = {"margin": 0.05, "split": "user", "weights": [0.4], "horizon_units": 4000}
    Canaries(platform).start(name, "release/docs@2", "score/helpful", **plan)
    draw, count = random.Random(5), 0
    for _ in range(10):
        spans = []
        for _ in range(70):
            count += 1
            spans.append(_call(platform, name, count, "canary" if draw.random() < 0.4 else "baseline"))
        platform.spans.append(spans)
        platform.spans.flush()
        with platform.begin() as tx:
            for span in spans:
                rate = 0.85 - (worse if span.release.endswith("@2") else 0.0)
                scores.put(tx, "helpful", trace_id=span.trace_id, number=float(draw.random() < rate))
        judge_due(platform)


def _call(platform: Platform, name: str, number: int, arm: str) -> Span:
    now = int(platform.clock.now().timestamp() * 1e9)
    release = "release/docs@2" if arm == "canary" else "release/docs@1"
    return Span(
        trace_id=platform.ids.new().replace("-", ""), span_id=f"{number:016x}", project="default", environment=PLACE,
        name=f"chat {name}", kind="chat", start_ns=now, end_ns=now + 90_000_000, status="ok", deployment=name,
        release=release, user_id=f"user-{number}", attributes={"mainspring.arm": arm},
    )  # fmt: skip
