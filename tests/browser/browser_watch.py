"""Monitors with a history, channels, silences and evaluators for the pages; none of them opens an alert."""

from __future__ import annotations

import math
from datetime import timedelta

from sqlalchemy import insert, select, update

from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span


def make_watch(platform: Platform) -> dict[str, str]:
    """Watch the latency with a day of looks behind it, score a share of the calls, and let another service drift.

    Return the moment until which that one is to be looked at.
    """
    from mainspring.monitoring import Channels, Evaluators, Monitors, Silences
    from mainspring.monitoring.online.models import Choice
    from mainspring.monitoring.online.tables import evaluators, tasks
    from mainspring.monitoring.tables import monitor_results

    Channels(platform).create("ops", "https://hooks.example.org/secret", min_severity="warning")
    settings = {"metric": "latency_p95", "bound": 800}
    Monitors(platform).create("slow", "metric", target="docs", settings=settings, channels=["ops"], enabled=False)
    Monitors(platform).create("quiet", "no_data", target="docs", window_minutes=1440, enabled=False)
    with platform.begin() as tx:
        for back in range(96, 0, -1):
            value = 480 + 260 * math.sin(back / 9) + 180 * (back % 7 == 0)
            state = "insufficient" if back > 90 else "firing" if value > 800 else "ok"
            row = {"monitor": "slow", "at": tx.now - timedelta(minutes=15 * back), "state": state, "threshold": 800.0}
            row |= {"value": None if back > 90 else value, "n": 40, "detail": {}, "trace_ids": [f"{back:032x}"]}
            words = f"latency_p95 is {value:.0f} over 40 calls of the window; the bound is 800."
            tx.execute(
                insert(monitor_results).values(id=tx.new_id(), project=tx.project, alert_id="", summary=words, **row)
            )
        until = tx.now + timedelta(hours=4)
    Silences(platform).create(until, monitor="quiet", why="Nobody is there at night.")
    choice = Choice(target="docs", environment="production", service="gateway")
    Evaluators(platform).create("brevity", "length", score="characters", choice=choice, rate=0.2)
    Evaluators(platform).backfill("brevity")
    Evaluators(platform).update("brevity", enabled=False)
    with platform.begin() as tx:
        mine = select(evaluators.c.id).where(evaluators.c.name == "brevity").scalar_subquery()
        some = select(tasks.c.trace_id).where(tasks.c.evaluator_id == mine).order_by(tasks.c.trace_id).limit(3)
        chosen = list(tx.execute(some).scalars())
        failed = {"state": "failed", "attempts": 6, "error": "The judge did not answer in time.", "value": None}
        tx.execute(update(tasks).where(tasks.c.trace_id.in_(chosen)).values(**failed))
    return {"drift_at": str(make_drift(platform))}


def make_drift(platform: Platform) -> int:
    """Let calls of a week ago be about one thing and those of the two days after about another; return their end."""
    end = int(platform.clock.now().timestamp()) - 2 * 86_400
    spans = []
    for number in range(240):
        late = number >= 120
        back = (number % 120 + 1) * 1200 + (0 if late else 2 * 86_400)
        text = f"refund order {number} money back card" if late else f"open the window {number} light air room"
        start = (end - back) * 10**9
        spans.append(
            Span(
                trace_id=f"{2_000_000 + number:032x}", span_id=f"{2_000_000 + number:016x}", project="default",
                environment="lab", service="faq", deployment="faq", name="chat faq", kind="chat", status="ok",
                start_ns=start, end_ns=start + (900 if late else 300) * 10**6 + number * 10**5,
                output_tokens=20 + number % 7,
                input=[{"role": "user", "parts": [{"type": "text", "content": text}]}],
            )
        )  # fmt: skip
    platform.spans.append(spans)
    platform.spans.flush()
    return end * 1000
