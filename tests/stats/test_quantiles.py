"""Quantiles and how they compare, against distributions whose quantiles are known."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring import stats


@pytest.mark.parametrize(("q", "n"), [(0.5, 40), (0.95, 200), (0.99, 1000)])
def test_a_quantile_is_covered_whatever_the_distribution(q: float, n: int) -> None:
    rng, missed, trials = np.random.default_rng(1), 0, 400
    from scipy.stats import lognorm

    truth = float(lognorm.ppf(q, 1.0))
    for _ in range(trials):
        found = stats.quantile_interval(rng.lognormal(0, 1, n), q)
        missed += not found.low <= truth <= found.high
    assert missed / trials <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)


def test_too_few_rows_say_how_many_would_do() -> None:
    with pytest.raises(stats.TooFewRows) as refused:
        stats.quantile_interval(np.arange(100.0), 0.99)
    assert stats.quantile_interval(np.arange(float(refused.value.needed) + 1), 0.99).high > 0
    with pytest.raises(stats.TooFewRows):
        stats.quantile_ratio([1.0] * 29, [1.0] * 40, 0.5)
    with pytest.raises(ValueError, match="positive"):
        stats.quantile_ratio([0.0] * 40, [1.0] * 40, 0.5)


def queueing(rng: np.random.Generator, n: int, scale: float) -> np.ndarray:
    """Latencies that follow one another: a slow request makes the next ones slow."""
    noise, log = rng.normal(0, 0.3, n), np.zeros(n)
    for index in range(1, n):
        log[index] = 0.7 * log[index - 1] + noise[index]
    return scale * np.exp(log)


def test_the_ratio_of_medians_is_covered_though_requests_hang_together() -> None:
    rng, missed, trials, factor = np.random.default_rng(2), 0, 60, 1.3
    for _ in range(trials):
        left, right = queueing(rng, 400, 100.0), queueing(rng, 400, 100.0 * factor)
        found = stats.quantile_ratio(left, right, 0.5, draws=100)
        missed += not found.low <= factor <= found.high
    # Drawn one by one, more than a third would be missed.
    assert missed / trials <= 0.15
