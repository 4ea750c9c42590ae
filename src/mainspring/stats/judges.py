"""What a judge's word is worth: its agreement with people, and figures corrected for its errors."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mainspring.stats.arrays import np, npt
from mainspring.stats.bootstrap import LEAST_GROUPS
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
from mainspring.stats.means import effective_rows, has_repeats
from mainspring.stats.proportions import proportion_at

LEAST_LABELS = 30
"""Rows labelled by people under which nothing is corrected."""
_LEAST_OF_EACH = 5
_DRAWS = 4000


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two who judged the same rows agree."""

    n: int
    share: float
    """Of the rows on which both said the same."""
    kappa: float | None
    """Cohen's, 1 for full agreement, 0 for what chance gives; None where both always said one and the same thing."""
    kappa_low: float | None
    """95 % interval; None under 30 rows, or under 20 groups of rows."""
    kappa_high: float | None
    confusion: list[list[int]]
    """Rows by the first's step (line) and the second's (column)."""


def agreement(
    first: Sequence[int],
    second: Sequence[int],
    steps: int,
    groups: Sequence[Hashable] | None = None,
    *,
    weighted: bool = False,
    seed: int = 0,
) -> Agreement:
    """Compare two judges whose steps are numbered from 0 to `steps` − 1.

    Kappa after Cohen (1960, eq. 1); `weighted` counts a disagreement by the square of its width, for steps that have an
    order (Cohen 1968). The interval is that of kappa under the Dirichlet posterior of the table's cells, so that it has
    some width where nobody disagreed, unlike a bootstrap's; the prior weighs one row in all for two steps (Perks 1947),
    half a row for more, by the simulations in this room's tests. With `groups` the table counts for the effective
    number of rows. Raises ValueError where the lists differ in length or a step is out of range.
    """
    left, right = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"{len(first)} steps against {len(second)}")
    if not len(left):
        raise TooFewRows("no row was judged by both", 1)
    if min(left.min(), right.min()) < 0 or max(left.max(), right.max()) >= steps:
        raise ValueError(f"a step lies outside 0 to {steps - 1}")
    gap = np.subtract.outer(np.arange(steps), np.arange(steps)).astype(np.float64)
    cost = gap**2 if weighted else (gap != 0).astype(np.float64)
    table = np.bincount(left * steps + right, minlength=steps * steps).reshape(steps, steps)
    varied = len(np.unique(np.concatenate([left, right]))) > 1
    kappa = float(_kappa(table / len(left), cost)) if varied else None
    low = high = None
    if kappa is not None and len(left) >= LEAST_LABELS:
        if groups is not None and has_repeats(groups):
            with suppress(TooFewRows):
                worth = effective_rows(cost[left, right], groups) / len(left)
                low, high = _kappa_span(table * worth, cost, kappa, seed)
        else:
            low, high = _kappa_span(table, cost, kappa, seed)
    return Agreement(
        n=len(left),
        share=float((left == right).mean()),
        kappa=kappa,
        kappa_low=low,
        kappa_high=high,
        confusion=[[int(count) for count in line] for line in table],
    )


