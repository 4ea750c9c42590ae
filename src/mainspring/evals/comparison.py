"""Comparison: two experiments paired row by row under the one statistical rule."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring import stats
from mainspring.evals import scorers, store
from mainspring.evals.columns import column
from mainspring.evals.columns import compare as compare_columns
from mainspring.evals.models import Comparison, Experiment, MetricComparison
from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import Files


def compare(
    files: Files,
    baseline: Experiment,
    candidate: Experiment,
    metrics: Sequence[str] = (),
    *,
    margin: float | None = None,
    level: float = 0.95,
) -> Comparison:
    """Compare over the rows that both have, in the metrics named or all that both have.

    Raises Invalid for experiments over different datasets, without a row in common, or a metric that one lacks.
    """
    if baseline.dataset != candidate.dataset:
        raise Invalid(
            f"The experiments are over {baseline.dataset} and {candidate.dataset}.",
            hint="Run both over the same version of a dataset.",
        )
    names = _shared(baseline, candidate, metrics)
    left = {row.row: row for row in store.read_rows(files, baseline.file)}
    right = {row.row: row for row in store.read_rows(files, candidate.file)}
    both = [row for row in left if row in right]
    if not both:
        raise Invalid("The experiments have no row in common.", hint="Use the same split, limit and seed.")
    found: list[MetricComparison] = []
    for name in names:
        metric = scorers.metric(name)
        before = column(metric, [left[row] for row in both])
        after = column(metric, [right[row] for row in both])
        paired = [row for row in both if row in before and row in after]
        if paired:
            cells = [before[row] for row in paired], [after[row] for row in paired]
            found.append(compare_columns(metric, *cells, margin=margin, level=level))
    adjusted = stats.holm([one.p_value for one in found])
    return Comparison(
        baseline=baseline.id,
        candidate=candidate.id,
        dataset=baseline.dataset,
        rows=len(both),
        unpaired=len(left) + len(right) - 2 * len(both),
        metrics=[one.model_copy(update={"p_adjusted": p}) for one, p in zip(found, adjusted, strict=True)],
    )


def _shared(baseline: Experiment, candidate: Experiment, asked: Sequence[str]) -> list[str]:
    """Return the metrics to compare."""
    left = [figure.metric for figure in baseline.figures]
    right = {figure.metric for figure in candidate.figures}
    shared = [name for name in left if name in right]
    for name in asked:
        if name not in shared:
            raise Invalid(f"Not both experiments have the metric '{name}'.", hint=f"Both have {', '.join(shared)}.")
    return list(dict.fromkeys(asked)) or shared
