"""Counters: what the gateway has done, under names that follow vLLM's where the meaning is the same."""

from __future__ import annotations

import threading
from bisect import bisect_left

from mainspring.kernel.errors import MainspringError, Unavailable
from mainspring.serving.exchange import Exchange
from mainspring.serving.guardmeter import count_guard
from mainspring.serving.models import Above, Target
from mainspring.serving.totals import BUCKETS, Labels, Totals

_MOST = 1000
"""Labels of models, deployments and environments that are told apart; what comes later is counted as `other`."""
OTHER = "other"
_LATENCY = BUCKETS["e2e_request_latency_seconds"]


class _Place:
    """What was counted under one model, deployment and environment, where it need not be looked up to be added to."""

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.outcomes: dict[str, int] = {}
        self.attempts: dict[Labels, int] = {}
        """Those that another one followed."""
        self.latencies = [0.0] * (len(_LATENCY) + 2)
        """As Totals keep a histogram: the buckets, what lies above, and the sum."""
        self.input_tokens = self.output_tokens = self.cached_tokens = 0
        self.cost: float | None = None

    def add_to(self, totals: Totals) -> None:
        """Add everything under its name."""
        for outcome, number in self.outcomes.items():
            totals.count("requests_total", (*self.labels, ("outcome", outcome)), number)
        for labels, number in self.attempts.items():
            totals.count("failed_attempts_total", (*self.labels, *labels), number)
        if self.outcomes:
            totals.histograms["e2e_request_latency_seconds", self.labels] = list(self.latencies)
        if self.outcomes.keys() != {"limited"}:
            totals.count("prompt_tokens_total", self.labels, self.input_tokens)
            totals.count("generation_tokens_total", self.labels, self.output_tokens)
        if self.cached_tokens:
            totals.count("prompt_tokens_cached_total", self.labels, self.cached_tokens)
        if self.cost is not None:
            totals.count("cost_dollars_total", self.labels, self.cost)


class Counters:
    """Totals since the process began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals = Totals()
        self._places: dict[tuple[str, str, str], _Place] = {}

    def add(
        self, exchange: Exchange, outcome: str, error: BaseException | None = None, *, passed: bool = False
    ) -> None:
        """Count one call; `outcome` is ok, blocked, limited or error, and `error` what it ended by.

        Of a routed call what did not go well is held back, since another attempt may follow: `passed` or `met` tells.
        One that another has `passed` is no call.
        """
        target, usage, seconds = exchange.target, exchange.usage, exchange.elapsed_ms / 1000
        if outcome != "ok" and not passed and (above := target.above) is not None and not above.over:
            above.held = (exchange, outcome, error)
            return
        with self._lock:
            place = self._place(target.model, target.deployment, target.environment)
            labels = place.labels
            if passed:
                code = exchange.finish_reason if error is None else _code(error)
                which = (("provider", target.provider), ("code", code))
                place.attempts[which] = place.attempts.get(which, 0) + 1
            else:
                place.outcomes[outcome] = place.outcomes.get(outcome, 0) + 1
                place.latencies[bisect_left(_LATENCY, seconds)] += 1
                place.latencies[-1] += seconds
            if target.guard:
                count_guard(self._totals, target.guard, exchange.findings, passed=passed)
            if outcome == "limited":
                kind = "budget" if getattr(error, "code", "") == "insufficient_quota" else "limit"
                self._totals.count("limit_refusals_total", (*labels, ("kind", kind)))
                return
            if outcome == "error":
                self._failed(error, target.provider, labels, passed=passed)
            place.input_tokens += usage.input_tokens
            place.output_tokens += usage.output_tokens
            place.cached_tokens += usage.cached_tokens
            if (cost := exchange.cost) is not None:
                place.cost = (place.cost or 0.0) + cost
            if exchange.ttft_ms is not None and not passed:
                self._totals.observe("time_to_first_token_seconds", labels, exchange.ttft_ms / 1000)
                if usage.output_tokens > 1:
                    between = usage.output_tokens - 1
                    took = max(0.0, seconds - exchange.ttft_ms / 1000)
                    self._totals.observe("inter_token_latency_seconds", labels, took / between, between)

    def passed(self, above: Above) -> None:
        """Count what was held back as an attempt that another one follows: its caller never met its end."""
        if above.held is not None:
            held, above.held = above.held, None
            self.add(*held, passed=True)

    def met(self, above: Above) -> None:
        """Count what was held back as the call that it was: the call has ended."""
        above.over = True
        if above.held is not None:
            held, above.held = above.held, None
            self.add(*held)

    def unasked(self, target: Target, error: BaseException) -> None:
        """Count a routed call that failed with no candidate asked."""
        with self._lock:
            place = self._place(target.model, target.deployment, target.environment)
            place.outcomes["error"] = place.outcomes.get("error", 0) + 1
            place.latencies[0] += 1
            self._totals.count("request_errors_total", (*place.labels, ("code", _code(error))))

    def snapshot(self) -> Totals:
        """Return a copy."""
        made = Totals()
        with self._lock:
            made.plus(self._totals)
            for place in self._places.values():
                place.add_to(made)
        return made

    def _failed(self, error: BaseException | None, provider: str, labels: Labels, *, passed: bool) -> None:
        """Count a failure by its code."""
        code = _code(error)
        if not passed:
            self._totals.count("request_errors_total", (*labels, ("code", code)))
        if isinstance(error, Unavailable):
            self._totals.count("upstream_failures_total", (("provider", provider), ("code", code)))

    def _place(self, model: str, deployment: str, environment: str) -> _Place:
        key = (model, deployment, environment)
        known = self._places.get(key)
        if known is None:
            if len(self._places) >= _MOST:
                key = (OTHER, OTHER, OTHER)
            labels = tuple(zip(("model_name", "deployment", "environment"), key, strict=True))
            known = self._places.setdefault(key, _Place(labels))
        return known


def _code(error: BaseException | None) -> str:
    """Return the code of a failure: one of the errors that there are, so that labels stay few."""
    if error is None or not isinstance(error, Exception):
        return "client_gone"
    return error.code if isinstance(error, MainspringError) else "internal"
