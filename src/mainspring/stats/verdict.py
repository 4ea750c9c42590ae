"""The one rule by which the product calls a candidate better or worse on the same rows as a baseline.

The interval of the paired difference excludes zero, and the p-value holds after the correction for all that was
compared along with it (`settle`). Gate, comparison and `--fail-if-worse-than` use this rule unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from mainspring.stats.arrays import np
from mainspring.stats.bootstrap import group_sums, studentised_interval
from mainspring.stats.intervals import Floats, Interval, TooFewRows, checked, is_binary
from mainspring.stats.means import design_effect, effective_rows, has_repeats
from mainspring.stats.paired import LEAST_PAIRS, mcnemar, paired_proportions, permutation
from mainspring.stats.power import detectable_difference, rows_needed

Verdict = Literal["better", "worse", "no difference shown", "too few rows"]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """A candidate against a baseline on the same rows."""

    n: int
    baseline: float
    """Mean of the baseline."""
    candidate: float
    """Mean of the candidate."""
    difference: float
    """Candidate minus baseline."""
    low: float | None
    """Lower end of the interval of the difference; None where rows are too few for any method."""
    high: float | None
    level: float
    method: str
    """How the interval was made."""
    p_value: float
    """Two-sided, of no difference."""
    test: str
    """Which test gave the p-value."""
    margin: float
    """Smallest difference that matters, in the unit of the score."""
    detectable: float | None
    """Smallest difference that this many rows show with 80 % power."""
    verdict: Verdict
    needed: int | None
    """Where rows are too few: how many would do."""
    sentence: str
    """The verdict in words."""


def compare_paired(
    baseline: Sequence[float] | Floats,
    candidate: Sequence[float] | Floats,
    groups: Sequence[Hashable] | None = None,
    *,
    higher_is_better: bool = True,
    margin: float = 0.05,
    level: float = 0.95,
    seed: int = 0,
) -> PairedDifference:
    """Compare two columns of scores, row by row, and say what their interval shows, before any correction (`settle`).

    Zeros and ones: Bonett and Price's interval with McNemar's exact test. Other scores: studentised bootstrap with a
    sign-flip permutation test. Grouped rows: the effective number of rows for zeros and ones, else whole groups are
    drawn and flipped.
    Raises ValueError where the columns differ in length or hold numbers that are not finite, TooFewRows without rows.
    """
    left, right = checked(baseline), checked(candidate)
    if len(left) != len(right):
        raise ValueError(f"{len(left)} rows of the baseline against {len(right)} of the candidate")
    gap = right - left
    shared = groups if groups is not None and has_repeats(groups) else None
    interval, p_value, test, needed = _difference(left, right, shared, level=level, seed=seed)
    deviation = float(gap.std(ddof=1)) if len(gap) > 1 else 0.0
    if shared is not None:
        deviation *= float(np.sqrt(design_effect(gap, shared))) if deviation else 1.0
    detectable = detectable_difference(deviation, len(gap), level=level) if deviation else None
    if interval is None:
        verdict: Verdict = "too few rows"
        sought = max(margin, abs(float(gap.mean())))
        needed = max(needed or 0, rows_needed(deviation, sought, level=level) if deviation and sought else 0)
    else:
        enough = rows_needed(deviation, margin, level=level) if deviation and margin > 0 else 0
        verdict = judge(interval, higher_is_better=higher_is_better, needed=enough)
        needed = enough if verdict == "too few rows" else None
    low, high = (interval.low, interval.high) if interval else (None, None)
    return PairedDifference(
        n=len(gap),
        baseline=float(left.mean()),
        candidate=float(right.mean()),
        difference=float(gap.mean()),
        low=low,
        high=high,
        level=level,
        method=interval.method if interval else "none holds its level here",
        p_value=p_value,
        test=test,
        margin=margin,
        detectable=detectable,
        verdict=verdict,
        needed=needed,
        sentence=in_words(verdict, float(gap.mean()), low, high, len(gap), level=level, needed=needed),
    )


def judge(difference: Interval, *, higher_is_better: bool = True, needed: int = 0) -> Verdict:
    """Return the verdict that an interval of candidate minus baseline carries.

    Better or worse only where it excludes zero; otherwise too few rows where fewer than `needed` were seen.
    """
    if difference.low > 0 or difference.high < 0:
        return "better" if (difference.low > 0) == higher_is_better else "worse"
    return "too few rows" if difference.n < needed else "no difference shown"


def settle(
    low: float | None,
    high: float | None,
    p_adjusted: float,
    *,
    n: int,
    margin: float,
    detectable: float | None,
    level: float = 0.95,
    higher_is_better: bool = True,
) -> tuple[Verdict, int | None]:
    """Return the verdict that stands after a correction, and, where rows are too few, how many would do.

    `low` and `high` bound candidate minus baseline, and are None where no method holds its level. Better or worse needs
    both: an interval that excludes zero, and a corrected p-value of at most 1 − level. `detectable` is the difference
    that n rows show with 80 % power; where it is wider than `margin`, the rows are too few.
    """
    if low is None or high is None:
        return "too few rows", None
    if (low > 0 or high < 0) and p_adjusted <= 1 - level:
        return ("better" if (low > 0) == higher_is_better else "worse"), None
    if detectable and margin > 0 and detectable > margin:
        return "too few rows", max(n + 1, math.ceil(n * (detectable / margin) ** 2))
    return "no difference shown", None


def in_words(
    verdict: Verdict,
    difference: float,
    low: float | None,
    high: float | None,
    n: int,
    *,
    level: float,
    needed: int | None,
) -> str:
    """Return one sentence that says the verdict, the difference, its interval and the number of rows."""
    span = "no interval" if low is None or high is None else f"{level:.0%} interval {low:+.4g} to {high:+.4g}"
    sentence = f"{verdict[0].upper()}{verdict[1:]}: difference {difference:+.4g} ({span}, {n} rows)"
    if needed is not None and needed > n:
        sentence += f"; about {needed} rows would do"
    return sentence + "."


def _difference(
    left: Floats, right: Floats, groups: Sequence[Hashable] | None, *, level: float, seed: int
) -> tuple[Interval | None, float, str, int | None]:
    """Choose interval and test; the last item says how many rows would do where no interval is offered."""
    gap = right - left
    n, mean = len(gap), float(gap.mean())
    if is_binary(left) and is_binary(right):
        gained, lost = int((gap > 0).sum()), int((gap < 0).sum())
        try:
            count = effective_rows(gap, groups, level=level) if groups is not None else float(n)
            if n < LEAST_PAIRS:
                raise TooFewRows(f"{n} rows are too few", LEAST_PAIRS)
        except TooFewRows as few:
            return None, mcnemar(gained, lost), "McNemar, exact", max(few.needed, n + 1)
        low, high = paired_proportions(gained * count / n, lost * count / n, count, level=level)
        method = "paired proportions" if groups is None else "paired proportions, grouped rows"
        p_value = mcnemar(round(gained * count / n), round(lost * count / n))
        return Interval(mean, low, high, level, n, method), p_value, "McNemar, exact", None
    sums, _ = group_sums(gap, groups)
    p_value = permutation(sums, seed=seed)
    test = "sign-flip permutation" if groups is None else "sign-flip permutation of groups"
    try:
        return studentised_interval(gap, groups, level=level, seed=seed), p_value, test, None
    except TooFewRows as few:
        return None, p_value, test, max(few.needed, n + 1)
