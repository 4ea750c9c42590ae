"""Operations on guard policies that need the traffic: the room below knows no traces."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, Record, decode_cursor, encode_cursor
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.safety import service
from mainspring.safety.models import Stage
from mainspring.traces import moment, nanoseconds

_LOOKED_AT = 5000
"""Spans that one page goes through: reading one takes some ten microseconds."""
_UNGUARDED = "!span,chain,execute_tool,retrieval,retriever,invoke_agent,invoke_workflow"
"""Kinds of spans that no guard writes to: a trace of very many of them hides no call."""
_WEEK = timedelta(days=7)
Action = Literal["log", "mask", "block"]
Word = Annotated[str, Field(max_length=512)]


class GuardFinding(Record):
    """One thing that a guard found in a call; never its text."""

    stage: Stage
    source: str
    """Where in a request it stood, such as `user` or `tool`; empty in an answer."""
    detector: str
    kind: str
    score: float


class GuardedCall(Record):
    """A call in which a guard found something."""

    trace_id: str
    span_id: str
    started_at: datetime
    guard: str
    """The exact version of the policy."""
    action: Action
    """The strongest that was done."""
    milliseconds: float
    """What the guard took."""
    environment: str
    deployment: str
    release: str
    model: str
    findings: list[GuardFinding]


class Guards(service.Guards):
    """Guard policies, trying them on a text, and what they found in the traffic."""

    @operation("GET /guards/{name}/hits", permission="trace.read", mcp=True)
    def hits(
        self,
        name: Name,
        *,
        version: Annotated[int, Field(ge=0)] = 0,
        action: Action | None = None,
        detector: Word = "",
        stage: Stage | None = None,
        environment: Word = "",
        deployment: Word = "",
        release: Word = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[GuardedCall]:
        """List calls of the last 7 days, or of the time given, in which a guard policy found something, newest first.

        A page looks through 5,000 spans, so that it may hold fewer hits than its limit, or none, with more behind its
        cursor. `version` 0 stands for all of the policy's versions.
        """
        with self.read() as tx:
            versions.resolve(tx, f"guard/{name}@{version}" if version else f"guard/{name}")
        mine = f"guard/{name}@{version or ''}"
        oldest = self.platform.clock.now() - _WEEK
        where = SpanFilter(
            environment=environment, deployment=deployment, release=release,
            since_ns=nanoseconds(since or oldest), until_ns=nanoseconds(until), kind=_UNGUARDED,
        )  # fmt: skip
        found: list[GuardedCall] = []
        place = _Place(cursor, nanoseconds(until))
        for span in place.spans(self, where):
            guard = str(span.attributes.get("mainspring.guard", ""))
            if not (guard == mine if version else guard.startswith(mine)):
                continue
            call = _call(span, guard)
            if call is not None and _wanted(call, action, detector, stage):
                found.append(call)
                if len(found) == limit:
                    break
        return Page[GuardedCall](items=found, next_cursor=place.following())


class _Place:
    """How far a list has come: the moment of the last span that was looked at, and how many of that moment were."""

    def __init__(self, cursor: str, until_ns: int) -> None:
        self._at, self._seen = _parts(cursor) if cursor else (max(0, until_ns - 1), 0)
        self._more = False

    def spans(self, guards: Guards, where: SpanFilter) -> Iterator[Span]:
        """Yield the spans of one page, newest first."""
        before = self._at + 1 if self._at else 0
        skipped = self._seen
        where = SpanFilter(**{name: getattr(where, name) for name in where.__struct_fields__} | {"until_ns": before})
        scanned = guards.platform.spans.scan(guards.caller.project, where, limit=skipped + _LOOKED_AT + 1)
        for number, span in enumerate(scanned):
            if number < skipped:
                continue
            # True as long as the page is left off here: there is this one at least.
            self._more = True
            if number == skipped + _LOOKED_AT:
                return
            self._seen = self._seen + 1 if span.start_ns == self._at else 1
            self._at = span.start_ns
            yield span
        self._more = False

    def following(self) -> str | None:
        """Return the cursor of the next page; None at the end."""
        return encode_cursor(f"{self._at}:{self._seen}") if self._more else None


def _parts(cursor: str) -> tuple[int, int]:
    moment_, _, seen = decode_cursor(cursor).partition(":")
    try:
        at, many = int(moment_), int(seen)
    except ValueError:
        at = many = -1
    if not (0 < at < 1 << 63 and 0 < many <= 100_000):
        raise Invalid("The cursor is not valid.", hint="Use next_cursor of the page before, unchanged.")
    return at, many


def _call(span: Span, guard: str) -> GuardedCall | None:
    """Return what a span says of its guard; None where that is nothing, or not in the form that the gateway writes."""
    said: dict[str, Any] = span.attributes
    hits = said.get("mainspring.guard.hits")
    if not isinstance(hits, list) or not hits:
        return None
    try:
        return GuardedCall.model_validate({
            "trace_id": span.trace_id, "span_id": span.span_id, "started_at": moment(span.start_ns), "guard": guard,
            "action": said.get("mainspring.guard.action"), "milliseconds": said.get("mainspring.guard.ms", 0.0),
            "environment": span.environment, "deployment": span.deployment, "release": span.release,
            "model": span.model, "findings": [{"source": "", **hit} for hit in hits],
        })  # fmt: skip
    except (TypeError, ValidationError):
        return None


def _wanted(call: GuardedCall, action: Action | None, detector: str, stage: Stage | None) -> bool:
    if action is not None and call.action != action:
        return False
    return any(
        (not detector or finding.detector == detector) and (stage is None or finding.stage == stage)
        for finding in call.findings
    )
