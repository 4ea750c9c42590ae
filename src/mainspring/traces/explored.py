"""Records of what explores traces: counts over time, outlines, conversations, users, comments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mainspring.kernel.records import Record
from mainspring.kernel.spans import UserSummary
from mainspring.traces.models import Score, Status, TraceDetail, TraceLine, moment


class ExportedTrace(TraceDetail):
    """A whole trace, as a line of an export: all its spans and all its scores."""

    scores: list[Score]
    older_scores: None = None
    next_cursor: str | None
    """On the last line of a page: where an export goes on after it; null elsewhere and at the end."""


class SpanColumns(Record):
    """The spans of a trace in order of start, a list for each thing that is said of them."""

    span_id: list[str]
    parent: list[int]
    """The parent's place in these lists; -1 for a root, and where the parent is not here."""
    name: list[str]
    kind: list[str]
    service: list[str]
    start_ms: list[float]
    """Since the start of the trace."""
    duration_ms: list[float]
    status: list[Status]
    model: list[str]
    input_tokens: list[int | None]
    output_tokens: list[int | None]
    cost: list[float | None]
    says: list[bool]
    """Whether the span has an input or an output."""


class Outline(Record):
    """A trace without the texts and attributes of its spans, and its newest scores."""

    trace_id: str
    started_at: datetime
    duration_ms: float
    status: Status
    spans: SpanColumns
    scores: list[Score]
    """At most 100, the newest of them, in order of time."""
    older_scores: str | None = None
    """Where older ones begin, as a cursor of `score list --trace-id`; null where these are all."""


class TimeBin(Record):
    """Traces that began within a bin of time."""

    start: datetime
    traces: int | None
    """Null where there was no time to count."""
    errors: int | None


class Histogram(Record):
    """Traces over time, oldest first, in bins of equal width."""

    since: datetime
    until: datetime
    bins: list[TimeBin]
    complete: bool
    """Whether every trace that matches was counted."""


class Comment(Record):
    """What a member wrote about a trace, or a span of it."""

    id: str
    trace_id: str
    span_id: str
    text: str
    created_at: datetime
    created_by: str


class Turn(Record):
    """One trace of a conversation: what was said in it."""

    trace: TraceLine
    span_id: str
    """The span that said it; empty where none says anything."""
    input: Any
    """What came in since the answer before: of a list of messages, those after the last of the assistant."""
    output: Any
    cut: bool
    """Whether something was too long to be given whole."""


class UserLine(Record):
    """One line of a list of users: the traces that carry the same `user_id`."""

    user_id: str
    first_at: datetime
    last_at: datetime
    """When the last of the traces began."""
    traces: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost: float

    @classmethod
    def of(cls, line: UserSummary) -> UserLine:
        """Make the record of what the span store says."""
        values: dict[str, Any] = {
            name: getattr(line, name) for name in cls.model_fields if name not in ("first_at", "last_at")
        }
        return cls(first_at=moment(line.first_ns), last_at=moment(line.last_ns), **values)
