"""Columns: one metric's numbers over the rows, made into a figure, or set against another column."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from mainspring import stats
from mainspring.evals.models import ExperimentRow, Figure, MetricComparison, Verdict
from mainspring.evals.scorers import Metric
from mainspring.stats.arrays import np, npt
from mainspring.stats.intervals import group_codes, normal_quantile

_PERMUTATIONS = 1000
_LEAST_UNITS = 20
"""Rows, or groups of rows, under which a corpus figure gets no interval."""
Sums: TypeAlias = "npt.NDArray[np.float64]"


@dataclass(frozen=True, slots=True)
class Cell:
    """What a metric gave for one row."""

    value: float
    counts: tuple[float, ...] | None
    group: str


def column(metric: Metric, rows: Sequence[ExperimentRow]) -> dict[str, Cell]:
    """Return a metric's cells by row id, rows that it does not apply to left out."""
    cells = {}
    for row in rows:
        value, counts = row.scores.get(metric.name), row.counts.get(metric.name)
        if value is not None and (metric.scorer.corpus is None or counts is not None):
            cells[row.row] = Cell(value, tuple(counts) if counts else None, row.group)
    return cells


def figure(metric: Metric, cells: Sequence[Cell], *, level: float = 0.95, seed: int = 0) -> Figure:
    """Make a column a figure: its mean, or the corpus figure of its counts, with an interval."""
    scorer = metric.scorer
    facts: dict[str, Any] = {
        "metric": metric.name,
        "unit": scorer.unit,
        "higher_is_better": scorer.higher_is_better,
        "level": level,
    }
    if not cells:
        note = "The metric applied to no row."
        return Figure(**facts, value=None, low=None, high=None, n=0, method="none", note=note)
    values, groups = [cell.value for cell in cells], [cell.group for cell in cells]
    value = float(np.mean(values))
    try:
        if scorer.corpus is not None:
            sums = _by_unit(cells)
            value = scorer.corpus.figure(list(sums.sum(axis=0)))
            interval = _corpus_interval(scorer.corpus.figure, sums, level, seed)
        else:
            interval = stats.mean_interval(values, groups, level=level, seed=seed)
    except stats.TooFewRows as few:
        note = f"No interval: {few}."
        return Figure(**facts, value=value, low=None, high=None, n=len(cells), method="none", note=note)
    method = interval.method
    return Figure(**facts, value=value, low=interval.low, high=interval.high, n=len(cells), method=method)


