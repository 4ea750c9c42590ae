"""Records of the traces room: what its operations return."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, StringConstraints, model_validator

from mainspring.kernel.errors import Invalid
from mainspring.kernel.records import Record
from mainspring.kernel.spans import SessionSummary, Span, SpanLine, TraceSummary
from mainspring.traces.pricing import Price

TraceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""32 lower-case hex digits."""
SpanId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
"""16 lower-case hex digits."""
Word = Annotated[str, StringConstraints(max_length=512)]
Status = Literal["unset", "ok", "error", "running", "unfinished"]
"""`running` where the end has not arrived yet; `unfinished` where it has not for longer than any call takes."""
Source = Literal["human", "code", "model"]
ROUTE = "route"
"""Kind of the span above several attempts at one call: how it ended is how the call did."""


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
    def of(cls, line: TraceSummary, awaited_ns: int = 0) -> TraceLine:
        """Make the record of what the span store says; what runs since before `awaited_ns` is unfinished."""
        own = ("started_at", "status")
        values: dict[str, Any] = {name: getattr(line, name) for name in cls.model_fields if name not in own}
        return cls(started_at=moment(line.start_ns), status=shown(line, awaited_ns), **values)


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
    def of(cls, span: Span, awaited_ns: int = 0) -> SpanDetail:
        """Make the record of a stored span; one that runs since before `awaited_ns` is unfinished."""
        own = ("started_at", "start_ns", "duration_ms", "status")
        values: dict[str, Any] = {name: getattr(span, name) for name in cls.model_fields if name not in own}
        return cls(
            started_at=moment(span.start_ns),
            start_ns=str(span.start_ns),
            duration_ms=(span.end_ns - span.start_ns) / 1e6,
            status=shown(span, awaited_ns),
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
    """A trace: its spans in order of start, and its newest scores."""

    trace_id: str
    started_at: datetime
    duration_ms: float
    status: Status
    spans: list[SpanDetail]
    scores: list[Score]
    """At most 100, the newest of them, in order of time."""
    older_scores: str | None = None
    """Where older ones begin, as a cursor of `score list --trace-id`; null where these are all."""
    next_cursor: str | None
    """Where its spans go on; null where they end here."""


class Erased(Record):
    """What an erasure removed."""

    spans: int
    scores: int


class SampleRule(Record):
    """Which share of some traces is kept. A pattern may hold `*` and `?`."""

    rate: float = Field(ge=0.0, le=1.0, allow_inf_nan=False)
    """From 0, none, to 1, all. A trace that is kept at a rate is kept at every higher one, in every service."""
    environment: Word = ""
    service: Word = ""
    kind: Word = ""


class MaskRule(Record):
    """What is taken out of spans before anything is written."""

    fields: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(min_length=1, max_length=100)
    """Patterns of `input`, `output`, `name`, `status_message`, `user_id`, `session_id`, `attributes.KEY`,
    `resource.KEY`, `events.KEY` and `links.KEY`; `*` is all of them."""
    action: Literal["drop", "mask", "hash"] = "mask"
    """`drop` removes the field, `mask` what detectors find in it, `hash` puts a keyed hash in its place, which is the
    same for the same text."""
    detectors: list[Literal["pii", "secrets", "terms"]] = Field(default=["pii", "secrets"], min_length=1, max_length=3)
    """What `mask` looks for."""
    kinds: list[Annotated[str, StringConstraints(max_length=64)]] = Field(default=[], max_length=64)
    """Kinds of hit that are masked, such as `email`; empty for all."""
    terms: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(default=[], max_length=1000)
    """Words and phrases that the detector `terms` masks."""

    @model_validator(mode="after")
    def _checked(self) -> Self:
        roots = ("input", "output", "name", "status_message", "user_id", "session_id")
        for field in self.fields:
            if field not in roots and not field.startswith(("attributes.", "resource.", "events.", "links.", "*")):
                raise Invalid(
                    f"A mask rule has the field '{field}'.",
                    hint=f"It is one of {', '.join(roots)}, attributes.KEY, resource.KEY, events.KEY, links.KEY or *.",
                )
        if ("terms" in self.detectors) != bool(self.terms):
            raise Invalid("The detector terms and a list of terms go together.", hint="Give both or neither.")
        return self


class CaptureRules(Record):
    """What of the spans that applications send is kept. Whatever changes holds within 5 seconds."""

    sample: list[SampleRule] = Field(default=[], max_length=100)
    """The first that fits a span counts; one that none fits is kept."""
    keep_errors: bool = True
    """Keep the spans of a trace in which one failed, whatever its rate: those of the same request, and those after."""
    keep_slower_ms: float | None = Field(default=None, ge=0, le=1e12, allow_inf_nan=False)
    """Keep the spans of a trace in which one took as long, in the same way."""
    mask: list[MaskRule] = Field(default=[], max_length=100)
    """All are applied, in order."""


class Capture(CaptureRules):
    """The rules in force, and who set them."""

    changed_at: datetime | None
    changed_by: str


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
    """Within a fifth: from counts in buckets whose edges are a fifth apart."""
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
    """The newest 1,000 of those of the session and of these traces, in order of time."""


class Estimate(Record):
    """What a call would cost."""

    cost: float
    """US dollars, rounded up to a billionth."""
    exact: str
    """US dollars to the last digit."""
    price: Price
    """What it was computed from."""


class RetentionRule(Record):
    """How long some of the project's traces are kept, in place of the rest's time."""

    days: int = Field(ge=0, le=36_500)
    """0: for ever."""
    environment: Word = ""
    """Traces of this environment; empty for any."""
    kind: Word = ""
    """Traces whose root is of this kind; empty for any."""
    bad: bool = False
    """Only traces in which something failed, or that have a low score."""
    scores: list[Word] = Field(default=[], max_length=20)
    """Of `bad`: names of the scores that count; empty for all."""
    at_most: float = Field(default=0.5, ge=-1e15, le=1e15, allow_inf_nan=False)
    """Of `bad`: a number at most this is low."""
    labels: list[Word] = Field(default=["bad", "down", "negative", "wrong"], max_length=20)
    """Of `bad`: labels that are as low."""
    share: float = Field(default=1.0, gt=0.0, le=1.0, allow_inf_nan=False)
    """Only such a share of them, told by their ids: those that sampling at one less this share would leave out."""


class Retention(Record):
    """How long the project's traces are kept."""

    days: int
    """0: for ever."""
    rules: list[RetentionRule] = []
    """The first that fits a trace counts in place of `days`."""
    changed_at: datetime | None
    changed_by: str


def shown(stored: Span | SpanLine | TraceSummary, awaited_ns: int) -> Status:
    """Return the status to show: an end that was not there before `awaited_ns` is not waited for any more."""
    if stored.status == "running" and stored.start_ns < awaited_ns:
        return "unfinished"
    return cast(Status, stored.status)


def moment(nanoseconds: int) -> datetime:
    """Return a Unix time in nanoseconds as an aware moment in UTC; what no calendar holds becomes its end."""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC)


_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)


def aware(at: datetime | None) -> datetime | None:
    """Return a moment in UTC, within the years 1 to 9999; one without a time zone is taken as UTC."""
    if at is None or not at.tzinfo:
        return at and at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return _FIRST if at.year == 1 else _LAST


def nanoseconds(at: datetime | None) -> int:
    """Return a moment as Unix time in nanoseconds, within what 63 bits hold (1970 to 2262); 0 for none.

    One without a time zone is taken as UTC.
    """
    if at is None:
        return 0
    utc = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0, int(utc.timestamp() * 1_000_000) * 1000), (1 << 63) - 1)
