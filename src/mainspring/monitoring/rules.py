"""Rules on any metric: a bound, a change, an anomaly, silence, and the burn rate of an objective."""

from __future__ import annotations

import statistics
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.monitoring import metrics
from mainspring.monitoring.checks import Count, check
from mainspring.monitoring.drift import TooFew
from mainspring.monitoring.metrics import Measured
from mainspring.monitoring.models import Finding, Monitor
from mainspring.monitoring.sample import Traffic, Watched, calls, totals
from mainspring.monitoring.shift import ShiftSettings, report
from mainspring.traces.models import nanoseconds

Number = Annotated[float, Field(ge=-1e12, le=1e12)]
_AGO = {"previous": None, "day": timedelta(days=1), "week": timedelta(days=7)}
_LEAST_WINDOWS = 12
"""Earlier windows with traffic under which nothing is called unusual."""


class MetricOptions(Watched):
    """Settings of a metric monitor."""

    metric: str
    """One of the metrics, such as `latency_p95`, `cost` or `score/helpful`."""
    rule: Literal["above", "below", "change", "anomaly"] = "above"
    bound: Number
    """Of `above` and `below` the value; of `change` the share by which it may move, such as 0.5; of `anomaly` how many
    robust standard deviations from the median of earlier windows, such as 4."""
    direction: Literal["both", "up", "down"] = "both"
    """Of `change` and `anomaly`: which way counts."""
    compare: Literal["previous", "day", "week"] = "week"
    """Of `change`: the window before, the same a day or a week before."""
    history: Annotated[int, Field(ge=_LEAST_WINDOWS, le=336)] = 48
    """Of `anomaly`: how many earlier windows are looked at."""
    min_calls: Count = 20

    @field_validator("metric")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            return metrics.check(name)
        except Invalid as problem:
            raise ValueError(f"{problem.message} {problem.hint}") from None


@check("metric", MetricOptions)
def metric(platform: Platform, monitor: Monitor, options: MetricOptions) -> Finding:
    """A metric passes a bound, changes too much, or is unusual."""
    until = platform.clock.now()
    now = _measured(platform, monitor, options.metric, until, options.traffic)
    if now.value is None or (now.n < max(1, options.min_calls) and not now.exact):
        return _few(now, options)
    if options.rule in ("above", "below"):
        return _bound(now, options)
    if options.rule == "change":
        return _change(platform, monitor, options, now, until)
    return _anomaly(platform, monitor, options, now, until)


class ShiftOptions(Watched):
    """Settings of a shift monitor."""

    against: Literal["data", "window"] = "window"
    """`data` for what the live release was trained and measured with, `window` for the days before."""
    reference_days: Annotated[float, Field(gt=0, le=90)] = 7.0
    limit: Annotated[int, Field(ge=30, le=2000)] = 300
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    """Chance of a false alarm at one look, over all features together."""


@check("shift", ShiftOptions)
def shift(platform: Platform, monitor: Monitor, options: ShiftOptions) -> Finding:
    """Anything that is measured of calls is no longer as it was."""
    since = platform.clock.now() - timedelta(minutes=monitor.window_minutes)
    settings = ShiftSettings(**options.model_dump())
    try:
        found = report(platform, monitor.target, monitor.environment, settings, since=since, until=platform.clock.now())
    except TooFew as few:
        return Finding(state="insufficient", value=None, threshold=None, n=0, summary=few.message)
    return Finding(
        state="firing" if found.drifted else "ok",
        value=max((one.effect for one in found.features if one.drifted), default=0.0),
        threshold=None,
        n=found.n,
        summary=found.verdict[:2000],
        detail=found.model_dump(mode="json"),
        trace_ids=next((one.trace_ids for one in found.features if one.drifted), []),
    )


class SilenceOptions(Watched):
    """Settings of a no_data monitor."""

    min_calls: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """So many calls in the window are enough."""


