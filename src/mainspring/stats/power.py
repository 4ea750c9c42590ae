"""How many rows, how small a difference: planning before a comparison and judging after one."""

from __future__ import annotations

import math

from mainspring.stats.intervals import Interval, normal_quantile


def detectable_difference(deviation: float, n: int, *, level: float = 0.95, power: float = 0.8) -> float:
    """Return the smallest mean difference that n pairs show with the given power.

    δ = (z(1 − α/2) + z(power)) · σ / √n, σ the standard deviation of the paired differences (Chow, Shao and Wang 2008,
    section 3.1). Raises ValueError for n under 1.
    """
    if n < 1:
        raise ValueError("at least one pair is needed")
    return _reach(level, power) * deviation / math.sqrt(n)


def rows_needed(deviation: float, difference: float, *, level: float = 0.95, power: float = 0.8) -> int:
    """Return the number of pairs that show a mean difference with the given power (the inverse of the above)."""
    if difference == 0:
        raise ValueError("no number of rows shows a difference of zero")
    return max(2, math.ceil((_reach(level, power) * deviation / difference) ** 2))


def rows_needed_for_proportions(baseline: float, candidate: float, *, level: float = 0.95, power: float = 0.8) -> int:
    """Return the rows per side that show two proportions of independent rows to differ (Fleiss 1981, eq. 3.14)."""
    if baseline == candidate:
        raise ValueError("no number of rows shows a difference of zero")
    middle = (baseline + candidate) / 2
    root = normal_quantile(0.5 + level / 2) * math.sqrt(2 * middle * (1 - middle))
    root += normal_quantile(power) * math.sqrt(baseline * (1 - baseline) + candidate * (1 - candidate))
    return math.ceil((root / (baseline - candidate)) ** 2)


def not_worse(difference: Interval, margin: float, *, higher_is_better: bool = True) -> bool:
    """Tell whether the candidate is shown not to be worse by `margin` or more (Piaggio et al. 2012, figure).

    `difference` is candidate minus baseline: its interval must lie wholly on the good side of the margin.
    """
    if margin <= 0:
        raise ValueError("a margin is larger than zero")
    return difference.low > -margin if higher_is_better else difference.high < margin


def _reach(level: float, power: float) -> float:
    """Sum of the two normal quantiles that a two-sided test and its power ask for."""
    return normal_quantile(0.5 + level / 2) + normal_quantile(power)
