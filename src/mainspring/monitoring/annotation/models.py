"""Records of annotation: queues, their questions, what reviewers see and say, and how they agree."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from mainspring.kernel.records import Name, Record
from mainspring.traces.models import Score, TraceId

QuestionKind = Literal["thumbs", "label", "number", "text", "correction"]
ItemState = Literal["open", "done", "disputed", "skipped"]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Long = Annotated[str, StringConstraints(max_length=20_000)]
Answer = float | Long
"""Of thumbs 0 or 1, of a number the number, else the label or the text."""
Answers = Annotated[dict[Name, Answer], Field(max_length=20)]
"""By the question's name."""


class Question(Record):
    """One thing that reviewers say of each item; its name is that of the score which follows."""

    name: Name
    kind: QuestionKind
    text: Annotated[str, StringConstraints(max_length=2000)] = ""
    """What is asked, in words."""
    labels: Annotated[list[Label], Field(max_length=20)] = []
    """Of kind `label`: what may be chosen, from worst to best where they are `ordered`."""
    ordered: bool = False
    low: Annotated[float, Field(ge=-1e6, le=1e6)] = 1.0
    """Of kind `number`: the smallest."""
    high: Annotated[float, Field(ge=-1e6, le=1e6)] = 5.0
    tolerance: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    """Of kind `number`: how far apart reviewers may lie without a dispute; the result is their mean."""
    required: bool = True


class Progress(Record):
    """How far a queue is."""

    items: int
    open: int
    done: int
    disputed: int
    skipped: int
    reviews: int
    """How many times a reviewer has judged an item."""
    mine: int
    """How many of them are the caller's."""


class Queue(Record):
    """Traces that wait for people's judgement."""

    name: str
    rubric: str
    questions: list[Question]
    reviewers: int
    """How many judge each item."""
    members: list[str]
    """Who may review; empty for everybody whose role allows it."""
    state: Literal["open", "closed"]
    created_at: datetime
    created_by: str
    progress: Progress


class Item(Record):
    """A trace in a queue."""

    id: str
    queue: str
    trace_id: str
    span_id: str
    """The span that is judged; empty for the trace."""
    state: ItemState
    why: str
    """Why it is here, as whoever put it here says."""
    reviews: int
    final: dict[str, Answer] | None
    """What was settled; null until then."""
    added_at: datetime
    added_by: str


class Review(Record):
    """What one reviewer said of an item."""

    item_id: str
    reviewer: str
    answers: dict[str, Answer]
    comment: str
    skipped: bool
    adjudication: bool
    """Whether it settles a dispute."""
    at: datetime


class Work(Record):
    """An item as its reviewer sees it, without what others said of it."""

    item: Item
    rubric: str
    questions: list[Question]
    input: Any
    """Messages in, as the span holds them."""
    output: Any
    model: str
    release: str
    held_until: datetime
    """Until then nobody else is given this place."""
    given: dict[str, Answer] | None
    """What the caller said of it before, where it is taken up again."""


class Settled(Record):
    """What became of an item by a review."""

    item: Item
    scores: list[Score]
    """The scores that follow where it is done."""


class Added(Record):
    """What was put into a queue."""

    added: int
    known: int
    """Of what was named: in the queue already."""
    missing: list[str]
    """Traces that do not exist, at most 100 of them."""


class Pair(Record):
    """How two reviewers agree on what both judged."""

    first: str
    second: str
    n: int
    share: float
    """Of the items on which both said the same."""
    kappa: float | None
    """Cohen's; weighted by squares where steps have an order."""
    low: float | None
    high: float | None


class QuestionAgreement(Record):
    """How reviewers agree on a question."""

    question: str
    kind: QuestionKind
    units: int
    """Items that two or more judged."""
    alpha: float | None
    """Krippendorff's, 1 for full agreement and 0 for what chance gives; null where all said one and the same thing."""
    alpha_low: float | None
    """95 % interval; null where there is too little to say."""
    alpha_high: float | None
    fleiss: float | None
    """Fleiss' kappa over the items that as many judged as the queue asks for."""
    fleiss_low: float | None
    fleiss_high: float | None
    pairs: list[Pair]
    note: str


class AgreementReport(Record):
    """How the reviewers of a queue agree."""

    queue: str
    questions: list[QuestionAgreement]


class Share(Record):
    """A link for somebody without a key."""

    path: str
    """Of the page, below the server's address; whoever holds it may review this queue and nothing else."""
    reviewer: str
    expires_at: datetime


TraceIds = Annotated[list[TraceId], Field(min_length=1, max_length=1000)]
