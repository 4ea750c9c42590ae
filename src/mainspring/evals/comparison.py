"""Comparison: two experiments paired row by row under the one statistical rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mainspring import stats
from mainspring.evals import scorers, store
from mainspring.evals.columns import column, settled
from mainspring.evals.columns import compare as compare_columns
from mainspring.evals.models import (
    SPEED,
    AlignedAnswer,
    AlignedRow,
    Comparison,
    Experiment,
    ExperimentRow,
    MetricComparison,
)
from mainspring.evals.repeats import as_units
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
    return compare_many(files, baseline, [candidate], metrics, margin=margin, level=level)


def compare_many(
    files: Files,
    baseline: Experiment,
    candidates: Sequence[Experiment],
    metrics: Sequence[str] = (),
    *,
    margin: float | None = None,
    level: float = 0.95,
) -> Comparison:
    """Compare several candidates with one baseline; the first is the result, the others are its `more`.

    Intervals share the error out among the candidates (Dunn 1961); p-values are Holm's over every metric of every
    candidate, metrics of quality apart from those of speed and size: what else is measured does not make a regression
    pass. A verdict of better or worse needs both. Raises Invalid as `compare` does.
    """
    shared = 1 - (1 - level) / len(candidates)
    left = _units(files, baseline)
    found = [_one(files, baseline, left, candidate, metrics, margin, shared) for candidate in candidates]
    every = [one for comparison in found for one in comparison.metrics]
    adjusted = {
        fast: iter(stats.holm([one.p_value for one in every if (one.unit in SPEED) == fast])) for fast in (0, 1)
    }
    corrected = [
        comparison.model_copy(
            update={
                "metrics": [settled(one, next(adjusted[one.unit in SPEED]), level=level) for one in comparison.metrics]
            }
        )
        for comparison in found
    ]
    return corrected[0].model_copy(update={"more": corrected[1:]})


def align(files: Files, experiments: Sequence[Experiment], *, metric: str = "", show: str = "all") -> list[AlignedRow]:
    """Return the rows that all experiments have, in the first's order, or those that `show` keeps.

    Rows `changed` in the metric named, else in the answer; they `improved` or `worsened` where any score is better or
    worse than the first's. With a metric, the row with the largest gap between the first and any other comes first.
    Raises Invalid where no row is shared, or where a direction is asked for without a metric.
    """
    if show in ("improved", "worsened") and not metric:
        raise Invalid(f"Rows that {show} are told by a metric.", hint="Name one: metric.")
    tables = [{(row.row, row.repeat): row for row in store.read_rows(files, one.file)} for one in experiments]
    shared = [key for key in tables[0] if all(key in table for table in tables[1:])]
    if not shared:
        raise Invalid("The experiments have no row in common.", hint="Use the same dataset, split, limit and seed.")
    if show == "changed":
        shared = [key for key in shared if _differs([table[key] for table in tables], metric)]
    elif show != "all":
        sign = 1 if scorers.metric(metric).scorer.higher_is_better == (show == "improved") else -1
        shared = [key for key in shared if _moved([table[key] for table in tables], metric, sign)]
    if metric:
        shared.sort(key=lambda key: -_gap([table[key] for table in tables], metric))
    return [
        AlignedRow(
            row=key[0],
            repeat=key[1],
            messages=tables[0][key].messages,
            reference=tables[0][key].reference,
            answers=[
                AlignedAnswer(
                    experiment=one.id,
                    answer=table[key].answer,
                    error=table[key].error,
                    trace_id=table[key].trace_id,
                    scores=table[key].scores,
                )
                for one, table in zip(experiments, tables, strict=True)
            ],
        )
        for key in shared
    ]


def _differs(rows: Sequence[ExperimentRow], metric: str) -> bool:
    if metric:
        return len({row.scores.get(metric) for row in rows}) > 1
    return len({row.answer for row in rows}) > 1


def _moved(rows: Sequence[ExperimentRow], metric: str, sign: int) -> bool:
    """Tell whether any row scores higher (`sign` 1) or lower (-1) than the first."""
    first, *others = [row.scores.get(metric) for row in rows]
    return first is not None and any(other is not None and sign * (other - first) > 0 for other in others)


def _gap(rows: Sequence[ExperimentRow], metric: str) -> float:
    first, *others = [row.scores.get(metric) for row in rows]
    gaps = [abs(other - first) for other in others if other is not None and first is not None]
    return max(gaps, default=-1.0)


def _units(files: Files, experiment: Experiment) -> dict[str, ExperimentRow]:
    return {row.row: row for row in as_units(list(store.read_rows(files, experiment.file)))}


def _one(
    files: Files,
    baseline: Experiment,
    left: Mapping[str, ExperimentRow],
    candidate: Experiment,
    metrics: Sequence[str],
    margin: float | None,
    level: float,
) -> Comparison:
    """Compare one candidate; p-values are not corrected yet."""
    if baseline.dataset != candidate.dataset:
        raise Invalid(
            f"The experiments are over {baseline.dataset or 'no dataset'} and {candidate.dataset or 'no dataset'}.",
            hint="Run both over the same version of a dataset.",
        )
    names = _shared(baseline, candidate, metrics)
    right = _units(files, candidate)
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
    stopped = [f"{one.name or one.id} was stopped: {one.stopped}" for one in (baseline, candidate) if one.stopped]
    return Comparison(
        baseline=baseline.id,
        candidate=candidate.id,
        dataset=baseline.dataset,
        rows=len(both),
        unpaired=len(left) + len(right) - 2 * len(both),
        note=" ".join(stopped),
        metrics=found,
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
