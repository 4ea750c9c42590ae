"""Canaries against a truth that is known: how often they are wrong, and how soon they are right."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from mainspring.serving import canaries, judging
from mainspring.serving.canaries import CanaryPlan
from mainspring.serving.judging import Verdict

START = datetime(2026, 1, 2, tzinfo=UTC)
HORIZON, LOOKS = 6000, 60
Truth = tuple[float, float]
"""What a unit of the baseline is worth on average, and one of the canary."""


def plan_of(metric: str, weights: list[float], **changes: Any) -> CanaryPlan:
    """Return a plan with a horizon of 6,000 units."""
    values: dict[str, Any] = {
        "metric": metric,
        "direction": "lower" if metric == "latency" else "higher",
        "low": 10.0 if metric == "latency" else 0.0,
        "high": 120_000.0 if metric == "latency" else 1.0,
        "margin": 0.05,
        "level": 0.95,
        "split": "user",
        "settle_minutes": 0.0,
        "weights": weights,
        "step_units": 1000,
        "horizon_units": HORIZON,
        "horizon_minutes": 0.0,
        "fallback": "keep",
        "act": True,
    }
    return CanaryPlan(**{**values, **changes})


def judged(
    rng: np.random.Generator, plan: CanaryPlan, truth: Truth, failing: Truth = (0.02, 0.02)
) -> tuple[Verdict, int]:
    """Let traffic arrive until a verdict; return it, and how many units there were."""
    progress = canaries.empty(plan)
    row = {"plan": plan.model_dump(), "baseline": "release/a@1", "candidate": "release/a@2"}
    for number in range(1, LOOKS + 1):
        n = HORIZON // LOOKS
        arms = rng.random(n) < plan.weights[progress.step]
        means = np.where(arms, truth[1], truth[0])
        values = np.exp(rng.normal(np.log(means), 0.6)) if plan.metric == "latency" else 1.0 * (rng.random(n) < means)
        failures = rng.random(n) < np.where(arms, failing[1], failing[0])
        metric, errors = progress.watches()
        new = [(bool(arm), canaries.scaled(plan, float(value))) for arm, value in zip(arms, values, strict=True)]
        failed = [(bool(arm), float(one)) for arm, one in zip(arms, failures, strict=True)]
        known = {"metric": asdict(metric.with_units(new)), "errors": asdict(errors.with_units(failed))}
        progress = progress.model_copy(update=known)
        look = canaries.look(row, progress, START, plan.weights[progress.step])
        verdict = judging.decide(plan, progress, look, timedelta(0))
        if verdict.action == "step":
            progress = progress.model_copy(update={"step": progress.step + 1})
        elif verdict.action != "wait":
            return verdict, number * n
    raise AssertionError("the horizon ends every canary")


def actions(seed: int, trials: int, plan: CanaryPlan, truth: Truth, failing: Truth = (0.02, 0.02)) -> list[str]:
    rng = np.random.default_rng(seed)
    return [judged(rng, plan, truth, failing)[0].action for _ in range(trials)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "truth", "weights"),
    [
        ("score/helpful", (0.8, 0.8), [0.5]),
        ("score/helpful", (0.8, 0.8), [0.05, 0.2, 0.5]),
        ("score/helpful", (0.95, 0.95), [0.1]),
        ("latency", (400.0, 400.0), [0.5]),
    ],
)
def test_at_most_one_in_twenty_good_releases_is_rolled_back(metric: str, truth: Truth, weights: list[float]) -> None:
    """Without a margin nothing but chance ends these, so that every look may be wrong."""
    found = actions(1, 80, plan_of(metric, weights, margin=0.0), truth)
    assert found.count("rollback") / 80 <= 0.05
    assert found.count("keep") >= 0.9 * 80


@pytest.mark.slow
@pytest.mark.parametrize("weights", [[0.5], [0.1, 0.3, 0.5]])
@pytest.mark.parametrize("truth", [(0.8, 0.7), (0.95, 0.85)])
def test_a_regression_of_ten_points_is_caught_within_the_horizon(truth: Truth, weights: list[float]) -> None:
    found = actions(2, 50, plan_of("score/helpful", weights), truth)
    assert found.count("rollback") / 50 >= 0.95
    assert "promote" not in found


@pytest.mark.slow
def test_what_is_as_good_is_promoted_and_what_loses_the_margin_is_not() -> None:
    plan = plan_of("score/helpful", [0.5], margin=0.1)
    assert actions(3, 40, plan, (0.8, 0.8)).count("promote") >= 0.9 * 40
    assert actions(4, 80, plan, (0.8, 0.69)).count("promote") / 80 <= 0.05
    slower = plan_of("latency", [0.5], margin=0.2)
    assert actions(5, 40, slower, (400.0, 520.0)).count("promote") / 40 <= 0.05
    assert actions(6, 40, slower, (400.0, 640.0)).count("rollback") / 40 >= 0.95


@pytest.mark.slow
def test_a_release_that_fails_is_caught_early_though_its_answers_are_as_good() -> None:
    plan, rng = plan_of("score/helpful", [0.2], margin=0.01), np.random.default_rng(7)
    ended = [judged(rng, plan, (0.8, 0.8), (0.01, 0.15)) for _ in range(40)]
    assert sum(verdict.action == "rollback" for verdict, _ in ended) >= 0.95 * 40
    assert float(np.median([units for _, units in ended])) <= 2500
    assert math.isclose(sum("fails more often" in verdict.reason for verdict, _ in ended) / 40, 1.0, abs_tol=0.1)
