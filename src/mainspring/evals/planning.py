"""Planning: how many rows show a difference, and how small a difference some rows show, before anything is asked."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mainspring import stats
from mainspring.evals import scorers, store
from mainspring.evals.columns import Cell, column
from mainspring.evals.models import Experiment, MetricComparison, RowPlan
from mainspring.evals.repeats import as_units
from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import Files
from mainspring.stats.arrays import np
from mainspring.stats.means import design_effect, has_repeats
from mainspring.stats.paired import LEAST_PAIRS

_STEPS = 200


def of_share(share: float, correlation: float, difference: float) -> float:
    """Return the standard deviation per row of the difference of two shares, the second off by `difference`.

    Towards one half, where it is larger. `correlation` is that of the two sides' zeros and ones on one row.
    """
    other = share + difference if share <= 0.5 else share - difference
    here, there = share * (1 - share), max(0.0, other * (1 - other))
    return math.sqrt(max(0.0, here + there - 2 * correlation * math.sqrt(here * there)))


def of_rows(files: Files, experiment: Experiment, name: str, correlation: float) -> float:
    """Return `of_column` of an experiment's metric. Raises Invalid for one without scores, or no mean of rows."""
    metric = scorers.metric(name)
    if metric.scorer.corpus is not None:
        raise Invalid(f"{name} is a figure of the whole, not of rows.", hint="Compare two experiments: against.")
    cells = column(metric, as_units(list(store.read_rows(files, experiment.file))))
    return of_column(list(cells.values()), correlation)


def of_column(cells: Sequence[Cell], correlation: float) -> float:
    """Return the deviation per row of a difference whose two sides both vary as this column does: σ √(2 (1 − r)).

    Rows of one group count for less. Raises Invalid for a column of which nothing can be learned.
    """
    values, groups = np.array([cell.value for cell in cells]), [cell.group for cell in cells]
    if len(values) < LEAST_PAIRS or not values.std():
        said = f"{len(values)} rows are too few" if len(values) < LEAST_PAIRS else "All rows have the same score"
        raise Invalid(f"{said} to learn how scores vary.", hint="Say what share you expect: --share.")
    grown = design_effect(values, groups) if has_repeats(groups) else 1.0
    return float(values.std(ddof=1)) * math.sqrt(grown * 2 * (1 - correlation))


def of_comparison(one: MetricComparison) -> float:
    """Return the deviation per row that a comparison saw, groups counted. Raises Invalid where no row differs."""
    if one.detectable is None:
        raise Invalid(f"No row differs in {one.metric}, so nothing is learned.", hint="Say what share you expect.")
    return one.detectable / stats.detectable_difference(1.0, one.n, level=one.level)


def plan(
    deviation: float | None,
    basis: str,
    *,
    share: float | None,
    correlation: float,
    rows: int | None,
    difference: float | None,
    level: float,
    power: float,
) -> RowPlan:
    """Return the rows that `difference` needs, the difference that `rows` show, or both: by a deviation or a share."""
    needed = detectable = None
    if difference is not None:
        spread = of_share(share or 0.0, correlation, difference) if deviation is None else deviation
        needed = max(LEAST_PAIRS, stats.rows_needed(spread, difference, level=level, power=power))
    if rows is not None:
        detectable = 0.0
        for _ in range(_STEPS if deviation is None else 1):  # a share's deviation depends on the difference itself
            spread = of_share(share or 0.0, correlation, min(0.5, detectable)) if deviation is None else deviation
            detectable = max(stats.detectable_difference(spread, rows, level=level, power=power), 1 / rows)
    parts = [] if needed is None else [f"a difference of {difference:g} needs about {needed:,} rows"]
    parts += [] if detectable is None else [f"{rows:,} rows show a difference of about {detectable:.3g}"]
    sentence = f"With {power:.0%} power at the level {level:.0%}, {'; '.join(parts)} ({basis})."
    return RowPlan(
        basis=basis, level=level, power=power, difference=difference, rows=rows,
        rows_needed=needed, detectable=detectable, sentence=sentence,
    )  # fmt: skip
