"""Intervals for a share that hold their level whatever the share: which formula, and from how many rows."""

from __future__ import annotations

import math

from mainspring.stats.arrays import scipy
from mainspring.stats.intervals import Interval, TooFewRows, normal_quantile, wilson

LEAST_ROWS = 35
"""Under this no formula keeps between 93 and 98 %: at 20 rows and a share of .95 the choice is 92.5 % or 98.4 %."""
_RARE = 5
"""Of the rarer outcome: with fewer Wilson's formula covers too seldom (down to 84 %), Agresti and Coull's never."""


def proportion(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Interval for a share: Wilson's, or Agresti and Coull's where the rarer outcome was seen fewer than 5 times.

    Summed over the binomial, from 35 rows on, the chance to cover is 93 % at least for every share, and 98 % at most
    wherever 1.6 of the rarer outcome or more are to be expected; nearer to 0 and 1 it rises towards 100 %.
    Raises TooFewRows under 35 rows, ValueError where successes lie outside 0..n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} rows")
    if n < LEAST_ROWS:
        raise TooFewRows(f"{n} rows are too few: at least {LEAST_ROWS} are needed for a share", LEAST_ROWS)
    if min(successes, n - successes) >= _RARE:
        return wilson(successes, n, level=level)
    return agresti_coull(successes, n, level=level)


def exact_proportion(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Clopper and Pearson's interval for a share (1934), for an alarm on few rows: wide, and never falsely narrow.

    It covers at least as often as its level for every share and n. Raises TooFewRows where n is 0, ValueError where
    successes lie outside 0..n.
    """
    if n < 1:
        raise TooFewRows("a proportion of no rows is not defined", 1)
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} rows")
    tail = (1 - level) / 2
    low = float(scipy.special.betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(scipy.special.betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return Interval(successes / n, low, high, level, n, "clopper-pearson")


def agresti_coull(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Wald's interval after z² rows are added, half of them successes (Agresti and Coull 1998, section 2).

    Its middle is that of Wilson's interval, which it contains. Raises TooFewRows where n is 0.
    """
    if n < 1:
        raise TooFewRows("a proportion of no rows is not defined", 1)
    share = successes / n
    low, high = _adjusted(share, n, level)
    return Interval(share, low, high, level, n, "agresti-coull")


def proportion_at(share: float, count: float, n: int, *, level: float = 0.95, method: str = "") -> Interval:
    """Interval for a share whose variance is that of `count` independent rows, a number that need not be whole.

    So a share over grouped or weighted rows keeps an interval within 0..1 (Korn and Graubard 1998, section 2). `n` is
    only reported. The formula is chosen as `proportion` does.
    """
    if min(share, 1 - share) * count < _RARE:
        low, high = _adjusted(share, count, level)
        return Interval(share, low, high, level, n, method or "agresti-coull, effective rows")
    z = normal_quantile(0.5 + level / 2)
    spread = z * z / count
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(share, low, high, level, n, method or "wilson, effective rows")


def _adjusted(share: float, count: float, level: float) -> tuple[float, float]:
    z = normal_quantile(0.5 + level / 2)
    whole = count + z * z
    centre = (share * count + z * z / 2) / whole
    half = z * math.sqrt(centre * (1 - centre) / whole)
    return (0.0 if share == 0 else max(0.0, centre - half)), (1.0 if share == 1 else min(1.0, centre + half))
