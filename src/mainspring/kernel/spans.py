"""Span: one timed operation of a trace, with its frequent OpenTelemetry GenAI fields promoted to columns."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SpanStatus = Literal["unset", "ok", "error", "running"]
"""`running`: its end has not arrived; the same span, ended, replaces it."""


class Span(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One span as it is stored; attributes that are promoted to fields do not stand in `attributes` again."""

    trace_id: str
    """32 lower-case hex digits."""
    span_id: str
    """16 lower-case hex digits."""
    parent_id: str = ""
    """The parent's span id, or empty for a root."""
    project: str
    """Name of the project that the key which sent it is bound to."""
    environment: str = ""
    name: str = ""
    kind: str = "span"
    """`gen_ai.operation.name` (chat, embeddings, execute_tool, retrieval, …) where known, else "span"."""
    service: str = ""
    """`service.name` of the resource."""
    start_ns: int
    """Unix time in nanoseconds."""
    end_ns: int
    """Unix time in nanoseconds; not before `start_ns`."""
    status: SpanStatus = "unset"
    status_message: str = ""
    model: str = ""
    """`gen_ai.response.model`, else `gen_ai.request.model`."""
    provider: str = ""
    deployment: str = ""
    release: str = ""
    """Reference of the release that answered, such as `release/docs@2`."""
    prompt: str = ""
    """Reference of the prompt version, such as `prompt/docs@3`."""
    session_id: str = ""
    user_id: str = ""
    input_tokens: int | None = None
    """Tokens in, cached ones included."""
    output_tokens: int | None = None
    """Tokens out, reasoning ones included."""
    cached_tokens: int | None = None
    cost: float | None = None
    """US dollars."""
    ttft_ms: float | None = None
    """Time to the first token of a stream, in milliseconds."""
    input: Any = None
    """Messages in, as `[{role, parts: [{type, content}]}]`, or any JSON value; None where capture is off."""
    output: Any = None
    attributes: dict[str, Any] = {}
    resource: dict[str, Any] = {}
    events: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []


class AttributeTest(msgspec.Struct, frozen=True):
    """What one attribute of a span must be."""

    key: str
    """Looked up in the span's attributes, then in its resource; dots also lead into what is nested."""
    op: Literal["=", "!=", "<", "<=", ">", ">=", "~", "has", "lacks"]
    """`~`: its text holds the value, whatever the case. Of a list, one item must pass; `<` wants numbers."""
    value: str = ""
    field: str = ""
    """The field of `Span` that says the same, for where the attribute is promoted."""


class SpanFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a list is narrowed by; empty does not. `!a,b` leaves words out (not ids, names and status)."""

    environment: str = ""
    model: str = ""
    deployment: str = ""
    release: str = ""
    session_id: str = ""
    user_id: str = ""
    status: str = ""
    service: str = ""
    name: str = ""
    since_ns: int = 0
    until_ns: int = 0
    min_duration_ms: float = 0.0
    query: str = ""
    """Words that must all stand in the trace's text."""
    kind: str = ""
    prompt: str = ""
    trace_ids: tuple[str, ...] = ()
    """Only these traces, where any are given."""
    attributes: tuple[AttributeTest, ...] = ()
    """One span of the trace must pass all of them."""


class TraceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list of traces: the root span and the totals of the whole trace."""

    trace_id: str
    name: str
    kind: str
    start_ns: int
    duration_ms: float
    status: str
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
    input_preview: str
    output_preview: str


class SpanLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A span without its texts and attributes: a row of the tree of a trace."""

    span_id: str
    parent_id: str
    name: str
    kind: str
    service: str
    start_ns: int
    end_ns: int
    status: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    says: bool
    """Whether it has an input or an output."""


class SessionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list of sessions: the traces that carry the same `session_id`."""

    session_id: str
    user_id: str
    first_ns: int
    last_ns: int
    traces: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost: float


class UserSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list of users: the traces that carry the same `user_id`."""

    user_id: str
    first_ns: int
    """When the first of the traces began."""
    last_ns: int
    """When the last of them began."""
    traces: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost: float


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of one hour of model calls and other spans that share every dimension named here."""

    hour_ns: int
    """Start of the hour, Unix time in nanoseconds."""
    environment: str
    deployment: str
    release: str
    model: str
    kind: str
    spans: int
    errors: int
    roots: int
    """Spans without a parent: the traces that began in this hour."""
    input_tokens: int
    output_tokens: int
    cost: float
    duration_ms: float
    """Sum over the spans."""
    latencies: dict[int, int]
    """Count of spans by latency bucket: bucket k holds durations in [1.2**k, 1.2**(k+1)) milliseconds."""


class CallTotals(msgspec.Struct, kw_only=True):
    """Sums of the model calls of one step of time and one group."""

    at_ns: int
    """When the step begins."""
    group: str | None
    """None for what is not among the groups with most calls."""
    calls: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: float = 0.0
    masked: int = 0
    blocked: int = 0
    hits: int = 0
    """Answered from a cache, of the `lookups` in one."""
    lookups: int = 0
    failed_attempts: int = 0
    """Attempts at routed calls after which another candidate was asked; of `calls` and `errors` they are none."""
    latencies: dict[int, int] = msgspec.field(default_factory=dict)
    """Counts by latency bucket, as in `Usage`."""
    first_tokens: dict[int, int] = msgspec.field(default_factory=dict)
    """The same of the times to the first token."""
