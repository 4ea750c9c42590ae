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
MaxTokens = Annotated[int, Field(ge=1, le=32_768)]
Temperature = Annotated[float, Field(ge=0, le=2)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Repeats = Annotated[int, Field(ge=1, le=100)]
Verdict = Literal["better", "worse", "no difference shown", "too few rows"]
Finite = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
SPEED = ("ms", "tokens", "cost", "characters", "words")
"""Units that tell what an answer took, not how good it is: they are reported, and judge nothing."""


class ScorerInfo(Record):
    """A scorer that an experiment may name."""

    name: str
    summary: str
    unit: str
    """`share` (0 to 1), `score`, `ms`, `tokens`, `characters`, `words`, `cost` or `perplexity`."""
    higher_is_better: bool
    margin: float
    """Smallest difference that matters, in the unit; a share of the baseline's figure where `relative`."""
    relative: bool
    argument: Literal["none", "optional", "required"]
    """Whether it is written `name`, `name:argument`, or either."""
    needs: list[str]
    """What must be there: `reference`, `schema`, `likelihood`, `contexts`, or a `version` that the argument names."""


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
    """Exact reference, as are `target` (unless it is a deployment or a URL) and `prompt`; empty where scores came from
    outside without a dataset."""
    split: SplitName
    target: str
    prompt: str
    """Empty where the rows' messages were sent as they are, or the release brought its own."""
    suite: str = ""
    """Exact reference of the suite that said what to ask and how to score; empty where none did."""
    constrained: bool
    """Whether answers were held to the response schema; kept apart in comparisons."""
    settings: dict[str, JSON]
    """`scorers`, `limit`, `max_tokens`, `temperature`, `stop`, `seed`, `repeats`, signatures of the metrics, and under
    `judges` the model that judges for each metric; `source` is `outside` where answers and scores were made elsewhere.
    """
    rows: int
    """Answers that were scored: rows times repeats, unless the budget ended before."""
    errors: int
    """Rows that the target refused to answer, such as one too long for it; they score as an empty answer."""
    figures: list[Figure]
    stopped: str = ""
    """Why not every row was asked, such as a budget that was spent; the figures are of the rows that were."""
    baseline: str = ""
    """Id of the experiment that it was held against; empty where there was none."""
    calls: int = 0
    """Calls that the run made, those of judges and those without an answer included."""
    reused: int = 0
    """Answers that no call was made for: asked before by another experiment, or by this one in another row."""
    cost: float = 0.0
    """Of the run's own calls, in US dollars."""
    file: str
    """SHA-256 of the rows' file: JSON lines, zstd."""
    note: str
    created_at: datetime
    created_by: str

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from mainspring.evals.report import experiment_html

        return experiment_html(self)


class Judgement(Record):
    """One thing that a judge said."""

    step: str
    """The step of the scale; of a pair `A` for the answer, `B` for its opponent, whatever the order shown."""
    score: float
    """From 0 to 1."""
    reason: str
    swapped: bool = False
    """Whether the opponent of a pair was shown first."""
    trace_id: str = ""


class ExperimentRow(Record):
    """One row of an experiment."""

    row: str
    """Id of the dataset row."""
    repeat: int = 0
    """Which of the row's answers this is, from 0."""
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
    judgements: dict[str, list[Judgement]] = {}
    """What judges said of the answer, with their reasons, by metric."""
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
    """After Holm's correction for the metrics compared here: those of quality together, and those of speed and size."""
    test: str
    margin: float
    """Smallest difference that matters."""
    detectable: float | None
    """Smallest difference that this many rows show with 80 % power."""
    not_worse: bool | None
    """Whether the interval excludes being worse by the margin or more."""
    verdict: Verdict
    """Better or worse: the interval excludes zero, and `p_adjusted` is at most 1 - level."""
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
    note: str = ""
    """What to bear in mind, such as an experiment that its budget stopped."""
    metrics: list[MetricComparison]
    more: list[Comparison] = []
    """Of further candidates with the same baseline; intervals, verdicts and p-values are corrected for all of them."""

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from mainspring.evals.report import comparison_html

        return comparison_html(self)


class RowPlan(Record):
    """How many rows a paired comparison needs, or how small a difference it shows, reckoned beforehand."""

    basis: str
    """Where the variation is taken from."""
    level: float
    power: float
    """Chance to show the difference where it is there."""
    difference: float | None
    """As asked, in the metric's unit."""
    rows: int | None
    """As asked."""
    rows_needed: int | None
    """Rows, asked on both sides, that show the difference."""
    detectable: float | None
    """Smallest difference that the rows show."""
    sentence: str


class SuiteSettings(Record):
    """How a suite asks; null leaves it to the prompt, or to the usual."""

    constrained: bool = False
    limit: RowLimit | None = None
    max_tokens: MaxTokens | None = None
    temperature: Temperature | None = None
    seed: Seed = 0
    repeats: Repeats = 1


class Suite(Record):
    """One version of a suite: which rows are asked, how, and how answers are scored."""

    ref: str
    """`suite/name@number`."""
    name: str
    number: int
    sha256: str
    dataset: str
    """Exact reference."""
    split: SplitName
    scorers: list[str]
    settings: SuiteSettings
    note: str
    created_at: datetime
    created_by: str
    existed: bool = False
    """Whether the version was there before."""


class AlignedAnswer(Record):
    """One experiment's answer to a row."""

    experiment: str
    answer: str
    error: str
    trace_id: str
    scores: dict[str, float | None]


class AlignedRow(Record):
    """One row as several experiments answered it."""

    row: str
    repeat: int
    messages: list[dict[str, JSON]]
    """As the first experiment asked."""
    reference: JSON
    answers: list[AlignedAnswer]
    """In the order in which the experiments were named."""


class GivenRow(Record):
    """One row of an experiment that was made elsewhere."""

    row: Annotated[str, Field(min_length=1, max_length=500)]
    group: Annotated[str, Field(max_length=500)] = ""
    """Rows that belong together."""
    question: Annotated[str, Field(max_length=100_000)] = ""
    reference: JSON = None
    answer: Annotated[str, Field(max_length=100_000)] = ""
    error: Annotated[str, Field(max_length=500)] = ""
    trace_id: Annotated[str, Field(max_length=32)] = ""
    scores: Annotated[dict[Annotated[str, Field(min_length=1, max_length=200)], Finite], Field(max_length=50)]
    """By metric: the name of a scorer, or one's own name, then higher is better, or `penalty:name`, then lower is."""
