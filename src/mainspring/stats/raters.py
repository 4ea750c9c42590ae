"""Agreement of any number of raters over the same units: Fleiss' kappa and Krippendorff's alpha."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mainspring.stats.arrays import np
from mainspring.stats.bootstrap import RESAMPLES, draws
from mainspring.stats.intervals import Floats, TooFewRows

Scale = Literal["nominal", "ordinal", "interval"]
_Statistic: TypeAlias = Callable[[Floats], Floats]
"""Of weights of the units, shape (draws, units), to one value a draw."""
LEAST_UNITS = 40
"""Units rated twice or more under which no interval is offered."""
LEAST_DISPUTED = 5
"""Units on which raters differ, and on which they agree, under which no interval is offered."""
MOST_VALUES = 200
"""Different values at most; whoever has more rounds them first."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """How raters agree."""

    units: int
    """Units that two or more rated; the others say nothing about agreement."""
    ratings: int
    value: float | None
    """1 for full agreement, 0 for what chance gives; None where all ratings are one and the same value."""
    low: float | None
    """95 % interval; None where there is too little to say."""
    high: float | None


def krippendorff_alpha(units: Sequence[Sequence[float]], scale: Scale = "nominal", *, seed: int = 0) -> Reliability:
    """Return Krippendorff's alpha of the values that each unit was given, by whomever, however often.

    After Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability": coincidences of pairs within a unit, each
    weighing 1 / (m - 1) for m ratings, against those of all ratings. `scale` says what a difference counts: one for any
    (nominal), the ratings that lie between (ordinal), its square (interval). The interval is the percentile bootstrap
    over units, which Zapf et al. (2016) found to cover; it is offered from 40 units of which 5 are disputed and 5 not.
    Raises TooFewRows where no unit has two ratings, ValueError for more than 200 different values.
    """
    rated = [np.asarray(unit, dtype=np.float64) for unit in units if len(unit) > 1]
    if not rated:
        raise TooFewRows("no unit was rated twice", 1)
    values, codes = np.unique(np.concatenate(rated), return_inverse=True)
    if not np.isfinite(values).all():
        raise ValueError("a rating is not a finite number")
    if len(values) > MOST_VALUES:
        raise ValueError(f"{len(values)} different values: at most {MOST_VALUES}, round them first")
    tables = _counts(rated, codes.reshape(-1), len(values))
    sizes = tables.sum(axis=1)
    pairs = tables[:, :, None] * tables[:, None, :] - tables[:, :, None] * np.eye(len(values))
    coincidences = (pairs / (sizes - 1)[:, None, None]).reshape(len(rated), -1)

    def alpha(weights: Floats) -> Floats:
        together = (weights @ coincidences).reshape(-1, len(values), len(values))
        totals = together.sum(axis=2)
        width = _differences(values, totals, scale)
        expected = (totals[:, :, None] * totals[:, None, :] * width).sum(axis=(1, 2))
        observed = (together * width).sum(axis=(1, 2)) * (totals.sum(axis=1) - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Floats = 1 - observed / expected
        return found

    return _reliability(tables, alpha, seed)


def fleiss_kappa(units: Sequence[Sequence[float]], *, seed: int = 0) -> Reliability:
    """Return Fleiss' kappa of units that were all rated equally often (Fleiss 1971, eq. 3, 4 and 5).

    Raises TooFewRows where there is no unit, ValueError where one was rated more or less often than another, or once.
    """
    if not units:
        raise TooFewRows("no unit was rated", 1)
    often = {len(unit) for unit in units}
    if len(often) > 1 or often < {2}:
        raise ValueError("every unit needs the same number of ratings, two or more")
    rated = [np.asarray(unit, dtype=np.float64) for unit in units]
    values, codes = np.unique(np.concatenate(rated), return_inverse=True)
    tables = _counts(rated, codes.reshape(-1), len(values))
    raters = float(tables[0].sum())
    agreeing = ((tables**2).sum(axis=1) - raters) / (raters * (raters - 1))

    def kappa(weights: Floats) -> Floats:
        shares = weights @ tables / (weights.sum(axis=1, keepdims=True) * raters)
        chance = (shares**2).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Floats = (weights @ agreeing / weights.sum(axis=1) - chance) / (1 - chance)
        return found

    return _reliability(tables, kappa, seed)


def _reliability(tables: Floats, statistic: _Statistic, seed: int) -> Reliability:
    n, ratings = len(tables), int(tables.sum())
    if tables.shape[1] == 1:
        return Reliability(n, ratings, None, None, None)
    value = float(statistic(np.ones((1, n)))[0])
    disputed = int(((tables > 0).sum(axis=1) > 1).sum())
    if n < LEAST_UNITS or min(disputed, n - disputed) < LEAST_DISPUTED:
        return Reliability(n, ratings, value, None, None)
    found = []
    for block in draws(n, RESAMPLES, seed):
        weights = np.zeros((len(block), n))
        np.add.at(weights, (np.arange(len(block))[:, None], block), 1.0)
        found.append(statistic(weights))
    drawn = np.concatenate(found)
    low, high = np.quantile(drawn[np.isfinite(drawn)], [0.025, 0.975])
    return Reliability(n, ratings, value, min(float(low), value), max(float(high), value))


def _counts(rated: Sequence[Floats], codes: np.ndarray, values: int) -> Floats:
    """Return how often each unit (row) was given each value (column)."""
    rows = np.repeat(np.arange(len(rated)), [len(unit) for unit in rated])
    table = np.zeros((len(rated), values))
    np.add.at(table, (rows, codes), 1.0)
    return table


def _differences(values: Floats, totals: Floats, scale: Scale) -> Floats:
    """Return the squared difference of each two values, shape (draws or 1, values, values)."""
    if scale == "nominal":
        return (1.0 - np.eye(len(values)))[None]
    if scale == "interval":
        return (np.subtract.outer(values, values) ** 2)[None]
    upto = np.cumsum(totals, axis=1) - totals / 2
    found: Floats = (upto[:, :, None] - upto[:, None, :]) ** 2
    return found
