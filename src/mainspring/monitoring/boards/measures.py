"""Measures: what sums of calls say, over one step as over the whole time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mainspring.kernel.errors import Invalid
from mainspring.kernel.spans import CallTotals
from mainspring.monitoring.boards.models import MeasureInfo
from mainspring.traces.usage import quantile


@dataclass(frozen=True, slots=True)
class Kind:
    """A measure."""

    info: MeasureInfo
    of: Callable[[CallTotals], float | None]


def _share(
    part: Callable[[CallTotals], int], whole: Callable[[CallTotals], int]
) -> Callable[[CallTotals], float | None]:
    return lambda one: part(one) / whole(one) if whole(one) else None


def _latency(share: float) -> Callable[[CallTotals], float | None]:
    return lambda one: quantile(one.latencies, share) if one.latencies else None


def _first(share: float) -> Callable[[CallTotals], float | None]:
    return lambda one: quantile(one.first_tokens, share) if one.first_tokens else None


def _kinds() -> Iterable[Kind]:
    def kind(name: str, label: str, unit: str, of: Callable[[CallTotals], float | None], sums: bool = False) -> Kind:
        return Kind(MeasureInfo.model_validate({"name": name, "label": label, "unit": unit, "sums": sums}), of)

    yield kind("requests", "Requests", "count", lambda one: one.calls, True)
    yield kind("errors", "Errors", "count", lambda one: one.errors, True)
    yield kind("error_rate", "Share of errors", "share", _share(lambda one: one.errors, lambda one: one.calls))
    yield kind("failed_attempts", "Failed attempts", "count", lambda one: one.failed_attempts, True)
    for percent in (50, 95, 99):
        yield kind(f"latency_p{percent}", f"Latency, {percent} %", "milliseconds", _latency(percent / 100))
    for percent in (50, 95):
        yield kind(f"ttft_p{percent}", f"Time to first token, {percent} %", "milliseconds", _first(percent / 100))
    yield kind("input_tokens", "Tokens in", "tokens", lambda one: one.input_tokens, True)
    yield kind("output_tokens", "Tokens out", "tokens", lambda one: one.output_tokens, True)
    yield kind("tokens", "Tokens", "tokens", lambda one: one.input_tokens + one.output_tokens, True)
    yield kind("cached_tokens", "Tokens in from a cache", "tokens", lambda one: one.cached_tokens, True)
    yield kind("cost", "Cost", "dollars", lambda one: one.cost, True)
    yield kind("cache_hits", "Answers from the cache", "count", lambda one: one.hits, True)
    yield kind(
        "cache_rate", "Share answered from the cache", "share", _share(lambda one: one.hits, lambda one: one.lookups)
    )
    yield kind("guard_masked", "Masked by the guard", "count", lambda one: one.masked, True)
    yield kind("guard_blocked", "Blocked by the guard", "count", lambda one: one.blocked, True)
    yield kind(
        "guard_rate", "Share masked or blocked", "share",
        _share(lambda one: one.masked + one.blocked, lambda one: one.calls),
    )  # fmt: skip


KINDS: dict[str, Kind] = {kind.info.name: kind for kind in _kinds()}
"""By name; besides, `score/NAME` is the mean of the scores of that name, `score/NAME=LABEL` the share of a label."""


def info(name: str) -> MeasureInfo:
    """Return what a measure is. Raises Invalid for one that does not exist."""
    if name in KINDS:
        return KINDS[name].info
    score, _, label = name.removeprefix("score/").partition("=")
    if not name.startswith("score/") or not score:
        raise Invalid(f"There is no measure '{name}'.", hint=f"There are {', '.join(KINDS)} and score/NAME.")
    shown = f"Share of {score} = {label}" if label else f"Mean of {score}"
    return MeasureInfo(name=name, label=shown, unit="share" if label else "score", sums=False)


def joined(parts: Iterable[CallTotals]) -> CallTotals | None:
    """Return the sums of several; None of none."""
    whole: CallTotals | None = None
    for part in parts:
        if whole is None:
            whole = CallTotals(at_ns=part.at_ns, group=part.group)
        for name in CallTotals.__struct_fields__[2:13]:
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
        whole.latencies = dict(Counter(whole.latencies) + Counter(part.latencies))
        whole.first_tokens = dict(Counter(whole.first_tokens) + Counter(part.first_tokens))
    return whole
