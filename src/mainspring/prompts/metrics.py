"""Metrics: how each version of a prompt did in the traffic that its traces tell of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from mainspring.kernel.spans import Span, SpanFilter
from mainspring.kernel.tx import Tx
from mainspring.prompts.models import PromptMetrics, PromptVersion, ScoreMetric
from mainspring.traces import Score, moment, nanoseconds, scores_of_traces

MAX_CALLS, MAX_SCORES = 5_000, 2_000
"""Of one version: its newest calls, and of one score the newest numbers."""
_NOT_TRIED, _NO_EXPERIMENT = "!playground,shadow,loadtest", "!experiment"
"""Left out of traffic: services of calls that people try things out with, and the environment of experiments."""
_NAMES, _LABELS = 50, 20


def measure(
    tx: Tx, versions: Sequence[PromptVersion], since: datetime | None, until: datetime | None, environment: str
) -> list[PromptMetrics]:
    """Return the figures of some versions, in their order."""
    return [_of(tx, version, since, until, environment) for version in versions]


def _of(
    tx: Tx, version: PromptVersion, since: datetime | None, until: datetime | None, environment: str
) -> PromptMetrics:
    where = SpanFilter(
        prompt=version.ref,
        environment=environment or _NO_EXPERIMENT,
        service=_NOT_TRIED,
        since_ns=nanoseconds(since),
        until_ns=nanoseconds(until),
    )
    calls = list(tx.platform.spans.scan(tx.project, where, limit=MAX_CALLS))
    times = [(call.end_ns - call.start_ns) / 1e6 for call in calls if call.status != "error"]
    p50, p95, p99 = _quantiles(times)
    starts = [call.start_ns for call in calls]
    return PromptMetrics(
        ref=version.ref,
        number=version.number,
        labels=version.labels,
        calls=len(calls),
        errors=sum(call.status == "error" for call in calls),
        cost=sum(call.cost or 0.0 for call in calls),
        input_tokens=sum(call.input_tokens or 0 for call in calls),
        output_tokens=sum(call.output_tokens or 0 for call in calls),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        first_at=moment(min(starts)) if starts else None,
        last_at=moment(max(starts)) if starts else None,
        scores=_scores(tx, calls),
    )


def _quantiles(times: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Return median, 95th and 99th percentile by linear interpolation (Hyndman and Fan 1996, definition 7)."""
    if not times:
        return None, None, None
    import numpy as np

    p50, p95, p99 = (float(value) for value in np.quantile(np.asarray(times), [0.5, 0.95, 0.99]))
    return p50, p95, p99


def _scores(tx: Tx, calls: Sequence[Span]) -> list[ScoreMetric]:
    """Return the scores of the calls, by name: of the span itself, or of its whole trace."""
    spans: dict[str, set[str]] = defaultdict(set)
    groups: dict[str, str] = {}
    for call in calls:
        spans[call.trace_id].add(call.span_id)
        groups[call.trace_id] = call.session_id or call.trace_id
    named: dict[str, list[Score]] = defaultdict(list)
    for score in scores_of_traces(tx, list(spans)):
        if not score.span_id or score.span_id in spans[score.trace_id]:
            named[score.name].append(score)
    return [_score(name, named[name], groups) for name in sorted(named)[:_NAMES]]


def _score(name: str, given: Sequence[Score], groups: Mapping[str, str]) -> ScoreMetric:
    from mainspring import stats

    counted = [(score.number, groups[score.trace_id]) for score in given if score.number is not None][-MAX_SCORES:]
    labels = dict(Counter(score.label for score in given if score.label is not None).most_common(_LABELS))
    if not counted:
        return ScoreMetric(name=name, count=len(given), labels=labels)
    numbers = [number for number, _ in counted]
    plain = ScoreMetric(name=name, count=len(given), mean=sum(numbers) / len(numbers), labels=labels)
    try:
        interval = stats.mean_interval(numbers, [group for _, group in counted])
    except stats.TooFewRows as error:
        return plain.model_copy(update={"note": f"{error}; {error.needed} would do"})
    return plain.model_copy(update={"low": interval.low, "high": interval.high, "note": interval.method})
