"""Loads: what a load test found, level by level, and how two of them compare."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import StringConstraints

from mainspring.kernel.errors import Invalid
from mainspring.kernel.records import Record
from mainspring.stats import TooFewRows, quantile_interval, quantile_ratio, wilson

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
TIMES = ("ttft", "itl", "e2e")
MET = 0.95
"""Share of the requests that have to meet the objectives for a level to be sustained."""
SloText = Annotated[str, StringConstraints(max_length=100, pattern=r"^((ttft|itl|e2e)=\d+(\.\d+)?(,|$))*$")]
"""Objectives in milliseconds, such as `ttft=500,itl=50`."""


class Sample(NamedTuple):
    """One request; times in milliseconds."""

    due: float
    """When it was to be sent, since the level began."""
    ttft: float | None
    """From then to the first token: what a user waits, a late start of ours included."""
    itl: float | None
    """Mean time between two tokens."""
    e2e: float | None
    """From then to the last token."""
    tokens: int
    error: str
    """Empty for an answer."""


class LoadFigure(Record):
    """A quantile with its interval; the ends are null where there are too few requests for them."""

    value: float
    low: float | None
    high: float | None


class LoadSpread(Record):
    """Quantiles of a time, in milliseconds."""

    p50: LoadFigure
    p95: LoadFigure
    p99: LoadFigure


class LoadLevel(Record):
    """What one level of load gave."""

    arrivals: Literal["open", "closed"]
    """Open: at random times (Poisson), whatever is still being answered. Closed: each client asks when it was told."""
    load: float
    """Requests a second where open, clients where closed."""
    seconds: float
    requests: int
    answered: int
    errors: dict[str, int]
    """How many requests failed, by what they were told."""
    requests_per_second: float
    """That were answered."""
    tokens_per_second: float
    """That came out."""
    ttft: LoadSpread | None
    """Time to the first token."""
    itl: LoadSpread | None
    """Time between two tokens, the mean of each request."""
    e2e: LoadSpread | None
    """Time to the last token."""
    met: float
    """Share of all requests that were answered within the objectives."""
    met_low: float
    met_high: float
    goodput: float
    """Requests a second that met the objectives."""
    samples: str
    """SHA-256 of the file that holds every request."""


class LoadTest(Record):
    """A load test."""

    id: str
    target: str
    """The deployment, or the server by URL."""
    release: str
    """Exact reference of the release that was live there, or empty."""
    slo: dict[str, float]
    """Objectives in milliseconds by `ttft`, `itl`, `e2e`."""
    prompts: int
    max_tokens: int
    seed: int
    levels: list[LoadLevel]
    knee: float | None
    """The load at which throughput over latency is greatest: more load buys little but waiting (Kleinrock 1979). Null
    below three levels."""
    sustained: float | None
    """The greatest load at which, and below which, 95 % of the requests met the objectives."""
    started_at: datetime


class LoadDifference(Record):
    """A quantile of two load tests at the same level."""

    arrivals: Literal["open", "closed"]
    load: float
    time: str
    """`ttft`, `itl` or `e2e`."""
    quantile: str
    baseline: float
    """Milliseconds."""
    candidate: float
    """Milliseconds."""
    ratio: float
    """Candidate over baseline: 1.1 is 10 % slower."""
    low: float
    high: float
    verdict: Literal["faster", "slower", "no difference shown"]


class LoadComparison(Record):
    """Two load tests side by side."""

    baseline: str
    candidate: str
    differences: list[LoadDifference]
    unmatched: list[str]
    """Levels that only one of the two has, and levels with too few answers."""


def objectives(text: str) -> dict[str, float]:
    """Return the objectives that a text names. Raises Invalid for one named twice."""
    pairs = [part.split("=") for part in text.split(",") if part]
    if len({name for name, _ in pairs}) < len(pairs):
        raise Invalid(f"'{text}' names an objective twice.", hint="Write ttft=500,itl=50,e2e=5000.")
    return {name: float(limit) for name, limit in pairs}


def level(
    samples: Sequence[Sample],
    slo: Mapping[str, float],
    *,
    arrivals: Literal["open", "closed"],
    load: float,
    seconds: float,
    kept: str,
) -> LoadLevel:
    """Return the figures of one level; `seconds` is how long requests were sent, and rates are over at least that."""
    answered = [one for one in samples if not one.error]
    met = sum(all((getattr(one, name) or 0.0) <= limit for name, limit in slo.items()) for one in answered)
    share = wilson(met, len(samples)) if samples else None
    took = max([seconds, *((one.due + (one.e2e or 0.0)) / 1000 for one in answered)])
    return LoadLevel(
        arrivals=arrivals,
        load=load,
        seconds=seconds,
        requests=len(samples),
        answered=len(answered),
        errors=dict(Counter(one.error for one in samples if one.error).most_common(20)),
        requests_per_second=len(answered) / took,
        tokens_per_second=sum(one.tokens for one in answered) / took,
        **{name: _spread(times(answered, name)) for name in TIMES},
        met=share.estimate if share else 0.0,
        met_low=share.low if share else 0.0,
        met_high=share.high if share else 1.0,
        goodput=met / took,
        samples=kept,
    )


def times(samples: Sequence[Sample], name: str) -> list[float]:
    """Return one of the times of the answered requests, in order of arrival."""
    found = (getattr(one, name) for one in samples if not one.error)
    return [float(value) for value in found if value is not None]


def knee(levels: Sequence[LoadLevel]) -> float | None:
    """Return the load of the greatest power, requests a second over the median time (Kleinrock 1979)."""
    power = {one.load: one.requests_per_second / one.e2e.p50.value for one in levels if one.e2e and one.e2e.p50.value}
    return max(power, key=lambda load: power[load]) if len(power) >= 3 else None


def sustained(levels: Sequence[LoadLevel]) -> float | None:
    """Return the greatest load up to which every level met its objectives; None where the first did not."""
    found = None
    for one in sorted(levels, key=lambda one: one.load):
        if one.met < MET:
            break
        found = one.load
    return found


def compare(
    baseline: LoadTest, candidate: LoadTest, read: Mapping[str, Sequence[Sample]], *, confidence: float
) -> LoadComparison:
    """Return how the quantiles of two load tests compare at each level that both have; `read` holds their samples."""
    differences, unmatched = [], []
    mine = {(one.arrivals, one.load): one for one in baseline.levels}
    theirs = {(one.arrivals, one.load): one for one in candidate.levels}
    for key in sorted(mine.keys() | theirs.keys()):
        name = f"{key[1]:g} {'requests a second' if key[0] == 'open' else 'clients'}"
        if key not in mine or key not in theirs:
            unmatched.append(f"{name}: in one of the two only")
            continue
        left, right = read[mine[key].samples], read[theirs[key].samples]
        found = [_difference(key, time, q, left, right, confidence) for time in TIMES for q in ("p50", "p95")]
        differences += [one for one in found if one is not None]
        if None in found:
            unmatched.append(f"{name}: too few answers for some of the quantiles")
    return LoadComparison(baseline=baseline.id, candidate=candidate.id, differences=differences, unmatched=unmatched)


def _difference(
    key: tuple[Literal["open", "closed"], float],
    time: str,
    quantile: str,
    left: Sequence[Sample],
    right: Sequence[Sample],
    confidence: float,
) -> LoadDifference | None:
    q, mine, theirs = QUANTILES[quantile], times(left, time), times(right, time)
    # A tail of fewer than five values says nothing of where it begins.
    if min(len(mine), len(theirs)) * (1 - q) < 5:
        return None
    try:
        found = quantile_ratio([max(x, 1e-3) for x in mine], [max(x, 1e-3) for x in theirs], q, level=confidence)
    except TooFewRows:
        return None
    verdict: Any = "faster" if found.high < 1 else "slower" if found.low > 1 else "no difference shown"
    return LoadDifference(
        arrivals=key[0],
        load=key[1],
        time=time,
        quantile=quantile,
        baseline=_quantile(mine, q),
        candidate=_quantile(theirs, q),
        ratio=found.estimate,
        low=found.low,
        high=found.high,
        verdict=verdict,
    )


def _spread(values: Sequence[float]) -> LoadSpread | None:
    if not values:
        return None
    figures = {}
    for name, q in QUANTILES.items():
        try:
            found = quantile_interval(values, q)
            figures[name] = LoadFigure(value=found.estimate, low=found.low, high=found.high)
        except TooFewRows:
            figures[name] = LoadFigure(value=_quantile(values, q), low=None, high=None)
    return LoadSpread(**figures)


def _quantile(values: Sequence[float], q: float) -> float:
    """Return a quantile by linear interpolation (Hyndman and Fan 1996, definition 7)."""
    ranked = sorted(values)
    place = q * (len(ranked) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])
