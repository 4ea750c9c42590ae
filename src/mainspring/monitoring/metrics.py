"""Metrics: what can be said of a window of traffic in one number, with an interval where one is due."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import CallTotals, Span
from mainspring.monitoring.attacks.runaways import circles
from mainspring.monitoring.sample import Traffic, calls, live, totals
from mainspring.stats import mean_interval, quantile_interval
from mainspring.stats.intervals import TooFewRows
from mainspring.stats.proportions import LEAST_ROWS, exact_proportion, proportion
from mainspring.traces import scores as score_store

_SHOWN = 5
_SCORED_BACK = timedelta(days=7)
"""How long before its score a call may have been."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric over a window."""

    value: float | None
    """None where there is nothing to measure."""
    n: int
    low: float | None = None
    """95 % interval; None where the metric is a plain sum, or there is too little to say."""
    high: float | None = None
    trace_ids: tuple[str, ...] = ()
    """Those that weigh most in it."""
    exact: bool = False
    """Whether it is a sum or a count, which is known and not estimated."""


@dataclass(frozen=True, slots=True)
class _Kind:
    help: str
    of: Callable[[Sequence[Span]], Measured]
    attempts: bool = False
    """Whether attempts at a routed call that another one followed count too: they may cost."""
    summed: Callable[[CallTotals], Measured] | None = None
    """The same from the sums of all calls: what is added up, or shared out, is not that of the newest calls alone."""


def _total(value: Callable[[CallTotals], float]) -> Callable[[CallTotals], Measured]:
    return lambda whole: Measured(float(value(whole)), whole.calls, exact=True)


def _rate(hits: int, n: int, trace_ids: tuple[str, ...] = ()) -> Measured:
    """Return a share with its interval."""
    if not n:
        return Measured(None, 0)
    found = proportion(hits, n) if n >= LEAST_ROWS else exact_proportion(hits, n)
    return Measured(hits / n, n, found.low, found.high, trace_ids)


def _share(bad: Callable[[Span], bool]) -> Callable[[Sequence[Span]], Measured]:
    def measure(seen: Sequence[Span]) -> Measured:
        hit = [span for span in seen if bad(span)]
        return _rate(len(hit), len(seen), _ids(hit))

    return measure


def _quantile(value: Callable[[Span], float | None], q: float) -> Callable[[Sequence[Span]], Measured]:
    def measure(seen: Sequence[Span]) -> Measured:
        timed = [(taken, span) for span in seen if (taken := value(span)) is not None]
        if not timed:
            return Measured(None, 0)
        timed.sort(key=lambda pair: pair[0])
        values = [taken for taken, _ in timed]
        slow = _ids([span for _, span in reversed(timed)])
        with suppress(TooFewRows):
            found = quantile_interval(values, q)
            return Measured(found.estimate, len(values), found.low, found.high, slow)
        return Measured(values[min(len(values) - 1, int(q * len(values)))], len(values), None, None, slow)

    return measure


def _sum(value: Callable[[Span], float]) -> Callable[[Sequence[Span]], Measured]:
    def measure(seen: Sequence[Span]) -> Measured:
        dear = sorted((span for span in seen if value(span)), key=value, reverse=True)
        return Measured(float(sum(map(value, seen))), len(seen), None, None, _ids(dear), exact=True)

    return measure


def _count(wanted: Callable[[Span], bool]) -> Callable[[Sequence[Span]], Measured]:
    def measure(seen: Sequence[Span]) -> Measured:
        hit = [span for span in seen if wanted(span)]
        return Measured(float(len(hit)), len(seen), None, None, _ids(hit), exact=True)

    return measure


def _failed(span: Span) -> bool:
    return span.status == "error"


def _guarded(span: Span) -> bool:
    return span.attributes.get("mainspring.guard.action") in ("mask", "block")


def _cached(span: Span) -> float:
    return float(span.cached_tokens or 0)


def _whole(span: Span) -> float:
    return (span.end_ns - span.start_ns) / 1e6


def _cut(span: Span) -> bool:
    return "length" in (span.attributes.get("gen_ai.response.finish_reasons") or ())


def _longest(seen: Sequence[Span]) -> Measured:
    told = sorted((span for span in seen if span.output_tokens), key=lambda span: -(span.output_tokens or 0))
    return Measured(float(told[0].output_tokens or 0) if told else None, len(seen), None, None, _ids(told), exact=True)


