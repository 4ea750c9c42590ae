"""Intervals that hold at every look: a canary may be watched all the time and stopped at any moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mainspring.stats.arrays import np, scipy
from mainspring.stats.intervals import Floats, Interval, TooFewRows, checked


def proportion_sequence(successes: int, n: int, *, level: float = 0.95, prior: float = 1.0) -> Interval:
    """Confidence sequence for a proportion: it covers at all n together with probability `level` at least.

    The proportions p where the beta-binomial mixture martingale B(s + a, f + a) / (B(a, a) · p^s · (1 − p)^f) stays
    under 1/α, by Ville's inequality (Robbins 1970; Howard et al. 2021, section 3.2), a being `prior`. It depends on the
    counts only, so nothing need be stored between looks. Raises TooFewRows where n is 0, ValueError where successes lie
    outside 0..n.
    """
    if n < 1:
        raise TooFewRows("a proportion of no rows is not defined", 1)
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} rows")
    failures, share = n - successes, successes / n
    mixture = scipy.special.betaln(successes + prior, failures + prior) - scipy.special.betaln(prior, prior)
    limit = float(mixture) + math.log(1 - level)

    def excess(p: float) -> float:
        return float(scipy.special.xlogy(successes, p) + scipy.special.xlog1py(failures, -p) - limit)

    low = 0.0 if successes == 0 or excess(0.0) >= 0 else _crossing(excess, 0.0, share)
    high = 1.0 if failures == 0 or excess(1.0) >= 0 else _crossing(excess, 1.0, share)
    return Interval(share, low, high, level, n, "beta-binomial confidence sequence")


def difference_sequence(baseline: tuple[int, int], candidate: tuple[int, int], *, level: float = 0.95) -> Interval:
    """Confidence sequence for candidate minus baseline, two proportions of independent rows.

    Each side is a pair (successes, n), watched at level 1 − α/2, and the ends are subtracted (union bound), so the two
    may grow at different paces. `n` of the result is the smaller side.
    """
    half = (1 + level) / 2
    left, right = proportion_sequence(*baseline, level=half), proportion_sequence(*candidate, level=half)
    method = "difference of beta-binomial confidence sequences"
    n = min(left.n, right.n)
    return Interval(right.estimate - left.estimate, right.low - left.high, right.high - left.low, level, n, method)


def bounded_sequence(
    values: Sequence[float] | Floats, *, low: float = 0.0, high: float = 1.0, level: float = 0.95
) -> Interval:
    """Confidence sequence for the mean of values known to lie in [low, high], in order of arrival.

    Predictable plug-in empirical Bernstein (Waudby-Smith and Ramdas 2024, theorem 2 and eq. 15). The ends are the
    running intersection, so they never widen. Raises ValueError for a value outside the bounds.
    """
    array = checked(values)
    if array.min() < low or array.max() > high:
        raise ValueError(f"a value lies outside {low} to {high}")
    x = (array - low) / (high - low)
    n, alpha = len(x), 1 - level
    count = np.arange(1, n + 1)
    mean = (0.5 + np.cumsum(x)) / (count + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (count + 1)
    before_mean = np.concatenate([[0.5], mean[:-1]])
    before_variance = np.concatenate([[0.25], variance[:-1]])
    bets = np.minimum(np.sqrt(2 * math.log(2 / alpha) / (before_variance * count * np.log(count + 1))), 0.5)
    cost = 4 * (x - before_mean) ** 2 * (-np.log1p(-bets) - bets) / 4  # v_i times psi_E of the paper
    weight = np.cumsum(bets)
    centre = np.cumsum(bets * x) / weight
    half = (math.log(2 / alpha) + np.cumsum(cost)) / weight
    ends = max(0.0, float((centre - half).max())), min(1.0, float((centre + half).min()))
    scale = high - low
    method = "empirical Bernstein confidence sequence"
    return Interval(float(array.mean()), low + scale * ends[0], low + scale * ends[1], level, n, method)


def _crossing(excess: Callable[[float], float], outer: float, inner: float) -> float:
    """Bisect between a point outside and one inside the sequence; the outer end is returned."""
    for _ in range(60):
        middle = (outer + inner) / 2
        if excess(middle) >= 0:
            inner = middle
        else:
            outer = middle
    return outer
