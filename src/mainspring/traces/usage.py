"""Usage: hourly totals of the span store, grouped and with quantiles of latency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from mainspring.kernel.errors import Invalid
from mainspring.kernel.spans import Usage
from mainspring.traces.models import UsageHour, moment

DIMENSIONS = ("environment", "deployment", "release", "model", "kind")


def dimensions(text: str) -> set[str]:
    """Return the dimensions that a text names, with commas between them. Raises Invalid for another word."""
    found = {word.strip() for word in text.split(",") if word.strip()}
    if unknown := found - set(DIMENSIONS):
        raise Invalid(f"Usage has no dimension '{min(unknown)}'.", hint=f"They are {', '.join(DIMENSIONS)}.")
    return found


def grouped(hours: Iterable[Usage], keep: set[str], *, hourly: bool) -> list[UsageHour]:
    """Sum hours that share the dimensions `keep`; with `hourly` each hour apart, else over the whole time."""
    sums: dict[tuple[int | str, ...], list[Usage]] = defaultdict(list)
    for hour in hours:
        kept = tuple(getattr(hour, name) if name in keep else "" for name in DIMENSIONS)
        sums[(hour.hour_ns if hourly else 0, *kept)].append(hour)
    return [_sum(key, parts) for key, parts in sorted(sums.items(), key=lambda item: item[0])]


def quantile(latencies: dict[int, int], share: float) -> float:
    """Return the latency, in milliseconds, below which `share` of the spans lie; 0 for none.

    Bucket k holds [1.2**k, 1.2**(k+1)) ms; within a bucket the logarithm is interpolated, so the error is under 20 %.
    """
    total = sum(latencies.values())
    wanted, seen = share * total, 0
    for bucket in sorted(latencies):
        count = latencies[bucket]
        if count and seen + count >= wanted:
            return float(1.2 ** (bucket + (wanted - seen) / count))
        seen += count
    return 0.0


def _sum(key: tuple[int | str, ...], parts: list[Usage]) -> UsageHour:
    latencies: dict[int, int] = defaultdict(int)
    for part in parts:
        for bucket, count in part.latencies.items():
            latencies[bucket] += count
    spans = sum(part.spans for part in parts)
    _, environment, deployment, release, model, kind = (str(item) for item in key)
    return UsageHour(
        hour=moment(min(part.hour_ns for part in parts)),
        environment=environment,
        deployment=deployment,
        release=release,
        model=model,
        kind=kind,
        spans=spans,
        errors=sum(part.errors for part in parts),
        traces=sum(part.roots for part in parts),
        input_tokens=sum(part.input_tokens for part in parts),
        output_tokens=sum(part.output_tokens for part in parts),
        cost=sum(part.cost for part in parts),
        mean_ms=sum(part.duration_ms for part in parts) / spans if spans else 0.0,
        p50_ms=quantile(latencies, 0.5),
        p95_ms=quantile(latencies, 0.95),
    )
