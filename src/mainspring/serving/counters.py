"""Counters: what the gateway has done, under names that follow vLLM's where the meaning is the same."""

from __future__ import annotations

import threading

from mainspring.kernel.errors import MainspringError, Unavailable
from mainspring.serving.exchange import Exchange
from mainspring.serving.guardmeter import count_guard
from mainspring.serving.totals import Labels, Totals

_MOST = 1000
"""Labels of models, deployments and environments that are told apart; what comes later is counted as `other`."""
OTHER = "other"


class Counters:
    """Totals since the process began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals = Totals()
        self._known: dict[tuple[str, str, str], Labels] = {}

    def add(self, exchange: Exchange, outcome: str, error: BaseException | None = None) -> None:
        """Count one call; `outcome` is ok, blocked, limited or error, and `error` what it ended by."""
        target, usage = exchange.target, exchange.usage
        with self._lock:
            labels, totals = self._labels(target.model, target.deployment, target.environment), self._totals
            totals.count("requests_total", (*labels, ("outcome", outcome)))
            totals.observe("e2e_request_latency_seconds", labels, exchange.elapsed_ms / 1000)
            if target.guard:
                count_guard(totals, target.guard, exchange.findings)
            if outcome == "limited":
                kind = "budget" if getattr(error, "code", "") == "insufficient_quota" else "limit"
                totals.count("limit_refusals_total", (*labels, ("kind", kind)))
                return
            if outcome == "error":
                self._failed(error, target.provider, labels)
            totals.count("prompt_tokens_total", labels, usage.input_tokens)
            totals.count("generation_tokens_total", labels, usage.output_tokens)
            if usage.cached_tokens:
                totals.count("prompt_tokens_cached_total", labels, usage.cached_tokens)
            if (cost := exchange.cost) is not None:
                totals.count("cost_dollars_total", labels, cost)
            if exchange.ttft_ms is not None:
                totals.observe("time_to_first_token_seconds", labels, exchange.ttft_ms / 1000)
                if usage.output_tokens > 1:
                    between = usage.output_tokens - 1
                    took = max(0.0, exchange.elapsed_ms - exchange.ttft_ms) / 1000
                    totals.observe("inter_token_latency_seconds", labels, took / between, between)

    def snapshot(self) -> Totals:
        """Return a copy."""
        made = Totals()
        with self._lock:
            made.plus(self._totals)
        return made

    def _failed(self, error: BaseException | None, provider: str, labels: Labels) -> None:
        """Count a failure by its code: one of the errors that there are, so that labels stay few."""
        code = error.code if isinstance(error, MainspringError) else "internal"
        if error is None or not isinstance(error, Exception):
            code = "client_gone"
        self._totals.count("request_errors_total", (*labels, ("code", code)))
        if isinstance(error, Unavailable):
            self._totals.count("upstream_failures_total", (("provider", provider), ("code", code)))

    def _labels(self, model: str, deployment: str, environment: str) -> Labels:
        place = (model, deployment, environment)
        known = self._known.get(place)
        if known is None:
            room = len(self._known) < _MOST
            named = (model, deployment, environment) if room else (OTHER, OTHER, OTHER)
            known = tuple(zip(("model_name", "deployment", "environment"), named, strict=True))
            if room:
                self._known[place] = known
        return known
