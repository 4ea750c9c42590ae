"""Records of governance: the gate's report, what a release came from and led to, cards."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from mainspring.evals.models import Seed
from mainspring.kernel.lineage import RowSource
from mainspring.kernel.records import Record

Licence = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Metric = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class AttackBound(Record):
    """What may come through of the attacks on a release."""

    most: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Of each family the largest share: the upper end of its interval must not be over it."""
    families: dict[Metric, Annotated[float, Field(ge=0, le=1)]] = Field(default={}, max_length=100)
    """By family, where it is another; these families must have been attacked."""
    packs: list[Metric] = Field(default=["own"], min_length=1, max_length=20)
    """Packs that the release must have been attacked with."""
    seed: Seed | None = None
    """Seed that the attacks must have been drawn with; null for any."""


class GatePolicy(Record):
    """What the gate asks of a release."""

    evidence: Literal["better", "not worse", "not shown worse"] = "better"
    """better: shown to be better on a metric, and worse on none. not worse: shown, on every metric that counts, not to
    be worse by the margin or more. not shown worse: nothing need be shown, and too few rows pass."""
    margins: dict[Metric, Annotated[float, Field(gt=0, le=1e15)]] = Field(default={}, max_length=50)
    """By metric, in its unit: how much worse matters; else what its scorer says."""
    metrics: list[Metric] = Field(default=[], max_length=50)
    """Metrics that count; none: those that both sides have, but for cost and speed."""
    licenses: list[Licence] = Field(default=[], max_length=200)
    """Licences that are accepted besides the permissive ones."""
    pii_rows: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Training rows that may hold personal data."""
    leakage: Annotated[float, Field(ge=0.3, le=1)] = 0.8
    """Jaccard similarity from which a row of the evidence counts as one that was trained on."""
    judges: list[Metric] = Field(default=[], max_length=20)
    """Judges whose word is evidence, such as `judge/helpful@3`; none: any that something pins, the same on both sides.
    """
    seed: Seed | None = None
    """Seed that both sides must have been asked with; null for any."""
    attacks: AttackBound | None = None
    """What may come through of attacks; null asks for none."""


class CheckResult(Record):
    """What one check of the gate found."""

    name: str
    passed: bool
    summary: str
    """One sentence."""
    detail: dict[str, Any] = {}


class GateReport(Record):
    """What the gate found about a release."""

    release: str
    passed: bool
    checks: list[CheckResult]
    policy: GatePolicy
    candidate: list[str]
    """Experiments of the release's own model."""
    baseline: list[str]
    """Experiments that it was compared with."""


class Node(Record):
    """A version that led to another, or came from it."""

    ref: str
    kind: str
    depth: int
    """Steps away from what was asked about."""
    run: str
    """The run that links it, or empty."""
    note: str = ""
    """For a deployment: its environment, and which part of it the release was."""


class NearRow(Record):
    """A training row that is near to a question."""

    dataset: str
    row_id: str
    similarity: float
    """Cosine of the embeddings, from -1 to 1."""
    text: str
    """Beginning of the row's question."""
    sources: list[RowSource]
    """What the row came from, and what that came from, back to files and traces."""


class Decision(Record):
    """An approval, a rejection or a withdrawal."""

    release: str
    kind: str
    member: str
    at: datetime
    note: str


class RunFacts(Record):
    """A run that made one of the versions."""

    id: str
    kind: str
    state: str
    created_by: str
    created_at: datetime
    outputs: list[str]


class Answer(Record):
    """A traced answer of a model."""

    trace_id: str
    at: datetime
    question: str
    answer: str
    deployment: str
    release: str
    prompt: str
    model: str


class Lineage(Record):
    """What something came from, and what it led to."""

    ref: str
    answer: Answer | None = None
    """For a trace: the answer itself."""
    upstream: list[Node]
    """Versions that it came from, nearest first."""
    downstream: list[Node]
    """Versions and deployments that it led to, nearest first."""
    runs: list[RunFacts]
    """Runs that made any of these."""
    decisions: list[Decision]
    """What was decided about the releases among these."""
    nearest: list[NearRow]
    """For a trace: the training rows whose questions are nearest to its question."""
    embedding: str = ""
    """Name of the embedding model that `nearest` was found with."""


class Document(Record):
    """A text about a release."""

    ref: str
    media_type: str
    text: str


class AuditRow(Record):
    """One row of the audit log."""

    seq: int
    at: datetime
    project: str
    member: str
    key_id: str
    action: str
    target: str
    outcome: str
    detail: dict[str, Any]
