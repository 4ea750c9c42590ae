"""Operations of the traces room: traces, sessions and scores."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, Text, decode_cursor, encode_cursor, paginate
from mainspring.kernel.service import Service
from mainspring.kernel.spans import SpanFilter
from mainspring.traces import choosing, paging
from mainspring.traces import scores as score_store
from mainspring.traces.attributes import Attributes
from mainspring.traces.choosing import Milliseconds, Number
from mainspring.traces.erasure import erase_everywhere
from mainspring.traces.exploring import Exploring
from mainspring.traces.models import (
    Erased,
    Score,
    Source,
    SpanDetail,
    SpanId,
    Status,
    TraceDetail,
    TraceId,
    TraceLine,
    UsageHour,
    Word,
    aware,
    moment,
    nanoseconds,
)
from mainspring.traces.tables import scores
from mainspring.traces.usage import dimensions, grouped

_PARTS = 10_000


class Traces(Exploring):
    """Traces of production traffic."""

    noun = "trace"

    @operation("GET /traces", permission="trace.read", mcp=True)
    def list_(
        self,
        *,
        environment: Word = "",
        deployment: Word = "",
        release: Word = "",
        model: Word = "",
        prompt: Word = "",
        session_id: Word = "",
        user_id: Word = "",
        service: Word = "",
        name: Word = "",
        kind: Word = "",
        status: Status | None = None,
        score: Word = "",
        score_at_most: Number | None = None,
        score_at_least: Number | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        min_duration_ms: Milliseconds = 0.0,
        query: Word = "",
        attribute: Attributes = None,
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[TraceLine]:
        """List traces, newest first, narrowed by what they are, by their scores and by words that stand in them.

        `!a,b` leaves out these environments, deployments, releases, models, prompts, services or kinds. A filter by
        score looks at the last 1,000 traces that have such a score. `attribute` tests any attribute of a span:
        `tier=gold`, `retry.count>=2`, `error.type`, `!error.type`; a page of it may be short though more follow.
        """
        where = choosing.chosen(
            self.platform, environment=environment, deployment=deployment, release=release, model=model,
            prompt=prompt, session_id=session_id, user_id=user_id, service=service, name=name, kind=kind,
            status=status, score=score, score_at_most=score_at_most, score_at_least=score_at_least, since=since,
            until=until, min_duration_ms=min_duration_ms, query=query, attribute=attribute,
        )  # fmt: skip
        return self._page(where, limit, cursor) if where else Page[TraceLine](items=[])

    @operation("GET /traces/search", permission="trace.read", mcp=True)
    def search(
        self,
        query: Word,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[TraceLine]:
        """Find traces in whose text all the words stand, last arrived first; `docs*` finds every ending."""
        where = SpanFilter(query=query.strip() or " ", since_ns=nanoseconds(since), until_ns=nanoseconds(until))
        return self._page(where, limit, cursor)

    @operation("GET /traces/usage", permission="trace.read", mcp=True)
    def usage(
        self,
        *,
        by: Word = "deployment,release,model",
        hourly: bool = True,
        environment: Word = "",
        deployment: Word = "",
        release: Word = "",
        model: Word = "",
        kind: Word = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[UsageHour]:
        """Return calls, errors, tokens, cost and latency by hour, or in all, of the last 7 days or the time given.

        `by` names what is kept apart, with commas: environment, deployment, release, model, kind.
        """
        week = int(self.platform.clock.now().timestamp() * 1e9) - 7 * 86_400 * 10**9
        where = SpanFilter(
            environment=environment,
            deployment=deployment,
            release=release,
            model=model,
            kind=kind,
            since_ns=nanoseconds(since) or max(0, week),
            until_ns=nanoseconds(until),
        )
        found = grouped(self.platform.spans.usage(self.caller.project, where), dimensions(by), hourly=hourly)
        if len(found) > _PARTS:
            raise Invalid(
                f"These totals have {len(found):,} parts; {_PARTS:,} are given at once.",
                hint="Keep less apart with `by`, take a shorter time, or leave out `hourly`.",
                param="by",
            )
        return found

    @operation("GET /traces/{trace_id}", permission="trace.read", mcp=True)
    def get(self, trace_id: TraceId, *, limit: Limit = 1000, cursor: Cursor = "") -> TraceDetail:
        """Return a trace with its newest scores and its spans in order of start, at most 1,000 and about 8 MB at once.

        With `next_cursor` the rest of the spans is asked for, with `older_scores` as the cursor of `score list` that of
        the scores; `trace outline` returns the tree of a trace of any size.
        """
        lines = self.platform.spans.outline(self.caller.project, trace_id)
        if not lines:
            raise NotFound(f"There is no trace {trace_id}.", hint="`mainspring trace list` shows the latest.")
        place = decode_cursor(cursor) if cursor else ""
        spans, following = paging.page(self.platform, self.caller.project, lines, trace_id, limit, place)
        with self.read() as tx:
            given, older = score_store.latest(tx, scores.c.trace_id == trace_id)
        awaited = choosing.awaited_ns(self.platform)
        start, end = min(line.start_ns for line in lines), max(line.end_ns for line in lines)
        return TraceDetail(
            trace_id=trace_id,
            started_at=moment(start),
            duration_ms=(end - start) / 1e6,
            status=choosing.status_of(lines, awaited),
            spans=[SpanDetail.of(span, awaited) for span in spans],
            scores=given,
            older_scores=older,
            next_cursor=encode_cursor(following) if following else None,
        )

    @operation("DELETE /traces/{trace_id}", permission="trace.delete")
    def delete(self, trace_id: TraceId) -> Erased:
        """Erase a trace and its scores, from the search index and the write-ahead file too, and what was made of it.

        So it leaves improvement areas, annotation queues, and the answers that caches keep.
        """
        removed = erase_everywhere(self.platform, self.caller.project, [trace_id])
        if not removed.spans and not removed.scores:
            raise NotFound(f"There is no trace {trace_id}.", hint="`mainspring trace list` shows the latest.")
        return removed

    def _page(self, where: SpanFilter, limit: int, cursor: str) -> Page[TraceLine]:
        place = decode_cursor(cursor) if cursor else ""
        lines, following = self.platform.spans.traces(self.caller.project, where, limit=limit, cursor=place)
        return Page[TraceLine](
            items=[TraceLine.of(line, choosing.awaited_ns(self.platform)) for line in lines],
            next_cursor=encode_cursor(following) if following else None,
        )


class Scores(Service):
    """Scores and feedback."""

    noun = "score"

    @operation("POST /scores", permission="score.write", status=201)
    def create(
        self,
        name: Name,
        *,
        trace_id: TraceId | None = None,
        span_id: SpanId | None = None,
        session_id: Word = "",
        number: Number | None = None,
        label: Annotated[str, Field(max_length=200)] | None = None,
        comment: Text = "",
        correction: Text = "",
        source: Source = "human",
        at: datetime | None = None,
    ) -> Score:
        """Judge a trace, a span or a session: a number, a label, words, or what the answer should have been.

        `at` is when it was given, for one that comes from elsewhere.
        """
        with self.begin() as tx:
            return score_store.put(
                tx,
                name,
                trace_id=trace_id or "",
                span_id=span_id or "",
                session_id=session_id,
                number=number,
                label=label,
                comment=comment,
                correction=correction,
                source=source,
                at=aware(at),
            )

    @operation("GET /scores", permission="score.read", mcp=True)
    def list_(
        self,
        *,
        trace_id: TraceId | None = None,
        session_id: Word = "",
        name: Word = "",
        label: Word = "",
        at_most: Number | None = None,
        at_least: Number | None = None,
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[Score]:
        """List scores, newest first."""
        with self.read() as tx:
            wanted = score_store.conditions(tx, name=name, label=label, at_most=at_most, at_least=at_least)
            if trace_id:
                wanted.append(scores.c.trace_id == trace_id)
            if session_id:
                wanted.append(scores.c.session_id == session_id)
            rows, following = paginate(tx, select(scores).where(*wanted), scores.c.id, limit, cursor)
        return Page[Score](items=[score_store.as_score(row) for row in rows], next_cursor=following)