KINDS: dict[str, _Kind] = {
    "requests": _Kind("calls", _count(lambda span: True), summed=_total(lambda whole: whole.calls)),
    "errors": _Kind("calls that failed", _count(_failed), summed=_total(lambda whole: whole.errors)),
    "error_rate": _Kind(
        "share of calls that failed", _share(_failed), summed=lambda whole: _rate(whole.errors, whole.calls)
    ),
    "guard_rate": _Kind("share of calls that the guard masked or blocked", _share(_guarded)),
    "cut_rate": _Kind("share of answers cut off at their length", _share(_cut)),
    "loop_rate": _Kind("share of answers that go round in circles", _share(circles)),
    "longest_output": _Kind("tokens of the longest answer", _longest),
    "latency_p50": _Kind("median of the whole time, in ms", _quantile(_whole, 0.5)),
    "latency_p95": _Kind("95 % quantile of the whole time, in ms", _quantile(_whole, 0.95)),
    "latency_p99": _Kind("99 % quantile of the whole time, in ms", _quantile(_whole, 0.99)),
    "ttft_p50": _Kind("median of the time to the first token, in ms", _quantile(lambda span: span.ttft_ms, 0.5)),
    "ttft_p95": _Kind("95 % quantile of it, in ms", _quantile(lambda span: span.ttft_ms, 0.95)),
    "input_tokens": _Kind(
        "tokens in", _sum(lambda span: float(span.input_tokens or 0)), True, _total(lambda whole: whole.input_tokens)
    ),
    "output_tokens": _Kind(
        "tokens out", _sum(lambda span: float(span.output_tokens or 0)), True, _total(lambda whole: whole.output_tokens)
    ),
    "cached_tokens": _Kind(
        "tokens in that were cached", _sum(_cached), True, _total(lambda whole: whole.cached_tokens)
    ),
    "cost": _Kind("US dollars", _sum(lambda span: span.cost or 0.0), True, _total(lambda whole: whole.cost)),
}
"""By name; besides, `score/NAME` is the mean of the scores of that name, `score/NAME=LABEL` the share of a label."""


def check(name: str) -> str:
    """Return the name of a metric. Raises Invalid for one that does not exist."""
    if name not in KINDS and not (name.startswith("score/") and len(name) > len("score/")):
        raise Invalid(f"There is no metric '{name}'.", hint=f"There are {', '.join(KINDS)} and score/NAME.")
    return name


def measure(
    platform: Platform,
    name: str,
    target: str,
    environment: str,
    *,
    since: datetime,
    until: datetime,
    traffic: Traffic = "live",
    shown: bool = True,
) -> Measured:
    """Measure a metric over a window; traces are named where they are to be `shown`.

    Sums, and the share of errors, are of all calls, other figures of the newest 20,000.
    """
    with platform.read() as tx:
        project = tx.project
    if name.startswith("score/"):
        return _scored(platform, project, name.removeprefix("score/"), target, environment, since, until, traffic)
    kind = KINDS[check(name)]
    found = None
    if kind.summed is not None:
        found = kind.summed(totals(platform, project, target, environment, since=since, until=until, traffic=traffic))
        if not shown:
            return found
    seen = calls(
        platform, project, target, environment, since=since, until=until, traffic=traffic, attempts=kind.attempts
    )
    of_newest = kind.of(list(seen))
    return of_newest if found is None else replace(found, trace_ids=of_newest.trace_ids)


def _scored(
    platform: Platform,
    project: str,
    name: str,
    target: str,
    environment: str,
    since: datetime,
    until: datetime,
    traffic: Traffic,
) -> Measured:
    name, _, label = name.partition("=")
    with platform.read() as tx:
        given = score_store.find(tx, name=name, since=since, until=until)
    if target or environment:
        before = since - _SCORED_BACK
        seen = calls(platform, project, target, environment, since=before, until=until, traffic=traffic)
        mine = {span.trace_id for span in seen}
        given = [one for one in given if one.trace_id in mine]
    elif traffic == "live":
        mine = live(platform, project, [one.trace_id for one in given if one.trace_id])
        given = [one for one in given if not one.trace_id or one.trace_id in mine]
    pairs: list[tuple[float, str]] = []
    for one in given:
        value = one.number if not label else None if one.label is None else float(one.label == label)
        if value is not None and math.isfinite(value):
            pairs.append((value, one.trace_id))
    if not pairs:
        return Measured(None, 0)
    values = [value for value, _ in pairs]
    worst = tuple(dict.fromkeys(trace_id for _, trace_id in sorted(pairs)))[:_SHOWN]
    with suppress(TooFewRows):
        found = mean_interval(values)
        return Measured(found.estimate, len(values), found.low, found.high, worst)
    return Measured(sum(values) / len(values), len(values), None, None, worst)


def _ids(spans: Sequence[Span]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(span.trace_id for span in spans[:50]))[:_SHOWN]
