"""Records of improvement areas."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mainspring.kernel.records import Record
from mainspring.monitoring.attacks.models import DayCount

IssueState = Literal["open", "acknowledged", "fixed", "ignored"]
Word = Annotated[str, StringConstraints(max_length=300)]
IssueId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]


class FindSettings(Record):
    """How areas are looked for."""

    scores: Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=128)]], Field(max_length=20)] = []
    """Names of scores that count; empty for all, but for those of scorers whose low values are good."""
    bad_at_most: float = 0.5
    """A number at most this is bad."""
    bad_labels: Annotated[list[Word], Field(max_length=20)] = ["bad", "down", "negative", "wrong"]
    errors: bool = True
    """Whether calls that failed count."""
    tools: bool = True
    """Whether tools that failed count, also in traces that ended well."""
    days: Annotated[float, Field(gt=0, le=90)] = 7.0
    """How far back traces are looked at."""
    limit: Annotated[int, Field(ge=20, le=2000)] = 1000
    """The newest bad traces that are looked at, and the newest others that they are held against."""
    near: Annotated[float, Field(ge=0.1, le=0.95)] = 0.5
    """Mean cosine from which traces belong together."""
    least: Annotated[int, Field(ge=2, le=1000)] = 3
    """Traces that make an area."""
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Chance that at one look any area at all is falsely shown to do worse."""


class Effect(Record):
    """How much worse calls like those of an area do than the others: all that ask alike, not the bad ones only.

    Only calls count that had no part in finding the area: those of the half that no area is found by, and those since.
    """

    metric: str
    """The score, or `errors`."""
    inside: float | None
    """Mean over the calls that ask alike."""
    outside: float | None
    difference: float | None
    low: float | None
    """Null where no method holds its level on so few calls; `note` says why."""
    high: float | None
    level: float = 0.95
    """With which the intervals of all areas measured at this look hold together."""
    n_inside: int
    """Of a session one call counts."""
    n_outside: int
    method: str = ""
    p_value: float | None = None
    """Two-sided, of no difference."""
    p_adjusted: float | None = None
    """After Holm's correction for all areas measured at this look."""
    test: str = ""
    areas: int = 0
    """How many areas were measured at this look."""
    shown: bool = False
    """Whether these calls are shown to do worse: the interval excludes zero, and `p_adjusted` is at most 1 - level."""
    note: str = ""


class IssueExample(Record):
    """A trace of an area."""

    trace_id: str
    at: datetime
    release: str
    value: float | None
    """The score; null for a call that failed."""
    question: str
    """The beginning, as it was stored."""
    answer: str
    """The beginning of the answer, or of the error."""
    comment: str
    """What was said of it."""


class IssueTrace(Record):
    """A trace that belongs to an area."""

    trace_id: str
    at: datetime
    release: str
    value: float | None


class IssueEvent(Record):
    """What happened to an area."""

    kind: str
    """`opened`, `shown`, `acknowledged`, `fixed`, `ignored` or `reopened`."""
    at: datetime
    member: str
    note: str


class Issue(Record):
    """An improvement area: traces that went wrong in much the same way."""

    id: str
    name: str
    words: list[str]
    state: IssueState
    why: Literal["errors", "scores", "tools"]
    """Calls failed, answers scored low, or a tool failed."""
    score: str
    """The score that most of its traces were bad at; empty for errors and tools."""
    tool: str
    """The tool that failed; empty for errors and scores."""
    target: str
    environment: str
    count: int
    first_at: datetime
    last_at: datetime
    days: list[DayCount]
    """Traces by the day (UTC) on which they began, of the last 90 days."""
    effect: Effect | None
    """Null for tools: what a tool meets depends on what it is asked, and not on what the user asks."""
    release: str
    """The release that is said to have fixed it."""
    fixed_at: datetime | None
    reopened: int
    """How often it came back."""
    note: str
    created_at: datetime
    changed_at: datetime


class IssueDetail(Issue):
    """An area with examples and its history."""

    examples: list[IssueExample]
    releases: dict[str, int]
    """Traces by the release that answered."""
    events: list[IssueEvent]
    """Newest first."""


class Found(Record):
    """What a search found."""

    looked_at: int
    """Bad traces of the time."""
    fresh: int
    """Of these, traces that were in no area yet."""
    joined: int
    """Traces that joined an area that was there."""
    opened: list[str]
    """Ids of new areas."""
    reopened: list[str]
    """Ids of areas that were fixed and came back."""
    shown: list[str]
    """Ids of areas whose calls are shown to do worse than the others, after correction for all areas."""
    alone: int
    """Traces that resemble too few others to make an area."""


class Search(Record):
    """A search for areas that is repeated."""

    id: str
    target: str
    environment: str
    settings: FindSettings
    every_minutes: int
    enabled: bool
    due_at: datetime
    run_id: str
    """Its last run; empty before the first."""
    created_at: datetime
    created_by: str
