"""Calibration: what a judge's word is worth against that of people, and figures corrected for its errors.

People judge answers by scores on their traces; the judge is held to the same answers. Where too few rows are labelled,
that is said in the place of a figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from mainspring import stats
from mainspring.evals.models import Experiment, ExperimentRow, Figure
from mainspring.evals.scorers.judges import Judge
from mainspring.kernel.errors import Invalid
from mainspring.kernel.records import Record
from mainspring.kernel.tx import Tx
from mainspring.stats.arrays import np
from mainspring.stats.means import design_effect, effective_rows, has_repeats
from mainspring.traces import Score
from mainspring.traces import scores as score_store

_WORDS = {
    "pass": 1.0, "yes": 1.0, "good": 1.0, "correct": 1.0, "up": 1.0, "true": 1.0,
    "fail": 0.0, "no": 0.0, "bad": 0.0, "incorrect": 0.0, "wrong": 0.0, "down": 0.0, "false": 0.0,
}  # fmt: skip
"""Labels that stand for one and zero where a scale does not name them."""
_SHOWN = 20
FAIR, GOOD = 0.4, 0.6
"""Kappa from which agreement is called moderate, and substantial (Landis and Koch 1977, table 2)."""


class Disagreement(Record):
    """A row that people and the judge see differently."""

    row: str
    trace_id: str
    human: float
    judge: float


class Calibration(Record):
    """A judge against people, on the rows of one experiment that people have judged."""

    ref: str = ""
    """`calibration/name@number`."""
    judge: str
    """Exact reference."""
    experiment: str
    human: str
    """Name of the scores that people gave."""
    n: int
    """Rows that both judged."""
    steps: list[str]
    """The judge's scale, worst first; people's scores are taken to the nearest step."""
    agreement: float
    """Share of rows on which both chose the same step."""
    kappa: float | None
    """Cohen's kappa, weighted by squared distance on scales of more than two steps; null where nobody ever varied."""
    kappa_low: float | None
    kappa_high: float | None
    confusion: list[list[int]]
    """Rows by the judge's step (line) and people's (column)."""
    alike: float = 1.0
    """How many rows count for one, rows of a group being alike: 1 where they come without groups or repeats."""
    bias: float
    """Mean of the judge minus mean of people, on a scale from 0 to 1: above zero where the judge is kinder."""
    bias_low: float | None
    bias_high: float | None
    verdict: Literal["too few rows", "trust", "use with correction", "do not use"]
    sentence: str
    disagreements: list[Disagreement] = Field(default=[], max_length=_SHOWN)
    """The widest, at most 20."""
    corrected: Figure | None = None
    """The experiment's figure, corrected for the judge's errors; null where too few rows are labelled."""
    created_at: datetime | None = None
    created_by: str = ""
    existed: bool = False


def human_values(tx: Tx, rows: Sequence[ExperimentRow], name: str, scale: Sequence[str] = ()) -> dict[str, float]:
    """Return what people gave each row, by row id: from 0 to 1 where there is a scale.

    Scores named `name` from people, on the row's trace; of one person's several the last counts, of several persons'
    the mean. A number is taken as it is, a label by its place on `scale`, or as the plain word that it is. Raises
    Invalid for a score that means nothing on the scale.
    """
    traces = {row.trace_id: row.row for row in rows if row.trace_id}
    given: dict[str, dict[str, float]] = {}
    for score in score_store.of_traces(tx, sorted(traces)):
        if score.name == name and score.source == "human" and (score.number is not None or score.label):
            row = traces[score.trace_id]
            given.setdefault(row, {})[score.created_by] = _value(score, scale)
    return {row: sum(by.values()) / len(by) for row, by in given.items()}


def _value(score: Score, scale: Sequence[str]) -> float:
    label = (score.label or "").strip()
    if score.number is not None and str(int(score.number)) in scale and float(score.number).is_integer():
        label = str(int(score.number))
    if label in scale:
        return scale.index(label) / (len(scale) - 1)
    value = score.number if score.number is not None else _WORDS.get(label.lower())
    if value is None or (scale and not 0 <= value <= 1):
        shown = label or f"{score.number:g}"
        hint = f"Steps are {', '.join(scale)}, or numbers from 0 to 1." if scale else "Give numbers, or pass and fail."
        raise Invalid(f"The score '{score.name}' of trace {score.trace_id} is {shown}, which is no step.", hint=hint)
    return float(value)


