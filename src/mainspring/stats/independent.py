"""Two independent samples: the interval of the difference of their means or shares, and its p-value."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mainspring.stats.arrays import np
from mainspring.stats.intervals import Floats, Interval, TooFewRows, checked, is_binary, t_quantile, wilson

LEAST_SIDE = 20
"""Rows a side under which no interval is offered."""


def difference(inside: Sequence[float] | Floats, outside: Sequence[float] | Floats, *, level: float = 0.95) -> Interval:
    """Interval for the mean of `inside` minus that of `outside`, rows of both being independent.

    Zeros and ones: Newcombe's, from Wilson's intervals of both shares (Newcombe 1998, method 10). Other scores:
    Welch's t (Welch 1947). Raises TooFewRows under 20 rows a side, or where scores other than shares never vary.
    """
    left, right = checked(inside), checked(outside)
    n = len(left) + len(right)
    if min(len(left), len(right)) < LEAST_SIDE:
        few = min(len(left), len(right))
        raise TooFewRows(f"{few} rows are too few: at least {LEAST_SIDE} a side are needed", LEAST_SIDE)
    gap = float(left.mean() - right.mean())
    if is_binary(left) and is_binary(right):
        one = wilson(int(left.sum()), len(left), level=level)
        two = wilson(int(right.sum()), len(right), level=level)
        low = gap - math.hypot(one.estimate - one.low, two.high - two.estimate)
        high = gap + math.hypot(one.high - one.estimate, two.estimate - two.low)
        return Interval(gap, max(-1.0, low), min(1.0, high), level, n, "newcombe")
    if all(float(side.min()) == float(side.max()) for side in (left, right)):
        raise TooFewRows("the scores of neither side vary", n + 1)
    parts = [float(side.var(ddof=1)) / len(side) for side in (left, right)]
    total = sum(parts)
    freedom = total**2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (left, right), strict=True))
    half = t_quantile(0.5 + level / 2, freedom) * math.sqrt(total)
    return Interval(gap, gap - half, gap + half, level, n, "welch")


def difference_test(inside: Sequence[float] | Floats, outside: Sequence[float] | Floats) -> tuple[float, str]:
    """Return the two-sided p-value of no difference between independent rows, and what the test is called.

    Zeros and ones: Fisher's exact test (Fisher 1935). Other scores: Mann and Whitney's (1947), with its correction for
    ties and for continuity, which unlike Welch's holds far out in the tail for skewed scores too.
    """
    from scipy import stats

    left, right = checked(inside), checked(outside)
    if is_binary(left) and is_binary(right):
        table = np.array([[int(side.sum()), len(side) - int(side.sum())] for side in (left, right)])
        return min(1.0, float(stats.fisher_exact(table).pvalue)), "Fisher's exact test"
    found = stats.mannwhitneyu(left, right, alternative="two-sided", method="asymptotic")
    return min(1.0, float(found.pvalue)), "Mann and Whitney's test"
