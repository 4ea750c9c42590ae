"""Quantiles: of one sample with an interval, and how those of two samples compare."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mainspring.stats.arrays import np, scipy
from mainspring.stats.intervals import Floats, Interval, TooFewRows, checked


def quantile_interval(values: Sequence[float] | Floats, q: float, *, level: float = 0.95) -> Interval:
    """Interval for the quantile `q` by order statistics, whatever the distribution is (David and Nagaraja 2003, 7.1).

    The ends are the values at the ranks between which the count of values below the true quantile, binomial with n and
    q, lies with probability `level` at least. The estimate interpolates linearly (Hyndman and Fan 1996, definition 7).
    Raises TooFewRows where such ranks do not exist.
    """
    array = np.sort(checked(values))
    n, tail = len(array), (1 - level) / 2
    low = int(scipy.stats.binom.ppf(tail, n, q))
    high = int(scipy.stats.binom.ppf(1 - tail, n, q)) + 1
    if low < 1 or high > n:
        needed = math.ceil(math.log(tail) / math.log(max(q, 1 - q)))
        raise TooFewRows(f"{n} rows are too few for the quantile {q:g}", max(needed, n + 1))
    estimate = float(np.quantile(array, q))
    return Interval(estimate, float(array[low - 1]), float(array[high - 1]), level, n, "order statistics")


def quantile_ratio(
    baseline: Sequence[float] | Floats,
    candidate: Sequence[float] | Floats,
    q: float,
    *,
    level: float = 0.95,
    draws: int = 500,
    seed: int = 0,
) -> Interval:
    """Interval for the candidate's quantile over the baseline's; positive values, in order of arrival.

    Percentile interval of the moving-block bootstrap (Künsch 1989) with blocks of about the square root of n: requests
    that wait in one queue are alike, and drawing them one by one would make the interval too narrow. Where a latency
    follows the one before with a correlation of .7 it covers 92 % at n = 400. `n` of the result is the smaller side.
    Raises TooFewRows below 30 values a side, ValueError for values that are not positive.
    """
    left, right = checked(baseline, least=30), checked(candidate, least=30)
    if left.min() <= 0 or right.min() <= 0:
        raise ValueError("every value must be positive")
    rng = np.random.default_rng(seed)
    drawn = np.log(_drawn(right, q, draws, rng)) - np.log(_drawn(left, q, draws, rng))
    low, high = np.exp(np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]))
    estimate = float(np.quantile(right, q) / np.quantile(left, q))
    return Interval(estimate, float(low), float(high), level, min(len(left), len(right)), "moving-block bootstrap")


def _drawn(values: Floats, q: float, draws: int, rng: np.random.Generator) -> Floats:
    """Return the quantile of `draws` resamples made of blocks, shape (draws,)."""
    n = len(values)
    size = max(1, round(math.sqrt(n)))
    count = math.ceil(n / size)
    found = np.empty(draws)
    for draw in range(draws):
        starts = rng.integers(0, n - size + 1, count)
        found[draw] = np.quantile(values[(starts[:, None] + np.arange(size)).ravel()[:n]], q)
    return found
