"""Scoring: calls are drawn as they come, scored in small batches, tried again where a judge stays away."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping, select, update

from mainspring.evals import scorers
from mainspring.evals.models import Judgement
from mainspring.evals.scorers import Answer, Bench
from mainspring.kernel import access
from mainspring.kernel.errors import LimitReached, MainspringError, Unavailable
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import ChatReply, ChatRequest
from mainspring.monitoring.online import sampling, store
from mainspring.monitoring.online.models import Choice
from mainspring.monitoring.online.tables import evaluators
from mainspring.traces import scores as score_store
from mainspring.traces.models import nanoseconds

BATCH = 16
"""Calls that are scored together; a budget in money is looked at between batches."""
ATTEMPTS = 6
"""How often a call is tried whose judge stays away: after 10, 20, 40, 80 and 160 seconds."""
_AT_ONCE = 8
_LATE_SECONDS = 60.0
"""How late a span may become visible and still be drawn at the next look."""
_SWEEP = 30
"""Every so many looks, calls that took as long as calls may take are looked for too."""
_BATCHES_A_LOOK = 4
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Asking:
    """What one batch asks of judges, and what became of it."""

    platform: Platform
    cost: dict[str, float] = field(default_factory=dict)
    away: dict[str, str] = field(default_factory=dict)
    """Why no judge answered about a call, by the call's key."""
    refused: dict[str, str] = field(default_factory=dict)
    """Why a judge cannot be asked about a call, which will not be otherwise by itself."""
    said: dict[str, Sequence[Judgement]] = field(default_factory=dict)

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatReply | None]:
        found: list[ChatReply | None] = []
        replies = self.platform.chat.complete_many(requests, concurrency=_AT_ONCE)
        for request, reply in zip(requests, replies, strict=True):
            key = request.metadata.get("judged", "")
            if isinstance(reply, ChatReply):
                self.cost[key] = self.cost.get(key, 0.0) + max(0.0, reply.cost)
                found.append(reply)
                continue
            found.append(None)
            passing = not isinstance(reply, MainspringError) or isinstance(reply, Unavailable | LimitReached)
            (self.away if passing else self.refused)[key] = str(reply)[:500] or type(reply).__name__
        return found

    def keep(self, key: str, said: Sequence[Judgement]) -> None:
        self.said[key] = said


def work_due(platform: Platform) -> int:
    """Draw and score for every evaluator that is on, of all projects; return how many calls were scored."""
    with access.acting_as(access.system()), platform.read() as tx:
        on = select(evaluators.c.project, evaluators.c.name).where(evaluators.c.enabled)
        rows = tx.execute(on.order_by(evaluators.c.id).limit(1000)).mappings().all()
    done = 0
    for row in rows:
        with access.acting_as(access.system(row["project"])):
            try:
                draw(platform, row["name"])
                for _ in range(_BATCHES_A_LOOK):
                    some = work(platform, row["name"])
                    done += some
                    if not some:
                        break
            except Exception:
                _log.exception("the evaluator %s of %s failed", row["name"], row["project"])
    return done


def draw(platform: Platform, name: str) -> int:
    """Draw from the calls that came since the last look; return how many are new."""
    with platform.read() as tx:
        row, now = store.find(tx, name), tx.now
    late = float(platform.settings["gateway.timeout_seconds"]) if row["looks"] % _SWEEP == 0 else 0.0
    since = max(nanoseconds(row["created_at"]), row["seen_ns"] - int((late + _LATE_SECONDS) * 1e9))
    found = [
        (span.trace_id, span.span_id) for span in sampling.drawn(platform, tx.project, row, since, nanoseconds(now))
    ]
    with platform.begin() as tx:
        added = store.enrol(tx, row, found)
        seen = {"seen_ns": nanoseconds(now), "looks": row["looks"] + 1}
        tx.execute(update(evaluators).where(evaluators.c.id == row["id"]).values(**seen))
    return added


def work(platform: Platform, name: str, run_id: str | None = None) -> int:
    """Score one batch of what waits; return how many calls got their score, or will get none."""
    with platform.begin() as tx:
        row = store.find(tx, name)
        waiting = [] if store.waits(tx, row) else store.take(tx, row, BATCH, run_id)
    known, answers = [], []
    for task in waiting:
        spans = platform.spans.trace(tx.project, task["trace_id"])
        span = next((one for one in spans if one.span_id == task["span_id"]), None)
        if span is None:
            _close(platform, row, task, "inapplicable", error="The trace is gone.")
        else:
            known.append(task)
            answers.append(sampling.answer_of(span, spans))
    if not known:
        return len(waiting)
    environment = Choice(**row["choice"]).environment
    values, asking = score(platform, row["metric"], answers, environment)
    settled = len(waiting) - len(known)
    for task, answer, value in zip(known, answers, values, strict=True):
        settled += _record(platform, row, task, answer.key, value, asking)
    return settled


def score(
    platform: Platform, metric: str, answers: Sequence[Answer], environment: str
) -> tuple[list[float | None], _Asking]:
    """Return one number for each answer, and what judges said; a scorer that fails scores nothing of the batch."""
    asking = _Asking(platform)
    bench = Bench(platform, asking.ask, environment, asking.keep)
    try:
        values = scorers.metric(metric).values(bench, answers)
    except Exception as error:
        if not isinstance(error, MainspringError):
            _log.exception("the scorer %s failed", metric)
        values = [None] * len(answers)
        asking.away |= {answer.key: str(error)[:500] or type(error).__name__ for answer in answers}
    return values, asking


def _record(
    platform: Platform, row: RowMapping, task: RowMapping, key: str, value: float | None, asking: _Asking
) -> bool:
    """Write what became of a call; True where it is through."""
    cost = float(task["cost"]) + asking.cost.get(key, 0.0)
    said = asking.said.get(key, ())
    if key in asking.away and (value is None or len(said) == 0):
        if task["attempts"] + 1 >= ATTEMPTS:
            return _close(platform, row, task, "failed", error=asking.away[key], cost=cost)
        wait = timedelta(seconds=10 * 2 ** task["attempts"])
        with platform.begin() as tx:
            store.finish(tx, task, "pending", not_before=tx.now + wait, error=asking.away[key], cost=cost)
        return False
    if value is None and key in asking.refused and len(said) == 0:
        return _close(platform, row, task, "failed", error=asking.refused[key], cost=cost)
    if value is None:
        note = "The judge did not answer in the form asked for." if row["metric"].startswith("judge:") else ""
        return _close(platform, row, task, "inapplicable", error=note, cost=cost)
    reasons = "\n".join(f"{one.step}: {one.reason}" for one in said)[:4000]
    source = "model" if row["metric"].startswith("judge:") else "code"
    with platform.begin() as tx:
        if store.finish(tx, task, "done", value=value, error="", cost=cost):
            place = {"trace_id": task["trace_id"], "span_id": task["span_id"]}
            score_store.put(tx, row["score"], **place, number=value, comment=reasons, source=source)
    return True


def _close(platform: Platform, row: RowMapping, task: RowMapping, state: str, **values: Any) -> bool:
    with platform.begin() as tx:
        store.finish(tx, task, state, **values)
    return True
