"""Intervals for one sample: a proportion, a mean, a mean over grouped rows."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mainspring.stats.arrays import np, npt, scipy

Floats: TypeAlias = "npt.NDArray[np.float64]"


class TooFewRows(ValueError):
    """No method holds its level on so few rows; `needed` says how many would do."""

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message)
        self.needed = needed


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with a two-sided confidence interval."""

    estimate: float
    low: float
    high: float
    level: float
    """Confidence, between 0 and 1."""
    n: int
    """Rows that it rests on."""
    method: str


def checked(values: Sequence[float] | Floats, *, least: int = 1) -> Floats:
    """Return the values as a one-dimensional array of float64. Raises ValueError (not finite), TooFewRows."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"one number a row is expected, not an array of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("every value must be a finite number")
    if len(array) < least:
        raise TooFewRows(f"{len(array)} rows are too few: at least {least} are needed", least)
    return array


def normal_quantile(probability: float) -> float:
    """Return the quantile of the standard normal distribution."""
    return float(scipy.special.ndtri(probability))


def t_quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t with `freedom` degrees of freedom."""
    return float(scipy.special.stdtrit(freedom, probability))


def is_binary(values: Floats) -> bool:
    """Tell whether every value is 0 or 1."""
    return bool(np.isin(values, (0.0, 1.0)).all())


def wilson(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Interval for a proportion by inverting the score test (Wilson 1927; Brown, Cai and DasGupta 2001, eq. 4).

    By itself it covers as seldom as 84 % near 0 and 1, and 92.5 % at 20 rows: `proportion` says where it is offered.
    Raises TooFewRows where n is 0, ValueError where successes lie outside 0..n.
    """
    if n < 1:
        raise TooFewRows("a proportion of no rows is not defined", 1)
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} rows")
    z = normal_quantile(0.5 + level / 2)
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * np.sqrt(share * (1 - share) / n + spread / (4 * n))
    low = 0.0 if successes == 0 else max(0.0, float(centre - half))
    high = 1.0 if successes == n else min(1.0, float(centre + half))
    return Interval(share, low, high, level, n, "wilson")


def t_interval(values: Sequence[float] | Floats, *, level: float = 0.95) -> Interval:
    """Student's interval for a mean: mean ± t(n − 1) · s / √n (Student 1908). Raises TooFewRows under 2 rows.

    It holds its level for normal scores alone; of skewed ones it covers less: `mean_interval` chooses what holds.
    """
    array = checked(values, least=2)
    n, mean = len(array), float(array.mean())
    half = t_quantile(0.5 + level / 2, n - 1) * float(array.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, level, n, "t")


def group_codes(groups: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    """Number the groups 0..G−1 in order of appearance; an empty group name is a group of its own row."""
    seen: dict[Hashable, int] = {}
    keys = (("", row) if key in {"", None} else key for row, key in enumerate(groups))
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


def clustered_interval(
    values: Sequence[float] | Floats, groups: Sequence[Hashable], *, level: float = 0.95
) -> Interval:
    """Interval for a mean of rows that come in groups, each group's rows being alike.

    Linearised (sandwich) variance over group totals with the factor G / (G − 1) and t with G − 1 degrees of freedom
    (Liang and Zeger 1986; Cameron and Miller 2015, section VI.A). Raises TooFewRows under 10 groups: below that the
    sandwich estimate is too small (Cameron and Miller 2015, section VI). Of shares near 0 or 1, or of few and unlike
    groups, it covers less than it says: `mean_interval` chooses what holds.
    """
    array = checked(values, least=2)
    codes = group_codes(groups)
    if len(codes) != len(array):
        raise ValueError(f"{len(array)} values but {len(codes)} groups")
    count = int(codes.max()) + 1
    if count < 10:
        raise TooFewRows(f"{count} groups are too few: at least 10 are needed", 10)
    mean = float(array.mean())
    totals = np.bincount(codes, weights=array - mean, minlength=count)
    error = math.sqrt(count / (count - 1) * float((totals**2).sum())) / len(array)
    half = t_quantile(0.5 + level / 2, count - 1) * error
    return Interval(mean, mean - half, mean + half, level, len(array), "clustered t")
