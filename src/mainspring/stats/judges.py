"""What a judge's word is worth: its agreement with people, and figures corrected for its errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mainspring.stats.bootstrap import bca_interval
from mainspring.stats.intervals import (
    Floats,
    Interval,
    TooFewRows,
    checked,
    is_binary,
    normal_quantile,
    t_quantile,
)
from mainspring.stats.proportions import proportion_at

LEAST_LABELS = 30
"""Rows labelled by people under which nothing is corrected."""
_LEAST_OF_EACH = 5
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two who judged the same rows agree."""

    n: int
    share: float
    """Of the rows on which both said the same."""
    kappa: float | None
    """Cohen's, 1 for full agreement, 0 for what chance gives; None where both always said one and the same thing."""
    kappa_low: float | None
    """95 % interval, BCa bootstrap; None under 30 rows."""
    kappa_high: float | None
    confusion: list[list[int]]
    """Rows by the first's step (line) and the second's (column)."""


def agreement(
    first: Sequence[int], second: Sequence[int], steps: int, *, weighted: bool = False, seed: int = 0
) -> Agreement:
    """Compare two judges whose steps are numbered from 0 to `steps` − 1.

    Kappa after Cohen (1960, eq. 1); `weighted` counts a disagreement by the square of its width, for steps that have an
    order (Cohen 1968). Raises ValueError where the lists differ in length or a step is out of range.
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
    cells = left * steps + right

    def kappa(rows: npt.NDArray[np.int64]) -> float:
        table = np.bincount(cells[rows], minlength=steps * steps).reshape(steps, steps) / len(rows)
        expected = float((np.outer(table.sum(axis=1), table.sum(axis=0)) * cost).sum())
        return 1.0 - float((table * cost).sum()) / expected if expected > 0 else 1.0

    everything = np.arange(len(left))
    table = np.bincount(cells, minlength=steps * steps).reshape(steps, steps)
    varied = len(np.unique(np.concatenate([left, right]))) > 1
    low = high = None
    if varied and len(left) >= LEAST_LABELS:
        found = bca_interval(len(left), kappa, seed=seed, resamples=_DRAWS)
        low, high = found.low, found.high
    return Agreement(
        n=len(left),
        share=float((left == right).mean()),
        kappa=kappa(everything) if varied else None,
        kappa_low=low,
        kappa_high=high,
        confusion=[[int(count) for count in line] for line in table],
    )


def prediction_powered(
    people: Sequence[float] | Floats,
    judge: Sequence[float] | Floats,
    others: Sequence[float] | Floats,
    *,
    level: float = 0.95,
) -> Interval:
    """Interval for the mean that people would give, from a judge's scores of many rows and people's of some.

    `people` and `judge` are of the same labelled rows, `others` the judge's of rows without a label, drawn alike. The
    estimate is mean(people) + λ · (mean(others) − mean(judge)), with variance var(people − λ · judge) / n +
    λ² · var(others) / N and λ = cov(people, judge) / ((1 + n / N) · var(judge)), held to 0..1 (prediction-powered
    inference: Angelopoulos et al. 2023, proposition 1; Angelopoulos, Duchi and Zrnic 2023, eq. 6). It holds whatever
    the judge's errors; a bad judge only makes it no narrower than the labels alone. Student's t with n − 1 degrees;
    where people gave zeros and ones, a share's interval at the number of rows that this variance stands for.
    Raises TooFewRows under 30 labels, or where people gave one of two labels fewer than 5 times.
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
    variance = float((wanted - weight * given).var(ddof=1)) / n
    if weight > 0:
        estimate += weight * (float(rest.mean()) - float(given.mean()))
        variance += weight**2 * float(rest.var(ddof=1)) / more
    method = f"prediction-powered, {n} labels"
    if is_binary(wanted):
        share = min(max(estimate, 0.0), 1.0)
        if variance > 0 and 0 < share < 1:
            stretch = (normal_quantile(0.5 + level / 2) / t_quantile(0.5 + level / 2, n - 1)) ** 2
            return proportion_at(share, share * (1 - share) / variance * stretch, n + more, level=level, method=method)
    half = t_quantile(0.5 + level / 2, n - 1) * math.sqrt(variance)
    return Interval(estimate, estimate - half, estimate + half, level, n + more, method)


def rogan_gladen(
    passed: int, n: int, *, right_passes: tuple[int, int], right_fails: tuple[int, int], level: float = 0.95
) -> Interval:
    """Interval for the share that is good, from how many a judge with known errors passed.

    `right_passes` is (passed by the judge, all) of rows that people passed, `right_fails` (failed by the judge, all) of
    rows that people failed; these may come from another set of rows, where the judge errs alike. The estimate is
    (q + Sp − 1) / (Se + Sp − 1) (Rogan and Gladen 1978, eq. 3), the interval that of Lang and Reiczigel (2014, section
    2.2), cut to 0..1. Raises TooFewRows under 10 rows of either kind, ValueError for a judge no better than chance.
    """
    least = min(right_passes[1], right_fails[1])
    if least < 10:
        raise TooFewRows(f"people labelled only {least} rows of one kind: at least 10 of each are needed", 20)
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
    return Interval(min(max(plain, 0.0), 1.0), low, high, level, n, "Rogan and Gladen, Lang and Reiczigel")


def _enough(people: Floats) -> None:
    n = len(people)
    if n < LEAST_LABELS:
        raise TooFewRows(f"{n} rows labelled by people are too few: at least {LEAST_LABELS} are needed", LEAST_LABELS)
    if is_binary(people):
        rarer = int(min(people.sum(), n - people.sum()))
        if rarer < _LEAST_OF_EACH:
            needed = -(-_LEAST_OF_EACH * n // max(rarer, 1))
            raise TooFewRows(f"people gave one of two labels only {rarer} times: at least 5 are needed", needed)
