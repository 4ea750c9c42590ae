"""The mean of a column of scores with the interval that suits it: one choice, used by every stage."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from mainspring.stats.bootstrap import studentised_interval
from mainspring.stats.intervals import (
    Floats,
    Interval,
    checked,
    group_codes,
    is_binary,
    normal_quantile,
    wilson,
)


def mean_interval(
    values: Sequence[float] | Floats,
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a mean with its interval: Wilson for zeros and ones, else the studentised bootstrap.

    `groups` names the group of each row, rows of one group being alike (empty: a row of its own). Grouped proportions
    take Wilson's interval at the effective number of rows, other scores a bootstrap over groups. Raises TooFewRows
    where no method holds its level.
    """
    array = checked(values)
    grouped = groups is not None and has_repeats(groups)
    if is_binary(array):
        count = len(array) / (design_effect(array, groups) if groups is not None and grouped else 1.0)
        return _wilson_effective(float(array.mean()), count, len(array), level, grouped)
    return studentised_interval(array, groups if grouped else None, level=level, seed=seed)


def has_repeats(groups: Sequence[Hashable]) -> bool:
    """Tell whether any group holds more than one row."""
    return len(groups) > 0 and int(group_codes(groups).max()) + 1 < len(groups)


def design_effect(values: Floats, groups: Sequence[Hashable]) -> float:
    """Return how many times larger the variance of the mean is than for independent rows (Kish 1965, section 8.2).

    Never below 1. Where all rows have one value the groups themselves are taken for the independent units.
    """
    codes = group_codes(groups)
    count, n = int(codes.max()) + 1, len(values)
    pull = values - values.mean()
    plain = float((pull**2).sum()) * n / max(n - 1, 1)
    if plain <= 0 or count < 2:
        return n / count
    totals = np.bincount(codes, weights=pull, minlength=count)
    return max(1.0, count / (count - 1) * float((totals**2).sum()) / plain)


def _wilson_effective(share: float, count: float, n: int, level: float, grouped: bool) -> Interval:
    """Wilson's formula at a number of rows that need not be whole."""
    if not grouped:
        return wilson(round(share * n), n, level=level)
    z = normal_quantile(0.5 + level / 2)
    spread = z * z / count
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * np.sqrt(share * (1 - share) / count + spread / (4 * count))
    low = 0.0 if share == 0 else max(0.0, float(centre - half))
    high = 1.0 if share == 1 else min(1.0, float(centre + half))
    return Interval(share, low, high, level, n, "wilson, grouped rows")
