"""Totals: counters, gauges and histograms of one process or of several together, in the text format of Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from itertools import groupby
from typing import Any

Labels = tuple[tuple[str, str], ...]
"""Names and values, in the order in which they are written."""
Key = tuple[str, Labels]
PREFIX = "mainspring_"

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0)
BUCKETS = {
    "e2e_request_latency_seconds": _SLOW,
    "time_to_first_token_seconds": _SLOW,
    "inter_token_latency_seconds": _FAST,
}
"""Upper bounds of the buckets of each histogram."""
HELP = {
    "requests_total": "Calls by how they ended: ok, blocked, limited or error.",
    "failed_attempts_total": "Attempts at routed calls after which another candidate was asked, by provider and code.",
    "request_errors_total": "Calls that failed, by the error's code.",
    "limit_refusals_total": "Calls that a limit or a budget refused.",
    "upstream_failures_total": "Attempts that the model's server, local or a provider's, failed to answer.",
    "guard_calls_total": "Calls that a guard looked at, by what it did.",
    "guard_failed_attempts_total": "Attempts that a guard looked at and after which another candidate was asked.",
    "guard_hits_total": "What guards found in calls, by stage and detector.",
    "guard_seconds_total": "Processor time that guards took, in every attempt, by stage and detector.",
    "prompt_tokens_total": "Tokens that models read, cached ones included.",
    "prompt_tokens_cached_total": "Of the tokens that models read: from a cache.",
    "generation_tokens_total": "Tokens that models wrote.",
    "cost_dollars_total": "What calls cost, in US dollars.",
    "e2e_request_latency_seconds": "From a call's arrival to its end.",
    "time_to_first_token_seconds": "From a call's arrival to the first token of an answer that streams.",
    "inter_token_latency_seconds": "Between two tokens of an answer that streams: the mean of each answer.",
    "num_requests_running": "Calls that models answer now.",
    "num_requests_waiting": "Calls that wait for a local model.",
    "score_mean": "Mean of the scores that were given in the last hour, by name.",
    "scores_last_hour": "How many these are.",
    "shadow_requests_total": "Copies of calls for shadows.",
    "route_attempts_total": "What a route's candidates were asked, and how it ended.",
    "breaker_state": "Whether an upstream is asked: 0 yes, 1 for a trial, 2 not.",
}


_WORST = {"breaker_state"}
"""Gauges of which the largest counts: each process knows for itself how an upstream does."""


class Totals:
    """Sums by name and labels."""

    def __init__(self) -> None:
        self.counters: dict[Key, float] = defaultdict(float)
        self.gauges: dict[Key, float] = defaultdict(float)
        self.histograms: dict[Key, list[float]] = {}
        """Counts of the buckets, of what lies above, and the sum."""

    def count(self, name: str, labels: Labels, amount: float = 1.0) -> None:
        """Add to a counter."""
        self.counters[name, labels] += amount

    def gauge(self, name: str, labels: Labels, value: float) -> None:
        """Say how much there is now; what several say adds up."""
        self.gauges[name, labels] += value

    def observe(self, name: str, labels: Labels, value: float, times: int = 1) -> None:
        """Add a value to a histogram, so many times."""
        bounds = BUCKETS[name]
        held = self.histograms.get((name, labels))
        if held is None:
            held = self.histograms[name, labels] = [0.0] * (len(bounds) + 2)
        held[bisect_left(bounds, value)] += times
        held[-1] += value * times

    def plus(self, other: Totals, *, gauges: bool = True) -> None:
        """Take in what another process counted; one that has ended has no gauges."""
        for key, value in other.counters.items():
            self.counters[key] += value
        for key, value in other.gauges.items() if gauges else ():
            worst = key[0] in _WORST
            self.gauges[key] = max(self.gauges.get(key, value), value) if worst else self.gauges[key] + value
        for key, sums in other.histograms.items():
            held = self.histograms.get(key, [0.0] * len(sums))
            if len(held) == len(sums):  # another version had other buckets
                self.histograms[key] = [mine + theirs for mine, theirs in zip(held, sums, strict=True)]

    def dump(self) -> dict[str, Any]:
        """Return everything as JSON."""
        parts: dict[str, Mapping[Key, Any]] = {"counters": self.counters, "gauges": self.gauges}
        parts["histograms"] = self.histograms
        return {part: [[name, labels, value] for (name, labels), value in held.items()] for part, held in parts.items()}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Totals:
        """Read what `dump` returned. Raises ValueError, KeyError or TypeError for anything else."""
        made = cls()
        parts: dict[str, dict[Key, Any]] = {"counters": made.counters, "gauges": made.gauges}
        parts["histograms"] = made.histograms
        for part, held in parts.items():
            for name, labels, value in dumped[part]:
                held[str(name), tuple((str(key), str(word)) for key, word in labels)] = value
        return made

    def render(self) -> str:
        """Return everything in the text format, a family after the other."""
        lines: list[str] = []
        for kind, held in (("gauge", self.gauges), ("counter", self.counters)):
            for name, samples in _families(held):
                lines += _head(name, kind)
                lines += [f"{PREFIX}{name}{_text(labels)} {_number(held[name, labels])}" for labels in samples]
        for name, samples in _families(self.histograms):
            lines += _head(name, "histogram")
            for labels in samples:
                lines += _histogram(name, labels, self.histograms[name, labels])
        return "\n".join(lines) + "\n" if lines else ""


def _families(held: Mapping[Key, Any]) -> list[tuple[str, list[Labels]]]:
    return [(name, [labels for _, labels in keys]) for name, keys in groupby(sorted(held), key=lambda key: key[0])]


def _head(name: str, kind: str) -> list[str]:
    told = f"# TYPE {PREFIX}{name} {kind}"
    return [f"# HELP {PREFIX}{name} {HELP[name]}", told] if name in HELP else [told]


def _histogram(name: str, labels: Labels, held: list[float]) -> list[str]:
    lines, below = [], 0.0
    for bound, count in zip([*map(str, BUCKETS[name]), "+Inf"], held[:-1], strict=True):
        below += count
        lines.append(f"{PREFIX}{name}_bucket{_text((*labels, ('le', bound)))} {_number(below)}")
    lines.append(f"{PREFIX}{name}_sum{_text(labels)} {held[-1]:.6f}")
    lines.append(f"{PREFIX}{name}_count{_text(labels)} {_number(below)}")
    return lines


def _text(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
