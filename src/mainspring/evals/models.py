"""Experiments and comparisons as records."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from mainspring.kernel.ports import JSON
from mainspring.kernel.records import Record

SplitName = Literal["", "train", "validation", "test", "holdout"]
"""Empty for rows of every split."""
RowLimit = Annotated[int, Field(ge=1, le=100_000)]
Verdict = Literal["better", "worse", "no difference shown", "too few rows"]


class ScorerInfo(Record):
    """A scorer that an experiment may name."""

    name: str
    summary: str
    unit: str
    """`share` (0 to 1), `score`, `ms`, `tokens`, `cost` or `perplexity`."""
    higher_is_better: bool
    margin: float
    """Smallest difference that matters, in the unit; a share of the baseline's figure where `relative`."""
    relative: bool
    argument: Literal["none", "optional", "required"]
    """Whether it is written `name`, `name:argument`, or either."""
    needs: list[str]
    """What must be there: `reference`, `schema`, `likelihood`."""


class Figure(Record):
    """One metric over all rows, with its confidence interval."""

    metric: str
    value: float | None
    """Null where the metric applied to no row."""
    low: float | None
    """Null where no method holds its level on these rows; `note` says why."""
    high: float | None
    level: float
    n: int
    """Rows that the metric applied to."""
    unit: str
    higher_is_better: bool
    method: str
    """How the interval was made."""
    note: str = ""


class Experiment(Record):
    """A target's answers to the rows of a dataset, scored."""

    id: str
    """The id of the run that made it."""
    name: str
    dataset: str
    """Exact reference, as are `target` (unless it is a deployment) and `prompt`."""
    split: SplitName
    target: str
    prompt: str
    """Empty where the rows' messages were sent as they are, or the release brought its own."""
    constrained: bool
    """Whether answers were held to the response schema; kept apart in comparisons."""
    settings: dict[str, JSON]
    """`scorers`, `limit`, `max_tokens`, `temperature`, `stop`, `seed`, and signatures of the metrics."""
    rows: int
    errors: int
    """Rows that the target refused to answer, such as one too long for it; they score as an empty answer."""
    figures: list[Figure]
    file: str
    """SHA-256 of the rows' file: JSON lines, zstd."""
    note: str
    created_at: datetime
    created_by: str


class ExperimentRow(Record):
    """One row of an experiment."""

    row: str
    """Id of the dataset row."""
    group: str
    messages: list[dict[str, JSON]]
    """What was asked."""
    reference: JSON
    answer: str
    error: str = ""
    """Why there is no answer."""
    finish_reason: str = ""
    latency_ms: float | None = None
    """Null where the answer was taken from an earlier experiment."""
    ttft_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    trace_id: str = ""
    scores: dict[str, float | None]
    counts: dict[str, list[float]] = {}
    """For metrics that are not means of rows: what the corpus figure is made of."""


class MetricComparison(Record):
    """One metric of two experiments, paired row by row."""

    metric: str
    unit: str
    higher_is_better: bool
    n: int
    """Rows that both experiments have."""
    baseline: float
    candidate: float
    difference: float
    """Candidate minus baseline."""
    low: float | None
    high: float | None
    level: float
    method: str
    p_value: float
    """Two-sided, of no difference."""
    p_adjusted: float
    """After Holm's correction for the metrics compared here."""
    test: str
    margin: float
    """Smallest difference that matters."""
    detectable: float | None
    """Smallest difference that this many rows show with 80 % power."""
    not_worse: bool | None
    """Whether the interval excludes being worse by the margin or more."""
    verdict: Verdict
    needed: int | None
    sentence: str


class Comparison(Record):
    """Two experiments over the same rows."""

    baseline: str
    candidate: str
    dataset: str
    rows: int
    """Rows that both have."""
    unpaired: int
    """Rows that only one has; they are left out."""
    metrics: list[MetricComparison]
