"""The mean of a column of scores with the interval that suits it: one choice, used by every stage."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from mainspring.stats.arrays import np
from mainspring.stats.bootstrap import LEAST_GROUPS, studentised_interval
from mainspring.stats.intervals import (
    Floats,
    Interval,
    TooFewRows,
    checked,
    group_codes,
    is_binary,
    normal_quantile,
    t_quantile,
)
from mainspring.stats.proportions import LEAST_ROWS, proportion, proportion_at


def mean_interval(
    values: Sequence[float] | Floats,
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a mean with its interval: that of a share for zeros and ones, else the studentised bootstrap.

    `groups` names the group of each row, rows of one group being alike (empty: a row of its own). Grouped shares take
    the share's interval at the effective number of rows, other scores a bootstrap over groups. Raises TooFewRows where
    no method holds its level.
    """
    array = checked(values, least=1)
    grouped = groups is not None and has_repeats(groups)
    if not is_binary(array):
        return studentised_interval(array, groups if grouped else None, level=level, seed=seed)
    share, n = float(array.mean()), len(array)
    if groups is None or not grouped or n < LEAST_ROWS:
        return proportion(round(share * n), n, level=level)
    count = effective_rows(array, groups, level=level)
    return proportion_at(share, count, n, level=level, method="wilson, grouped rows")


def effective_rows(values: Floats, groups: Sequence[Hashable], *, level: float = 0.95) -> float:
    """Return how many independent rows grouped ones are worth: n / design effect · (z / t(G − 1))².

    The factor makes up for a variance that is itself estimated from G groups (Korn and Graubard 1998, section 2).
    Raises TooFewRows under 20 groups.
    """
    count, n = int(group_codes(groups).max()) + 1, len(values)
    if count < LEAST_GROUPS:
        raise TooFewRows(
            f"{count} groups are too few: at least {LEAST_GROUPS} are needed", -(-LEAST_GROUPS * n // count)
        )
    stretch = normal_quantile(0.5 + level / 2) / t_quantile(0.5 + level / 2, count - 1)
    return n / design_effect(values, groups) * stretch**2


def has_repeats(groups: Sequence[Hashable]) -> bool:
    """Tell whether any group holds more than one row."""
    return len(groups) > 0 and int(group_codes(groups).max()) + 1 < len(groups)


def design_effect(values: Floats, groups: Sequence[Hashable]) -> float:
    """Return how many times larger the variance of the mean is than for independent rows (Kish 1965, section 8.2).

    The variance over groups is the jackknife's, which small numbers of groups do not make too small (Bell and
    McCaffrey 2002, section 2). Never below 1. Where all rows have one value the groups themselves are taken for the
    independent units.
    """
    codes = group_codes(groups)
    count, n = int(codes.max()) + 1, len(values)
    pull = values - values.mean()
    plain = float((pull**2).sum()) * n / max(n - 1, 1)
    if plain <= 0 or count < 2:
        return n / count
    totals = np.bincount(codes, weights=pull, minlength=count)
    sizes = np.bincount(codes, minlength=count)
    left_out = totals / (1 - sizes / n)
    return max(1.0, (count - 1) / count * float((left_out**2).sum()) / plain)
