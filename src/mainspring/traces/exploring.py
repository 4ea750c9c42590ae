"""Operations that look at many traces at once, or at one of many spans."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

from pydantic import Field

from mainspring.kernel import audit
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, decode_cursor, encode_cursor
from mainspring.kernel.service import Service
from mainspring.kernel.spans import SpanFilter
from mainspring.traces import attributes, choosing
from mainspring.traces import scores as score_store
from mainspring.traces.attributes import Attributes
from mainspring.traces.choosing import Milliseconds, Number
from mainspring.traces.explored import ExportedTrace, Histogram, Outline, SpanColumns
from mainspring.traces.models import SpanDetail, SpanId, Status, TraceId, Word, moment, nanoseconds, shown
from mainspring.traces.tables import scores

_EXPORTED = 50
Bins = Annotated[int, Field(ge=1, le=200)]
Many = Annotated[int, Field(ge=1, le=100_000)]


class Exploring(Service):
    """Counts over time, whole traces for another tool, and the outline of a large one."""

    noun = "trace"

    @operation("GET /traces/histogram", permission="trace.read", mcp=True)
    def histogram(
        self, *, environment: Word = "", deployment: Word = "", release: Word = "", model: Word = "",
        prompt: Word = "", session_id: Word = "", user_id: Word = "", service: Word = "", name: Word = "",
        kind: Word = "", status: Status | None = None, score: Word = "", score_at_most: Number | None = None,
        score_at_least: Number | None = None, since: datetime | None = None, until: datetime | None = None,
        min_duration_ms: Milliseconds = 0.0, query: Word = "", attribute: Attributes = None, bins: Bins = 60,
    ) -> Histogram:  # fmt: skip
        """Count the traces that a list would show over its time, or over the last 24 hours, in equal bins.

        With words or attributes the first 5,000 of the list are counted.
        """
        now = self.platform.clock.now()
        # A minute is added, so that what begins on a clock that is a little ahead is there.
        until_ns = nanoseconds(until) or nanoseconds(now + timedelta(minutes=1))
        since_ns = nanoseconds(since) if since else until_ns - 86_400 * 10**9
        if since_ns >= until_ns:
            raise Invalid("The time ends before it begins.", hint="Give a `since` before `until`.", param="since")
        where = choosing.chosen(
            self.platform, environment=environment, deployment=deployment, release=release, model=model,
            prompt=prompt, session_id=session_id, user_id=user_id, service=service, name=name, kind=kind,
            status=status, score=score, score_at_most=score_at_most, score_at_least=score_at_least, since=since,
            until=until, min_duration_ms=min_duration_ms, query=query, attribute=attribute,
        )  # fmt: skip
        width = max(1, -(-(until_ns - since_ns) // bins))
        edges = [min(since_ns + width * number, (1 << 63) - 1) for number in range(bins + 1)]
        counted, complete = choosing.bins(self.platform, self.caller.project, where, edges)
        return Histogram(since=moment(since_ns), until=moment(until_ns), bins=counted, complete=complete)

    @operation("GET /traces/export", permission="trace.export")
    def export(
        self, *, environment: Word = "", deployment: Word = "", release: Word = "", model: Word = "",
        prompt: Word = "", session_id: Word = "", user_id: Word = "", service: Word = "", name: Word = "",
        kind: Word = "", status: Status | None = None, score: Word = "", score_at_most: Number | None = None,
        score_at_least: Number | None = None, since: datetime | None = None, until: datetime | None = None,
        min_duration_ms: Milliseconds = 0.0, query: Word = "", attribute: Attributes = None, limit: Many = 1000,
        cursor: Cursor = "",
    ) -> Iterator[ExportedTrace]:  # fmt: skip
        """Stream the whole traces that a list would show, with spans and scores, one JSON document a line.

        The audit log keeps who exported what. Some lines carry a `next_cursor`, from which an export goes on.
        """
        given = {
            "environment": environment, "deployment": deployment, "release": release, "model": model,
            "prompt": prompt, "session_id": session_id, "user_id": user_id, "service": service, "name": name,
            "kind": kind, "query": query,
        }  # fmt: skip
        place = decode_cursor(cursor) if cursor else ""
        where = choosing.chosen(
            self.platform, **given, status=status, score=score, score_at_most=score_at_most,
            score_at_least=score_at_least, since=since, until=until, min_duration_ms=min_duration_ms,
            attribute=attribute,
        )  # fmt: skip
        detail = {key: value[:200] for key, value in given.items() if value}
        stands_for = partial(self.platform.keyring.pseudonym, self.caller.project)
        named = {"user_id": user_id, "session_id": session_id}
        detail |= {key: stands_for(value) for key, value in named.items() if value}
        detail |= {"query": f"[{len(query)} characters]"} if query else {}
        told = attributes.told(attribute, stands_for)
        detail |= {"attribute": told[:200], "status": status or "", "score": score[:200]}
        times = {key: at.isoformat() for key, at in (("since", since), ("until", until)) if at}
        with self.begin() as tx:
            kept = {key: value for key, value in {**detail, **times}.items() if value}
            audit.append(tx, "trace.export", "GET /traces/export", "ok", {**kept, "limit": limit})
        return self._exported(self.caller.project, where, limit, place)

    @operation("GET /traces/{trace_id}/outline", permission="trace.read")
    def outline(self, trace_id: TraceId) -> Outline:
        """Return the tree of a trace of any size: its spans in columns, without texts and attributes."""
        lines = self.platform.spans.outline(self.caller.project, trace_id)
        if not lines:
            raise _unknown(trace_id)
        with self.read() as tx:
            given, older = score_store.latest(tx, scores.c.trace_id == trace_id)
        awaited = choosing.awaited_ns(self.platform)
        start, end = min(line.start_ns for line in lines), max(line.end_ns for line in lines)
        place = {line.span_id: at for at, line in enumerate(lines)}
        return Outline(
            trace_id=trace_id,
            started_at=moment(start),
            duration_ms=(end - start) / 1e6,
            status=choosing.status_of(lines, awaited),
            spans=SpanColumns(
                span_id=[line.span_id for line in lines],
                parent=[place.get(line.parent_id, -1) if line.parent_id else -1 for line in lines],
                name=[line.name for line in lines],
                kind=[line.kind for line in lines],
                service=[line.service for line in lines],
                start_ms=[(line.start_ns - start) / 1e6 for line in lines],
                duration_ms=[(line.end_ns - line.start_ns) / 1e6 for line in lines],
                status=[shown(line, awaited) for line in lines],
                model=[line.model for line in lines],
                input_tokens=[line.input_tokens for line in lines],
                output_tokens=[line.output_tokens for line in lines],
                cost=[line.cost for line in lines],
                says=[line.says for line in lines],
            ),
            scores=given,
            older_scores=older,
        )

    @operation("GET /traces/{trace_id}/spans/{span_id}", permission="trace.read", mcp=True)
    def span(self, trace_id: TraceId, span_id: SpanId) -> SpanDetail:
        """Return one span of a trace, whole."""
        found = self.platform.spans.span(self.caller.project, trace_id, span_id)
        if found is None:
            raise NotFound(f"The trace {trace_id} has no span {span_id}.", hint="`mainspring trace get` shows them.")
        return SpanDetail.of(found, choosing.awaited_ns(self.platform))

    def _exported(self, project: str, where: SpanFilter | None, limit: int, place: str) -> Iterator[ExportedTrace]:
        if where is None:
            return
        awaited = choosing.awaited_ns(self.platform)
        for lines, following in choosing.pages(
            self.platform, project, where, size=_EXPORTED, limit=limit, cursor=place
        ):
            with self.read() as tx:
                given = score_store.of_traces(tx, [line.trace_id for line in lines])
            for line in lines:
                spans = self.platform.spans.trace(project, line.trace_id)
                last = line is lines[-1] and following
                yield ExportedTrace(
                    trace_id=line.trace_id,
                    started_at=moment(line.start_ns),
                    duration_ms=line.duration_ms,
                    status=shown(line, awaited),
                    spans=[SpanDetail.of(span, awaited) for span in spans],
                    scores=[score for score in given if score.trace_id == line.trace_id],
                    next_cursor=encode_cursor(following) if last else None,
                )


def _unknown(trace_id: str) -> NotFound:
    return NotFound(f"There is no trace {trace_id}.", hint="`mainspring trace list` shows the latest.")
