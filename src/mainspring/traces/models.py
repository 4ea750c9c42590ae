"""Records of the traces room: what its operations return."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from mainspring.kernel.records import Record
from mainspring.kernel.spans import SessionSummary, Span, TraceSummary
from mainspring.traces.pricing import Price

TraceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""32 lower-case hex digits."""
SpanId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
"""16 lower-case hex digits."""
Word = Annotated[str, StringConstraints(max_length=512)]
Status = Literal["unset", "ok", "error"]
Source = Literal["human", "code", "model"]


class TraceLine(Record):
    """One line of a list of traces: its root and the totals of all its spans."""

    trace_id: str
    name: str
    kind: str
    started_at: datetime
    duration_ms: float
    status: Status
    environment: str
    service: str
    model: str
    deployment: str
    release: str
    session_id: str
    user_id: str
    spans: int
    input_tokens: int
    output_tokens: int
    cost: float
    """US dollars."""
    input_preview: str
    output_preview: str

    @classmethod
    def of(cls, line: TraceSummary) -> TraceLine:
        """Make the record of what the span store says."""
        values: dict[str, Any] = {name: getattr(line, name) for name in cls.model_fields if name != "started_at"}
        return cls(started_at=moment(line.start_ns), **values)


class SpanDetail(Record):
    """One span of a trace."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    environment: str
    service: str
    started_at: datetime
    start_ns: str
    """Unix time in nanoseconds, as text, since not every reader of JSON has such large integers."""
    duration_ms: float
    status: Status
    status_message: str
    model: str
    provider: str
    deployment: str
    release: str
    prompt: str
    session_id: str
    user_id: str
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cost: float | None
    """US dollars; null where no price is known."""
    ttft_ms: float | None
    input: Any
    output: Any
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: list[dict[str, Any]]
    links: list[dict[str, Any]]

    @classmethod
    def of(cls, span: Span) -> SpanDetail:
        """Make the record of a stored span."""
        own = ("started_at", "start_ns", "duration_ms")
        values: dict[str, Any] = {name: getattr(span, name) for name in cls.model_fields if name not in own}
        return cls(
            started_at=moment(span.start_ns),
            start_ns=str(span.start_ns),
            duration_ms=(span.end_ns - span.start_ns) / 1e6,
            **values,
        )


class Score(Record):
    """A judgement of a trace, a span or a session: by a person, by code or by a model."""

    id: str
    name: str
    number: float | None
    label: str | None
    comment: str
    correction: str
    """What the answer should have been; empty where nobody said."""
    source: Source
    trace_id: str
    span_id: str
    session_id: str
    created_at: datetime
    created_by: str


class TraceDetail(Record):
    """A whole trace: its spans in order of start, and its scores."""

    trace_id: str
    started_at: datetime
    duration_ms: float
    status: Status
    spans: list[SpanDetail]
    scores: list[Score]


class Erased(Record):
    """What an erasure removed."""

    spans: int
    scores: int


class UsageHour(Record):
    """Totals of one hour, or of the whole time asked for, of spans that share what is named here."""

    hour: datetime
    environment: str
    deployment: str
    release: str
    model: str
    kind: str
    spans: int
    errors: int
    traces: int
    """Spans without a parent."""
    input_tokens: int
    output_tokens: int
    cost: float
    mean_ms: float
    p50_ms: float
    """Within a tenth: from counts in buckets whose edges are a fifth apart."""
    p95_ms: float


class SessionLine(Record):
    """One line of a list of sessions."""

    session_id: str
    user_id: str
    first_at: datetime
    last_at: datetime
    traces: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost: float

    @classmethod
    def of(cls, line: SessionSummary) -> SessionLine:
        """Make the record of what the span store says."""
        values: dict[str, Any] = {
            name: getattr(line, name) for name in cls.model_fields if name not in ("first_at", "last_at")
        }
        return cls(first_at=moment(line.first_ns), last_at=moment(line.last_ns), **values)


class SessionDetail(Record):
    """A session: its totals, its last traces (at most 200, newest first) and its scores."""

    session: SessionLine
    traces: list[TraceLine]
    scores: list[Score]


class Estimate(Record):
    """What a call would cost."""

    cost: float
    """US dollars, rounded up to a billionth."""
    exact: str
    """US dollars to the last digit."""
    price: Price
    """What it was computed from."""


class Retention(Record):
    """How long the project's traces are kept."""

    days: int
    """0: for ever."""
    changed_at: datetime | None
    changed_by: str


def moment(nanoseconds: int) -> datetime:
    """Return a Unix time in nanoseconds as an aware moment in UTC; what no calendar holds becomes its end."""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC)


def aware(at: datetime | None) -> datetime | None:
    """Return a moment with its time zone; one without is taken as UTC."""
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


def nanoseconds(at: datetime | None) -> int:
    """Return a moment as Unix time in nanoseconds, within what 63 bits hold (1970 to 2262); 0 for none.

    One without a time zone is taken as UTC.
    """
    if at is None:
        return 0
    utc = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0, int(utc.timestamp() * 1_000_000) * 1000), (1 << 63) - 1)
