"""Counters: what the gateway has done, in the text format of Prometheus; names follow vLLM's where the meaning does."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict

from mainspring.serving.exchange import Exchange
from mainspring.serving.guardmeter import GuardCounters

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
Labels = tuple[str, str, str]
"""Model, deployment, environment."""


class Counters:
    """Totals since the process began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: dict[tuple[str, Labels, str], float] = defaultdict(float)
        self._buckets: dict[tuple[str, Labels], list[int]] = {}
        self._sums: dict[tuple[str, Labels], float] = defaultdict(float)
        self._guards = GuardCounters()

    def add(self, exchange: Exchange, outcome: str) -> None:
        """Count one call; `outcome` is ok, blocked, limited or error."""
        target = exchange.target
        labels = (target.model, target.deployment, target.environment)
        with self._lock:
            self._guards.add(target.guard, exchange.findings)
            self._totals[("requests_total", labels, outcome)] += 1
            self._totals[("prompt_tokens_total", labels, "")] += exchange.usage.input_tokens
            self._totals[("generation_tokens_total", labels, "")] += exchange.usage.output_tokens
            self._observe("e2e_request_latency_seconds", labels, exchange.elapsed_ms / 1000)
            if exchange.ttft_ms is not None:
                self._observe("time_to_first_token_seconds", labels, exchange.ttft_ms / 1000)

    def render(self) -> str:
        """Return every total."""
        lines: list[str] = []
        with self._lock:
            for name in dict.fromkeys(key[0] for key in self._totals):
                lines.append(f"# TYPE mainspring_{name} counter")
                for (found, labels, outcome), value in self._totals.items():
                    if found == name:
                        extra = f',outcome="{outcome}"' if outcome else ""
                        lines.append(f"mainspring_{name}{{{_text(labels)}{extra}}} {value:g}")
            for name in dict.fromkeys(key[0] for key in self._buckets):
                lines.append(f"# TYPE mainspring_{name} histogram")
                for (found, labels), counts in self._buckets.items():
                    if found == name:
                        lines += _histogram(name, labels, counts, self._sums[(name, labels)])
            lines += self._guards.lines()
        return "\n".join(lines) + "\n" if lines else ""

    def _observe(self, name: str, labels: Labels, seconds: float) -> None:
        counts = self._buckets.setdefault((name, labels), [0] * (len(_SECONDS) + 1))
        counts[bisect_left(_SECONDS, seconds)] += 1
        self._sums[(name, labels)] += seconds


def _histogram(name: str, labels: Labels, counts: list[int], total: float) -> list[str]:
    lines, below = [], 0
    for bound, count in zip([*map(str, _SECONDS), "+Inf"], counts, strict=True):
        below += count
        lines.append(f'mainspring_{name}_bucket{{{_text(labels)},le="{bound}"}} {below}')
    lines.append(f"mainspring_{name}_sum{{{_text(labels)}}} {total:.6f}")
    lines.append(f"mainspring_{name}_count{{{_text(labels)}}} {below}")
    return lines


def _text(labels: Labels) -> str:
    # Names follow the grammar of references, in which nothing needs escaping.
    return ",".join(
        f'{key}="{value}"' for key, value in zip(("model_name", "deployment", "environment"), labels, strict=True)
    )