def calibrate(
    judge: Judge,
    ref: str,
    experiment: Experiment,
    rows: Sequence[ExperimentRow],
    judged: Mapping[str, float],
    people: Mapping[str, float],
    *,
    human: str,
) -> Calibration:
    """Set a judge's scores of rows against people's. Raises Invalid where no row has both."""
    both = [row for row in rows if row.row in judged and row.row in people]
    if not both:
        raise Invalid(
            f"No row of {experiment.id} was judged by people under the name '{human}'.",
            hint=f"Judge some on their traces: `mainspring score create {human} --trace-id … --number 1`.",
        )
    steps = judge.steps
    own = np.array([judged[row.row] for row in both])
    theirs = np.array([people[row.row] for row in both])
    groups = [row.group for row in both]
    chosen = _steps(own, len(steps)), _steps(theirs, len(steps))
    found = stats.agreement(*chosen, len(steps), groups, weighted=len(steps) > 2)
    gap = stats.compare_paired(theirs, own, groups)
    widest = sorted(both, key=lambda row: -abs(judged[row.row] - people[row.row]))[:_SHOWN]
    verdict, sentence = _verdict(found, gap.difference, gap.low, gap.high)
    return Calibration(
        judge=ref,
        experiment=experiment.id,
        human=human,
        n=len(both),
        steps=steps,
        agreement=found.share,
        kappa=found.kappa,
        kappa_low=found.kappa_low,
        kappa_high=found.kappa_high,
        confusion=found.confusion,
        bias=gap.difference,
        bias_low=gap.low,
        bias_high=gap.high,
        verdict=verdict,
        sentence=sentence,
        disagreements=[
            Disagreement(
                row=row.row,
                trace_id=row.trace_id,
                human=people[row.row],
                judge=judged[row.row],
            )
            for row in widest
            if judged[row.row] != people[row.row]
        ],
        corrected=corrected(f"judge:{ref.partition('/')[2]}", judged, people, {row.row: row.group for row in rows}),
        alike=_alike([left != right for left, right in zip(*chosen, strict=True)], groups),
    )


def corrected(
    metric: str, judged: Mapping[str, float], people: Mapping[str, float], groups: Mapping[str, str]
) -> Figure | None:
    """Return what people would give on the mean, from all that the judge said and the rows that people judged too.

    By prediction-powered inference, see `mainspring.stats.prediction_powered`. `groups` names the group of each row.
    None where rows are too few.
    """
    both = [row for row in judged if row in people]
    rest = [row for row in judged if row not in people]
    try:
        found = stats.prediction_powered(
            [people[row] for row in both],
            [judged[row] for row in both],
            [judged[row] for row in rest],
            [groups.get(row, "") for row in (*both, *rest)],
        )
    except stats.TooFewRows:
        return None
    return _figure(metric, found, f"{len(both)} rows judged by people, {len(rest)} by the judge alone")


def carried_over(
    metric: str, judged: Mapping[str, float], calibration: Calibration, groups: Mapping[str, str]
) -> Figure:
    """Return an experiment's share of passes corrected by the errors that a judge made on another's rows.

    By Rogan and Gladen's estimate, see `mainspring.stats.rogan_gladen`: it takes the judge to err alike on both. Rows
    of one group, on either side, count for as many as they are worth. Raises Invalid for a scale of more than two
    steps, for too few labels, and for a judge near chance.
    """
    if len(calibration.steps) != 2:
        raise Invalid(
            "Errors are carried over to another experiment on scales of two steps only.",
            hint="Have people judge some rows of this experiment, and calibrate on these.",
        )
    table = calibration.confusion
    passes, fails = table[0][1] + table[1][1], table[0][0] + table[1][0]
    passed = [value >= 0.5 for value in judged.values()]
    worth = 1 / _alike(passed, [groups.get(row, "") for row in judged])
    try:
        found = stats.rogan_gladen(
            sum(passed) * worth,
            len(judged) * worth,
            right_passes=(table[1][1] / calibration.alike, passes / calibration.alike),
            right_fails=(table[0][0] / calibration.alike, fails / calibration.alike),
        )
    except ValueError as error:
        raise Invalid(f"The figure cannot be corrected: {error}.", hint="Have people judge more rows.") from None
    return _figure(
        metric, found, f"errors of the judge taken from {calibration.n} rows of {calibration.experiment}", len(judged)
    )


def _figure(metric: str, found: stats.Interval, note: str, rows: int = 0) -> Figure:
    return Figure(
        metric=metric,
        value=found.estimate,
        low=found.low,
        high=found.high,
        level=found.level,
        n=rows or found.n,
        unit="share",
        higher_is_better=True,
        method=found.method,
        note=note,
    )


def _alike(values: Sequence[bool], groups: Sequence[str]) -> float:
    """Return how many rows count for one, by the variance over groups; by their number where they are few."""
    if not has_repeats(groups):
        return 1.0
    numbers = np.array(values, dtype=np.float64)
    try:
        return len(values) / effective_rows(numbers, groups)
    except stats.TooFewRows:
        return max(design_effect(numbers, groups), len(values) / len(set(groups)))


def _steps(values: np.ndarray, steps: int) -> list[int]:
    return [int(step) for step in np.floor(values * (steps - 1) + 0.5)]


def _verdict(
    found: stats.Agreement, bias: float, low: float | None, high: float | None
) -> tuple[Literal["too few rows", "trust", "use with correction", "do not use"], str]:
    """Return what the agreement allows, by its interval's lower end, and say it in words."""
    said = f"agreement {found.share:.0%} of {found.n} rows"
    if found.kappa is not None:
        said += f", kappa {found.kappa:.2f}"
    if found.kappa_low is None or found.kappa is None:
        return "too few rows", f"Too few rows: {said}; at least 30 rows on which the two steps vary are needed."
    said += f" (95 % interval {found.kappa_low:.2f} to {found.kappa_high:.2f}), bias {bias:+.3f}"
    biased = low is not None and high is not None and (low > 0 or high < 0)
    if found.kappa_low >= GOOD and not biased:
        return "trust", f"Trust: {said}."
    if found.kappa_low >= FAIR:
        return "use with correction", f"Use with correction: {said}."
    return "do not use", f"Do not use: {said}; the agreement is not shown to be more than slight."
