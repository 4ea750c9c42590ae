"""Kinds of monitors. Each is one function registered by name, with the record of its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Record
from mainspring.kernel.spans import CallTotals, Span
from mainspring.monitoring import drift as drift_checks
from mainspring.monitoring.models import Finding, Monitor, MonitorKind
from mainspring.monitoring.sample import Traffic, Watched, calls, live, totals
from mainspring.stats.proportions import LEAST_ROWS, exact_proportion, proportion
from mainspring.traces import scores as score_store

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
C = TypeVar("C", bound=Callable[..., Finding])
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of monitor."""

    name: str
    summary: str
    settings: type[Record]
    look: Callable[[Platform, Monitor, Any], Finding]


_kinds: dict[str, Kind] = {}


def check(name: str, settings: type[Record]) -> Callable[[C], C]:
    """Register a function `(platform, monitor, settings) -> Finding` as the kind `name`."""

    def register(function: C) -> C:
        summary = (function.__doc__ or "").partition("\n")[0]
        _kinds[name] = Kind(name, summary, settings, function)
        return function

    return register


def kinds() -> list[MonitorKind]:
    """Return every kind, with what it can be told."""
    return [
        MonitorKind(name=kind.name, summary=kind.summary, settings=kind.settings.model_json_schema())
        for kind in sorted(_kinds.values(), key=lambda kind: kind.name)
    ]


def settings_of(kind: str, given: dict[str, Any]) -> Record:
    """Return a kind's settings, checked. Raises Invalid for an unknown kind or setting."""
    if kind not in _kinds:
        raise Invalid(f"There is no kind of monitor '{kind}'.", hint=f"Kinds: {', '.join(sorted(_kinds))}.")
    try:
        return _kinds[kind].settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "settings"
        known = ", ".join(_kinds[kind].settings.model_fields)
        raise Invalid(f"Settings of the kind {kind}: {place}: {first['msg']}.", hint=f"It takes {known}.") from None


def look(platform: Platform, monitor: Monitor) -> Finding:
    """Evaluate a monitor over its window, now."""
    return _kinds[monitor.kind].look(platform, monitor, settings_of(monitor.kind, monitor.settings))


class DriftOptions(Watched):
    """Settings of a drift monitor."""

    dataset: str = ""
    """Dataset version to compare with; empty for the live release's own training data."""
    split: str = ""
    limit: Annotated[int, Field(ge=20, le=5000)] = 200
    reference_limit: Annotated[int, Field(ge=20, le=5000)] = 200
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    min_effect: Share = drift_checks.MIN_EFFECT
    seed: Count = 0


@check("drift", DriftOptions)
def drift(platform: Platform, monitor: Monitor, options: DriftOptions) -> Finding:
    """Inputs are no longer like the data that the live release was trained on."""
    settings = drift_checks.DriftSettings(**options.model_dump())
    since, until = window(platform, monitor)
    try:
        found = drift_checks.check(platform, monitor.target, monitor.environment, settings, since=since, until=until)
    except drift_checks.TooFew as error:
        return Finding(state="insufficient", value=None, threshold=settings.min_effect, n=0, summary=error.message)
    return Finding(
        state="firing" if found.drifted else "ok",
        value=found.effect,
        threshold=settings.min_effect,
        n=found.n,
        summary=found.verdict,
        detail=found.model_dump(mode="json"),
        trace_ids=found.trace_ids,
    )


class ErrorOptions(Watched):
    """Settings of an error_rate monitor."""

    max_share: Share = 0.05
    min_calls: Count = 20


@check("error_rate", ErrorOptions)
def error_rate(platform: Platform, monitor: Monitor, options: ErrorOptions) -> Finding:
    """Too large a share of calls fails."""
    failed = [span for span in _window(platform, monitor, options.traffic) if span.status == "error"]
    whole = _totals(platform, monitor, options.traffic)
    found = _judged(whole.errors, whole.calls, options.max_share, options.min_calls, "calls failed")
    return found.model_copy(update={"trace_ids": [span.trace_id for span in failed[:_SHOWN]]})


class LatencyOptions(Watched):
    """Settings of a latency monitor."""

    max_ms: Annotated[float, Field(gt=0, le=1e9)] = 10_000.0
    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.95
    of: Literal["whole", "first_token"] = "whole"
    min_calls: Count = 20


@check("latency", LatencyOptions)
def latency(platform: Platform, monitor: Monitor, options: LatencyOptions) -> Finding:
    """Calls take too long."""
    window = _window(platform, monitor, options.traffic)
    seen = [span for span in window if options.of == "whole" or span.ttft_ms is not None]
    if len(seen) < max(1, options.min_calls):
        return _few(len(seen), options.min_calls, options.max_ms)
    timed = sorted(((_taken(span, options.of), span) for span in seen), key=lambda pair: pair[0])
    value = timed[min(len(timed) - 1, int(options.quantile * len(timed)))][0]
    return Finding(
        state="firing" if value > options.max_ms else "ok",
        value=value,
        threshold=options.max_ms,
        n=len(seen),
        summary=f"{options.quantile:.0%} of {len(seen)} calls took at most {value:,.0f} ms.",
        trace_ids=[span.trace_id for _, span in timed[-_SHOWN:]],
    )


class FeedbackOptions(Watched):
    """Settings of a feedback monitor."""

    score: str = ""
    """Name of the scores looked at; empty for all."""
    bad_at_most: float = 0.5
    """A number at most this is bad."""
    bad_labels: list[str] = ["bad", "down", "negative", "wrong"]
    max_share: Share = 0.2
    min_scores: Count = 10