@check("no_data", SilenceOptions)
def no_data(platform: Platform, monitor: Monitor, options: SilenceOptions) -> Finding:
    """No calls come, or fewer than come always."""
    until = platform.clock.now()
    now = _measured(platform, monitor, "requests", until, options.traffic)
    count = int(now.value or 0)
    return Finding(
        state="firing" if count < options.min_calls else "ok",
        value=float(count),
        threshold=float(options.min_calls),
        n=count,
        summary=f"{count} calls in {monitor.window_minutes} minutes; {options.min_calls} or more are expected.",
        trace_ids=list(now.trace_ids),
    )


class BurnOptions(Watched):
    """Settings of a burn_rate monitor."""

    objective: Annotated[float, Field(ge=0.5, lt=1)] = 0.99
    """Share of the calls that are to be good."""
    max_ms: Annotated[float, Field(gt=0, le=1e9)] | None = None
    """A call that takes longer is bad too."""
    factor: Annotated[float, Field(ge=1, le=1000)] = 14.4
    """How many times faster than allowed what may fail is used up: 14.4 over an hour is 2 % of a month's in an hour."""
    min_calls: Count = 50


@check("burn_rate", BurnOptions)
def burn_rate(platform: Platform, monitor: Monitor, options: BurnOptions) -> Finding:
    """What may fail by the objective is used up too fast, over the window and its last twelfth alike."""
    until = platform.clock.now()
    whole = timedelta(minutes=monitor.window_minutes)
    with platform.read() as tx:
        project = tx.project
    where, traffic, recent = monitor.environment, options.traffic, until - whole / 12
    whose = (platform, project, monitor.target, where)
    seen = list(calls(*whose, since=until - whole, until=until, traffic=traffic))
    failing = [span for span in seen if span.status == "error" or _slow(span.end_ns - span.start_ns, options.max_ms)]
    if options.max_ms is None:
        # Sums know of every call; how long each took is read of the newest.
        sums = [totals(*whose, since=since, until=until, traffic=traffic) for since in (until - whole, recent)]
        (n, bad), (lately, late) = ((one.calls, one.errors) for one in sums)
    else:
        since_ns = nanoseconds(recent)
        n, bad = len(seen), len(failing)
        lately, late = (sum(span.start_ns >= since_ns for span in some) for some in (seen, failing))
    if n < max(1, options.min_calls):
        summary = f"{n} calls in the window; {max(1, options.min_calls)} are needed to judge."
        return Finding(state="insufficient", value=None, threshold=options.factor, n=n, summary=summary)
    allowed = 1 - options.objective
    long, short = bad / n / allowed, (late / lately / allowed) if lately else 0.0
    return Finding(
        state="firing" if min(long, short) >= options.factor else "ok",
        value=min(long, short),
        threshold=options.factor,
        n=n,
        summary=f"{bad} of {n} calls were bad: {long:.1f} times what the objective of "
        f"{options.objective:.2%} allows, {short:.1f} times in the last {whole.total_seconds() / 720:.1f} minutes.",
        detail={"long": long, "short": short, "bad": bad},
        trace_ids=[span.trace_id for span in failing[:5]],
    )


def _slow(taken_ns: int, most_ms: float | None) -> bool:
    return most_ms is not None and taken_ns / 1e6 > most_ms


def _measured(
    platform: Platform, monitor: Monitor, name: str, until: datetime, traffic: Traffic, *, shown: bool = True
) -> Measured:
    since, where = until - timedelta(minutes=monitor.window_minutes), monitor.environment
    how = {"traffic": traffic, "shown": shown}
    return metrics.measure(platform, name, monitor.target, where, since=since, until=until, **how)  # type: ignore[arg-type]


def _bound(now: Measured, options: MetricOptions) -> Finding:
    """Fire where the whole interval is beyond the bound: beyond chance."""
    up = options.rule == "above"
    edge = now.value if now.exact else now.low if up else now.high
    if edge is None:
        return _few(now, options)
    firing = edge > options.bound if up else edge < options.bound
    return _finding(now, options, firing, options.bound, f"the bound is {options.bound:g}")


