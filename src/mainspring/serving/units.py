"""Units: the traffic of a canary, as the values of what it is split by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select

from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.kernel.tx import Tx
from mainspring.serving.canaries import CanaryPlan
from mainspring.serving.models import LOADTEST, PLAYGROUND, SHADOW
from mainspring.traces import nanoseconds
from mainspring.traces.tables import scores

CALLS = ("chat", "text_completion")
LEFT = "the client went away"
"""The status message of a call whose client did not wait: it says nothing about the release."""
_TRIED = (PLAYGROUND, SHADOW, LOADTEST)
"""Services whose calls are no traffic."""
_KEPT = ("hit", "semantic")
_MOST = 20_000
_SECOND = 10**9


class Call(NamedTuple):
    """What counts of one call."""

    trace_id: str
    session_id: str
    unit: str
    """Hash of its request, user or session; empty where it does not say it."""
    release: str
    at_ns: int
    failed: bool | None
    """None where nobody waited for the answer, and where no model made it."""
    latency_ms: float
    ttft_ms: float | None
    cost: float | None


class Seen(NamedTuple):
    """One value of a unit."""

    unit: str
    release: str
    at_ns: int
    value: float


class Unit(NamedTuple):
    """A unit that counts, with the mean of its values."""

    unit: str
    release: str
    value: float


class Scope(NamedTuple):
    """Whose traffic is read."""

    project: str
    environment: str
    deployment: str
    releases: tuple[str, str]
    canary_id: str
    split: str
    since_ns: int
    """When the canary started: what began before does not count."""


def calls(platform: Platform, scope: Scope, since_ns: int, until_ns: int) -> list[Call]:
    """Return the calls that began in a time, in order; those that are no traffic are left out."""
    where = SpanFilter(environment=scope.environment, deployment=scope.deployment, since_ns=since_ns, until_ns=until_ns)
    spans = 0
    found = []
    for span in platform.spans.scan(scope.project, where, limit=_MOST):
        spans += 1
        found += _of(scope, span)
    if spans == _MOST and until_ns - since_ns > _SECOND:
        middle = (since_ns + until_ns) // 2
        return calls(platform, scope, since_ns, middle) + calls(platform, scope, middle, until_ns)
    return sorted(found, key=lambda call: call.at_ns)


def measured(plan: CanaryPlan, found: Iterable[Call]) -> Iterator[Seen]:
    """Yield the values of a metric that the calls themselves carry."""
    for call in found:
        values = {"error": call.failed, "latency": call.latency_ms, "ttft": call.ttft_ms, "cost": call.cost}
        value = values[plan.metric]
        # How long a failure took, and what it cost, says nothing about an answer.
        if call.unit and value is not None and (plan.metric == "error" or call.failed is False):
            yield Seen(call.unit, call.release, call.at_ns, float(value))


def judged(platform: Platform, plan: CanaryPlan, scope: Scope, since: datetime) -> list[Seen]:
    """Return the values of scores that were given since a moment, in order."""
    name, _, label = plan.metric.removeprefix("score/").partition("=")
    with platform.read() as tx:
        given = _scores(tx, name, label, since)
    by_trace = _calls_of(platform, scope, [score.trace_id for score in given if score.trace_id])
    by_session = _sessions(platform, scope, [score.session_id for score in given if not score.trace_id])
    found = []
    for score in given:
        call = by_trace.get(score.trace_id) if score.trace_id else by_session.get(score.session_id)
        if call is not None and call.unit:
            found.append(Seen(call.unit, call.release, nanoseconds(score.at), score.value))
    return found


def settled(seen: Iterable[Seen], plan: CanaryPlan, now_ns: int) -> list[Unit]:
    """Return the units that have been watched long enough, each with the mean of its values from its first release."""
    window = int(plan.settle_minutes * 60 * _SECOND)
    by_unit: dict[str, list[Seen]] = {}
    for one in sorted(seen, key=lambda one: one.at_ns):
        by_unit.setdefault(one.unit, []).append(one)
    found = []
    for unit, values in by_unit.items():
        first = values[0]
        if first.at_ns + window > now_ns:
            continue
        mine = [
            one.value
            for one in values
            if one.release == first.release and (not window or one.at_ns <= first.at_ns + window)
        ]
        found.append(Unit(unit, first.release, sum(mine) / len(mine)))
    return found


class _Given(NamedTuple):
    trace_id: str
    session_id: str
    at: datetime
    value: float


def _scores(tx: Tx, name: str, label: str, since: datetime) -> list[_Given]:
    columns = scores.c
    query = select(columns.trace_id, columns.session_id, columns.created_at, columns.number, columns.label)
    query = query.where(columns.project == tx.project, columns.name == name, columns.created_at >= since)
    found = []
    for row in tx.execute(query.order_by(columns.id).limit(100_000)).mappings():
        said = row["label"]
        value = row["number"] if not label else None if said is None else float(said == label)
        if value is not None:
            found.append(_Given(row["trace_id"], row["session_id"], row["created_at"], value))
    return found


def _calls_of(platform: Platform, scope: Scope, trace_ids: list[str]) -> dict[str, Call]:
    """Return the last counted call of each trace."""
    found: dict[str, Call] = {}
    known = list(dict.fromkeys(trace_ids))
    for start in range(0, len(known), 200):
        some = tuple(known[start : start + 200])
        where = SpanFilter(deployment=scope.deployment, environment=scope.environment, trace_ids=some)
        for span in platform.spans.scan(scope.project, where, limit=_MOST):
            for call in _of(scope, span):
                found.setdefault(call.trace_id, call)
    return found


def _sessions(platform: Platform, scope: Scope, session_ids: list[str]) -> dict[str, Call]:
    """Return the last counted call of each session."""
    found: dict[str, Call] = {}
    for session_id in dict.fromkeys(session_ids):
        where = SpanFilter(deployment=scope.deployment, environment=scope.environment, session_id=session_id)
        for span in platform.spans.scan(scope.project, where, limit=100):
            for call in _of(scope, span):
                found.setdefault(session_id, call)
    return found


def _of(scope: Scope, span: Span) -> list[Call]:
    """Return the call of a span, where it counts."""
    if span.kind not in CALLS or span.service in _TRIED or span.release not in scope.releases:
        return []
    if span.start_ns < scope.since_ns or "mainspring.arm" not in span.attributes:
        return []
    names = {"request": span.trace_id, "user": span.user_id, "session": span.session_id}
    # The baseline's cache is warm, and the candidate's cold: what it answers says nothing of either.
    kept = span.attributes.get("mainspring.cache") in _KEPT
    failed = None if kept or span.status_message == LEFT else span.status == "error"
    unit = _hashed(scope.canary_id, names[scope.split])
    taken = (span.end_ns - span.start_ns) / 1e6
    return [
        Call(span.trace_id, span.session_id, unit, span.release, span.start_ns, failed, taken, span.ttft_ms, span.cost)
    ]


def _hashed(canary_id: str, name: str) -> str:
    return hashlib.sha256(f"{canary_id}/{name}".encode()).hexdigest()[:32] if name else ""


def back(moment: datetime, seconds: float) -> datetime:
    """Return a moment some seconds before."""
    return moment - timedelta(seconds=seconds)