def compare(
    metric: Metric,
    baseline: Sequence[Cell],
    candidate: Sequence[Cell],
    *,
    margin: float | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> MetricComparison:
    """Set two columns of the same rows against each other, by the metric's own margin or the one given.

    `p_adjusted` is yet the p-value itself.
    """
    scorer = metric.scorer
    if scorer.corpus is not None:
        return _compare_corpora(
            metric, scorer.corpus.figure, baseline, candidate, margin=margin, level=level, seed=seed
        )
    left, right = [cell.value for cell in baseline], [cell.value for cell in candidate]
    found = stats.compare_paired(
        left,
        right,
        [cell.group for cell in baseline],
        higher_is_better=scorer.higher_is_better,
        margin=margin or _margin(metric, float(np.mean(left))),
        level=level,
        seed=seed,
    )
    return _record(metric, found)


def _compare_corpora(
    metric: Metric,
    of: Callable[[Sequence[float]], float],
    baseline: Sequence[Cell],
    candidate: Sequence[Cell],
    *,
    margin: float | None,
    level: float,
    seed: int,
) -> MetricComparison:
    """Compare two corpus figures by resampling rows, or groups of rows, of both at once (Koehn 2004)."""
    left, right = _by_unit(baseline), _by_unit(candidate)
    before, after = of(list(left.sum(axis=0))), of(list(right.sum(axis=0)))
    gap, n, smallest = after - before, len(baseline), margin or _margin(metric, before)
    low = high = detectable = None
    needed: int | None = _LEAST_UNITS
    verdict: Verdict = "too few rows"
    method = "none holds its level here"
    if len(left) >= _LEAST_UNITS:
        interval = stats.bca_interval(
            len(left),
            lambda rows: of(list(right[rows].sum(axis=0))) - of(list(left[rows].sum(axis=0))),
            level=level,
            seed=seed,
        )
        low, high, method = interval.low, interval.high, f"{interval.method}, paired"
        deviation = (high - low) / 2 / normal_quantile(0.5 + level / 2) * math.sqrt(n)
        detectable = stats.detectable_difference(deviation, n, level=level) if deviation else None
        enough = stats.rows_needed(deviation, smallest, level=level) if deviation and smallest else 0
        whole = stats.Interval(gap, low, high, level, n, method)
        verdict = stats.judge(whole, higher_is_better=metric.scorer.higher_is_better, needed=enough)
        needed = enough if verdict == "too few rows" else None
    found = stats.PairedDifference(
        n=n,
        baseline=before,
        candidate=after,
        difference=gap,
        low=low,
        high=high,
        level=level,
        method=method,
        p_value=_swaps(of, left, right, seed),
        test="approximate randomisation",
        margin=smallest,
        detectable=detectable,
        verdict=verdict,
        needed=needed,
        sentence=stats.in_words(verdict, gap, low, high, n, level=level, needed=needed),
    )
    return _record(metric, found)


def _record(metric: Metric, found: stats.PairedDifference) -> MetricComparison:
    """Add to a difference what the metric knows."""
    facts = asdict(found)
    record = MetricComparison(
        metric=metric.name,
        unit=metric.scorer.unit,
        higher_is_better=metric.scorer.higher_is_better,
        p_adjusted=found.p_value,
        not_worse=None,
        **facts,
    )
    record = record.model_copy(update={"not_worse": not_worse(record)})
    return settled(record, found.p_value, level=found.level)


def settled(one: MetricComparison, p_adjusted: float, *, level: float) -> MetricComparison:
    """Return a comparison with the verdict that stands after correction: of its interval, and of the p-value given."""
    if one.low is None or one.high is None:
        return one.model_copy(update={"p_adjusted": p_adjusted})
    verdict, needed = stats.settle(
        one.low,
        one.high,
        p_adjusted,
        n=one.n,
        margin=one.margin,
        detectable=one.detectable,
        level=level,
        higher_is_better=one.higher_is_better,
    )
    sentence = stats.in_words(verdict, one.difference, one.low, one.high, one.n, level=one.level, needed=needed)
    if verdict not in ("better", "worse") and (one.low > 0 or one.high < 0):
        sentence += f" The interval alone excludes zero, but chance explains it: p = {p_adjusted:.2g} after correction."
    return one.model_copy(update={"p_adjusted": p_adjusted, "verdict": verdict, "needed": needed, "sentence": sentence})


def _corpus_interval(of: Callable[[Sequence[float]], float], sums: Sums, level: float, seed: int) -> stats.Interval:
    if len(sums) < _LEAST_UNITS:
        raise stats.TooFewRows(f"{len(sums)} rows or groups are too few: at least {_LEAST_UNITS} are needed", 20)
    return stats.bca_interval(len(sums), lambda rows: of(list(sums[rows].sum(axis=0))), level=level, seed=seed)


def _swaps(of: Callable[[Sequence[float]], float], left: Sums, right: Sums, seed: int) -> float:
    """Return the two-sided p-value of swapping the sides at random (Riezler and Maxwell 2005, section 2)."""
    rng = np.random.default_rng(seed)
    total, seen = left.sum(axis=0) + right.sum(axis=0), abs(of(list(right.sum(axis=0))) - of(list(left.sum(axis=0))))
    if seen == 0:
        return 1.0
    hits = 0
    for _ in range(_PERMUTATIONS):
        swapped = np.where(rng.random(len(left))[:, None] < 0.5, left, right).sum(axis=0)
        hits += abs(of(list(swapped)) - of(list(total - swapped))) >= seen - 1e-12
    return (hits + 1) / (_PERMUTATIONS + 1)


def _by_unit(cells: Sequence[Cell]) -> Sums:
    """Add the counts of rows that belong together: shape (units, counts)."""
    counts = np.array([cell.counts for cell in cells], dtype=np.float64)
    codes = group_codes([cell.group for cell in cells])
    sums = np.zeros((int(codes.max()) + 1, counts.shape[1]))
    np.add.at(sums, codes, counts)
    return sums


def _margin(metric: Metric, baseline: float) -> float:
    """Return the smallest difference that matters, in the metric's unit."""
    return metric.scorer.margin * abs(baseline) if metric.scorer.relative else metric.scorer.margin


def not_worse(one: MetricComparison) -> bool | None:
    """Tell whether the interval excludes being worse by the margin or more; None without an interval or a margin."""
    if one.low is None or one.high is None or one.margin <= 0:
        return None
    whole = stats.Interval(one.difference, one.low, one.high, one.level, one.n, one.method)
    return stats.not_worse(whole, one.margin, higher_is_better=one.higher_is_better)