def _change(platform: Platform, monitor: Monitor, options: MetricOptions, now: Measured, until: datetime) -> Finding:
    """Fire where the intervals of then and now lie further apart than the share by which it may move."""
    ago = _AGO[options.compare] or timedelta(minutes=monitor.window_minutes)
    then = _measured(platform, monitor, options.metric, until - ago, options.traffic, shown=False)
    if then.value is None or then.value <= 0 or (then.n < max(1, options.min_calls) and not then.exact):
        return _few(then, options)
    ends = [now.value, now.value] if now.exact else [now.low, now.high]
    bases = [then.value, then.value] if then.exact else [then.low, then.high]
    if None in ends or None in bases:
        return _few(now, options)
    (low, high), (base_low, base_high) = ends, bases
    assert low is not None and high is not None and base_low is not None and base_high is not None
    assert now.value is not None
    up = options.direction != "down" and low > base_high * (1 + options.bound)
    down = options.direction != "up" and high < base_low * (1 - options.bound)
    moved = now.value / then.value - 1
    words = {"previous": "the window before", "day": "a day before", "week": "a week before"}[options.compare]
    found = _finding(now, options, up or down, options.bound, f"{moved:+.0%} on {then.value:.4g} {words}")
    return found.model_copy(update={"value": moved, "detail": {**found.detail, "then": then.value, "now": now.value}})


def _anomaly(platform: Platform, monitor: Monitor, options: MetricOptions, now: Measured, until: datetime) -> Finding:
    """Fire where the value lies far from the median of earlier windows, in units of 1.4826 × MAD (Hampel 1974)."""
    window = timedelta(minutes=monitor.window_minutes)
    earlier = [
        _measured(platform, monitor, options.metric, until - window * back, options.traffic, shown=False)
        for back in range(1, options.history + 1)
    ]
    values = [one.value for one in earlier if one.value is not None and one.n]
    if len(values) < _LEAST_WINDOWS or now.value is None:
        summary = f"{len(values)} earlier windows have traffic; {_LEAST_WINDOWS} are needed to call one unusual."
        return Finding(state="insufficient", value=None, threshold=options.bound, n=now.n, summary=summary)
    middle = statistics.median(values)
    spread = 1.4826 * statistics.median(abs(value - middle) for value in values)
    spread = max(spread, 0.01 * abs(middle), 1e-9)
    score = (now.value - middle) / spread
    wanted = {"both": abs(score), "up": score, "down": -score}[options.direction]
    what = f"{score:+.1f} robust standard deviations from {middle:.4g}, the median of {len(values)} windows before"
    found = _finding(now, options, wanted >= options.bound, options.bound, what)
    return found.model_copy(update={"value": score, "detail": {**found.detail, "median": middle, "now": now.value}})


def _finding(now: Measured, options: MetricOptions, firing: bool, threshold: float, what: str) -> Finding:
    span = f" (95 % interval {now.low:.4g} to {now.high:.4g})" if now.low is not None and now.high is not None else ""
    detail: dict[str, Any] = {"metric": options.metric, "rule": options.rule}
    counted = "scores" if options.metric.startswith("score/") else "calls"
    if now.low is not None:
        detail["interval"] = [now.low, now.high]
    return Finding(
        state="firing" if firing else "ok",
        value=now.value,
        threshold=threshold,
        n=now.n,
        summary=f"{options.metric} is {now.value:.4g}{span} over {now.n} {counted} of the window; {what}.",
        detail=detail,
        trace_ids=list(now.trace_ids),
    )


def _few(now: Measured, options: MetricOptions) -> Finding:
    summary = f"{now.n} in the window are too few to judge {options.metric} by."
    return Finding(state="insufficient", value=now.value, threshold=options.bound, n=now.n, summary=summary)