def _kappa(shares: npt.NDArray[np.float64], cost: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return kappa of tables of shares, the last two axes being the judges' steps."""
    expected = (shares.sum(axis=-1)[..., :, None] * shares.sum(axis=-2)[..., None, :] * cost).sum(axis=(-2, -1))
    found: npt.NDArray[np.float64] = 1.0 - (shares * cost).sum(axis=(-2, -1)) / expected
    return found


def _kappa_span(counts: npt.NDArray[Any], cost: Floats, kappa: float, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of kappa from a table of counts, that need not be whole; it holds the estimate."""
    prior = (1.0 if len(counts) == 2 else 0.5) / counts.size
    drawn = np.random.default_rng(seed).gamma(counts + prior, size=(_DRAWS, *counts.shape))
    low, high = np.quantile(_kappa(drawn / drawn.sum(axis=(1, 2), keepdims=True), cost), [0.025, 0.975])
    return min(float(low), kappa), max(float(high), kappa)


def prediction_powered(
    people: Sequence[float] | Floats,
    judge: Sequence[float] | Floats,
    others: Sequence[float] | Floats,
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
) -> Interval:
    """Interval for the mean that people would give, from a judge's scores of many rows and people's of some.

    `people` and `judge` are of the same labelled rows, `others` the judge's of rows without a label, drawn alike. The
    estimate is mean(people) + λ · (mean(others) − mean(judge)), with variance var(people − λ · judge) / n +
    λ² · var(others) / N and λ = cov(people, judge) / ((1 + n / N) · var(judge)), held to 0..1 (prediction-powered
    inference: Angelopoulos et al. 2023, proposition 1; Angelopoulos, Duchi and Zrnic 2023, eq. 6). It holds whatever
    the judge's errors; a bad judge only makes it no narrower than the labels alone. Student's t with n − 1 degrees;
    where people gave zeros and ones, a share's interval at the number of rows that this variance stands for. Where
    people and judge differ on fewer than 5 labelled rows, the variance of their difference is taken with one difference
    more of either kind: none seen does not mean that there are none. `groups` names the group of each labelled row and
    then of each other row, rows of one being alike: the variance is then of the groups' sums (Liang and Zeger 1986).
    Raises TooFewRows under 30 labels, under 20 groups of them, or where people gave one of two labels fewer than 5
    times.
    """
    wanted, given, rest = checked(people), checked(judge), checked(others, least=0)
    if len(wanted) != len(given):
        raise ValueError(f"{len(wanted)} labels of people against {len(given)} of the judge")
    n, more = len(wanted), len(rest)
    _enough(wanted)
    spread = float(given.var(ddof=1))
    weight = 0.0
    if more >= 2 and spread > 0:
        weight = float(np.cov(wanted, given)[0, 1]) / ((1 + n / more) * spread)
        weight = min(max(weight, 0.0), 1.0)
    estimate = float(wanted.mean())
    if weight > 0:
        estimate += weight * (float(rest.mean()) - float(given.mean()))
    errors = wanted - weight * given
    own, freedom, unseen = float(errors.var(ddof=1)) / n, n - 1, 0.0
    if weight > 0 and n - int(np.unique(wanted - given, return_counts=True)[1].max()) < _LEAST_OF_EACH:
        width = float(wanted.max() - wanted.min())
        unseen = float(np.concatenate([errors, [width, -weight * width]]).var(ddof=1)) / (n + 2)
    variance = max(own, unseen) + (weight**2 * float(rest.var(ddof=1)) / more if weight > 0 else 0.0)
    if groups is not None and has_repeats(groups):
        variance, labelled = _over_groups(errors, weight * rest, groups)
        variance, freedom = max(variance, unseen * n / labelled), labelled - 1
    method = f"prediction-powered, {n} labels"
    if is_binary(wanted):
        share = min(max(estimate, 0.0), 1.0)
        if variance > 0 and 0 < share < 1:
            stretch = (normal_quantile(0.5 + level / 2) / t_quantile(0.5 + level / 2, freedom)) ** 2
            return proportion_at(share, share * (1 - share) / variance * stretch, n + more, level=level, method=method)
    half = t_quantile(0.5 + level / 2, freedom) * math.sqrt(variance)
    return Interval(estimate, estimate - half, estimate + half, level, n + more, method)


def _over_groups(errors: Floats, rest: Floats, groups: Sequence[Hashable]) -> tuple[float, int]:
    """Return the variance of mean(errors) + mean(rest) over groups, and how many groups hold errors."""
    n, more = len(errors), len(rest)
    codes = group_codes(groups)
    if len(codes) != n + more:
        raise ValueError(f"{n + more} rows but {len(codes)} groups")
    labelled = len(np.unique(codes[:n]))
    if labelled < LEAST_GROUPS:
        raise TooFewRows(f"{labelled} groups are too few: at least {LEAST_GROUPS}", -(-LEAST_GROUPS * n // labelled))
    own = (errors - errors.mean()) / n
    other = (rest - rest.mean()) / more if more else rest
    totals = np.bincount(codes, weights=np.concatenate([own, other]))
    return labelled / (labelled - 1) * float((totals**2).sum()), labelled


def rogan_gladen(
    passed: float,
    n: float,
    *,
    right_passes: tuple[float, float],
    right_fails: tuple[float, float],
    level: float = 0.95,
) -> Interval:
    """Interval for the share that is good, from how many a judge with known errors passed.

    `right_passes` is (passed by the judge, all) of rows that people passed, `right_fails` (failed by the judge, all) of
    rows that people failed; these may come from another set of rows, where the judge errs alike. Counts need not be
    whole, so that grouped rows can be given at their effective number. The estimate is
    (q + Sp − 1) / (Se + Sp − 1) (Rogan and Gladen 1978, eq. 3), the interval that of Lang and Reiczigel (2014, section
    2.2), cut to 0..1. Raises TooFewRows under 10 rows of either kind, ValueError for a judge no better than chance.
    """
    least = min(right_passes[1], right_fails[1])
    if least < 10:
        raise TooFewRows(f"people labelled only {least:.4g} rows of one kind: at least 10 of each are needed", 20)
    z = normal_quantile(0.5 + level / 2)
    seen = (passed + z * z / 2) / (n + z * z)
    sensitivity = (right_passes[0] + 1) / (right_passes[1] + 2)
    specificity = (right_fails[0] + 1) / (right_fails[1] + 2)
    youden = sensitivity + specificity - 1
    if youden <= 0.1:
        raise ValueError("the judge tells good from bad hardly better than chance: nothing can be corrected")
    share = (seen + specificity - 1) / youden
    errors = (
        sensitivity * (1 - sensitivity) / (right_passes[1] + 2),
        specificity * (1 - specificity) / (right_fails[1] + 2),
    )
    shift = 2 * z * z * (share * errors[0] - (1 - share) * errors[1])
    variance = seen * (1 - seen) / (n + z * z) + share**2 * errors[0] + (1 - share) ** 2 * errors[1]
    half = z * math.sqrt(variance) / youden
    raw = passed / n, right_passes[0] / right_passes[1], right_fails[0] / right_fails[1]
    plain = (raw[0] + raw[2] - 1) / (raw[1] + raw[2] - 1) if raw[1] + raw[2] > 1 else share
    low, high = min(max(share + shift - half, 0.0), 1.0), min(max(share + shift + half, 0.0), 1.0)
    return Interval(min(max(plain, 0.0), 1.0), low, high, level, round(n), "Rogan and Gladen, Lang and Reiczigel")


def _enough(people: Floats) -> None:
    n = len(people)
    if n < LEAST_LABELS:
        raise TooFewRows(f"{n} rows labelled by people are too few: at least {LEAST_LABELS} are needed", LEAST_LABELS)
    if is_binary(people):
        rarer = int(min(people.sum(), n - people.sum()))
        if rarer < _LEAST_OF_EACH:
            needed = -(-_LEAST_OF_EACH * n // max(rarer, 1))
            raise TooFewRows(f"people gave one of two labels only {rarer} times: at least 5 are needed", needed)