@check("feedback", FeedbackOptions)
def feedback(platform: Platform, monitor: Monitor, options: FeedbackOptions) -> Finding:
    """Too large a share of feedback is bad."""
    since, until = window(platform, monitor)
    with platform.read() as tx:
        given = score_store.find(tx, name=options.score, since=since, until=until)
    if monitor.target or monitor.environment:
        # Feedback often comes later than the call, so calls are looked for further back.
        project, where, before = _project(platform), monitor.environment, since - timedelta(days=7)
        seen = calls(platform, project, monitor.target, where, since=before, until=until, traffic=options.traffic)
        mine = {span.trace_id for span in seen}
        given = [score for score in given if score.trace_id in mine]
    elif options.traffic == "live":
        mine = live(platform, _project(platform), [score.trace_id for score in given if score.trace_id])
        given = [score for score in given if not score.trace_id or score.trace_id in mine]
    bad = [
        score
        for score in given
        if (score.number is not None and score.number <= options.bad_at_most) or score.label in options.bad_labels
    ]
    ids = list(dict.fromkeys(score.trace_id for score in bad))[:_SHOWN]
    found = _judged(len(bad), len(given), options.max_share, options.min_scores, "judgements were bad")
    return found.model_copy(update={"trace_ids": ids})


class GuardOptions(Watched):
    """Settings of a guard_hits monitor."""

    actions: list[Literal["log", "mask", "block"]] = ["block"]
    max_count: Count = 0


@check("guard_hits", GuardOptions)
def guard_hits(platform: Platform, monitor: Monitor, options: GuardOptions) -> Finding:
    """The guard had to act more often than it may."""
    seen = _window(platform, monitor, options.traffic)
    hit = [span for span in seen if span.attributes.get("mainspring.guard.action") in options.actions]
    count, n = len(hit), len(seen)
    if "log" not in options.actions:  # what was only noted is not summed
        whole = _totals(platform, monitor, options.traffic)
        count, n = sum({"mask": whole.masked, "block": whole.blocked}[one] for one in set(options.actions)), whole.calls
    return Finding(
        state="firing" if count > options.max_count else "ok",
        value=float(count),
        threshold=float(options.max_count),
        n=n,
        summary=f"The guard acted ({', '.join(options.actions)}) on {count} of {n} calls.",
        trace_ids=[span.trace_id for span in hit[:_SHOWN]],
    )


class SpendOptions(Watched):
    """Settings of a spend monitor."""

    max_usd: Annotated[float, Field(gt=0, le=1e9)]


@check("spend", SpendOptions)
def spend(platform: Platform, monitor: Monitor, options: SpendOptions) -> Finding:
    """Calls cost more than they may."""
    seen = _window(platform, monitor, options.traffic, attempts=True)
    whole = _totals(platform, monitor, options.traffic)
    dear = sorted(seen, key=lambda span: span.cost or 0.0, reverse=True)[:_SHOWN]
    return Finding(
        state="firing" if whole.cost > options.max_usd else "ok",
        value=whole.cost,
        threshold=options.max_usd,
        n=whole.calls,
        summary=f"{whole.calls} calls cost ${whole.cost:,.4f}.",
        trace_ids=[span.trace_id for span in dear if span.cost],
    )


def window(platform: Platform, monitor: Monitor) -> tuple[datetime, datetime]:
    """Return when a monitor's window begins and ends: a back-test looks at the past, and sees nothing after it."""
    until = platform.clock.now()
    return until - timedelta(minutes=monitor.window_minutes), until


def _window(platform: Platform, monitor: Monitor, traffic: Traffic, *, attempts: bool = False) -> list[Span]:
    since, until = window(platform, monitor)
    how = {"traffic": traffic, "attempts": attempts}
    found = calls(platform, _project(platform), monitor.target, monitor.environment, since=since, until=until, **how)  # type: ignore[arg-type]
    return list(found)


def _totals(platform: Platform, monitor: Monitor, traffic: Traffic) -> CallTotals:
    since, until = window(platform, monitor)
    where, project = monitor.environment, _project(platform)
    return totals(platform, project, monitor.target, where, since=since, until=until, traffic=traffic)


def _project(platform: Platform) -> str:
    with platform.read() as tx:
        return tx.project


def _taken(span: Span, of: str) -> float:
    return (span.end_ns - span.start_ns) / 1e6 if of == "whole" else span.ttft_ms or 0.0


def _judged(bad: int, n: int, most: float, least: int, what: str) -> Finding:
    """Fire where the share is larger than it may be beyond chance: where the whole interval is.

    Under the rows that a share's interval is offered from, the exact one takes its place: it cries wolf too seldom
    rather than too often, and still fires where nearly every call fails.
    """
    if n < max(1, least):
        return _few(n, least, most)
    interval = proportion(bad, n) if n >= LEAST_ROWS else exact_proportion(bad, n)
    return Finding(
        state="firing" if interval.low > most else "ok",
        value=bad / n,
        threshold=most,
        n=n,
        summary=f"{bad} of {n} {what} ({bad / n:.1%}, 95 % interval {interval.low:.1%} to {interval.high:.1%}).",
        detail={"interval": [interval.low, interval.high]} | asdict(interval),
    )


def _few(n: int, least: int, threshold: float) -> Finding:
    summary = f"{n} in the window; {max(1, least)} are needed to judge."
    return Finding(state="insufficient", value=None, threshold=threshold, n=n, summary=summary)
