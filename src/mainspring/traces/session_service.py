"""Operations on sessions and users: traces that belong together."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from pydantic import Field

from mainspring.kernel.errors import NotFound
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Page, decode_cursor, encode_cursor
from mainspring.kernel.service import Service
from mainspring.kernel.spans import SpanFilter, TraceSummary
from mainspring.traces import choosing
from mainspring.traces import scores as score_store
from mainspring.traces.explored import Turn, UserLine
from mainspring.traces.models import SessionDetail, SessionLine, TraceLine, Word, nanoseconds
from mainspring.traces.tables import scores

_SCORED = 1000
_SAID = 40_000
"""Characters of JSON of one side of a turn that are given whole."""
Few = Annotated[int, Field(ge=1, le=100)]


class Sessions(Service):
    """Sessions: traces that belong together."""

    noun = "session"

    @operation("GET /sessions", permission="trace.read", mcp=True)
    def list_(
        self,
        *,
        user_id: Word = "",
        environment: Word = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[SessionLine]:
        """List sessions, last active first."""
        where = SpanFilter(
            user_id=user_id, environment=environment, since_ns=nanoseconds(since), until_ns=nanoseconds(until)
        )
        place = decode_cursor(cursor) if cursor else ""
        lines, following = self.platform.spans.sessions(self.caller.project, where, limit=limit, cursor=place)
        return Page[SessionLine](
            items=[SessionLine.of(line) for line in lines], next_cursor=encode_cursor(following) if following else None
        )

    @operation("GET /sessions/{session_id:path}", permission="trace.read", mcp=True)
    def get(self, session_id: Word) -> SessionDetail:
        """Return a session with its traces and scores."""
        project = self.caller.project
        found, _ = self.platform.spans.sessions(project, SpanFilter(session_id=session_id), limit=1)
        if not found:
            raise NotFound(f"There is no session {session_id}.", hint="`mainspring session list` shows them.")
        lines, _ = self.platform.spans.traces(project, SpanFilter(session_id=session_id), limit=200)
        with self.read() as tx:
            mine, _ = score_store.latest(tx, scores.c.session_id == session_id, limit=_SCORED)
            theirs, _ = score_store.latest(tx, scores.c.trace_id.in_([one.trace_id for one in lines]), limit=_SCORED)
        given = {score.id: score for score in (*mine, *theirs)}
        newest = [given[one] for one in sorted(given)[-_SCORED:]]
        return SessionDetail(
            session=SessionLine.of(found[0]), traces=[TraceLine.of(line) for line in lines], scores=newest
        )

    @operation("GET /conversations/{session_id:path}", permission="trace.read", mcp=True)
    def conversation(self, session_id: Word, *, limit: Few = 50, cursor: Cursor = "") -> Page[Turn]:
        """Return what was said in a session, a turn for each of its traces, newest first."""
        place = decode_cursor(cursor) if cursor else ""
        where = SpanFilter(session_id=session_id or " ")
        lines, following = self.platform.spans.traces(self.caller.project, where, limit=limit, cursor=place)
        return Page[Turn](
            items=[self._turn(line) for line in lines], next_cursor=encode_cursor(following) if following else None
        )

    def _turn(self, line: TraceSummary) -> Turn:
        project, spans = self.caller.project, self.platform.spans
        outline = spans.outline(project, line.trace_id)
        # The root speaks for the whole trace; where it says nothing, the first span that does.
        saying = sorted((one for one in outline if one.says), key=lambda one: bool(one.parent_id))
        span = spans.span(project, line.trace_id, saying[0].span_id) if saying else None
        given, given_cut = _bounded(_latest(span.input) if span else None)
        answered, answered_cut = _bounded(span.output if span else None)
        return Turn(
            trace=TraceLine.of(line, choosing.awaited_ns(self.platform)),
            span_id=span.span_id if span else "",
            input=given,
            output=answered,
            cut=given_cut or answered_cut,
        )


class Users(Service):
    """Users of applications: who the traces were for."""

    noun = "user"

    @operation("GET /users", permission="trace.read", mcp=True)
    def list_(
        self, *, since: datetime | None = None, until: datetime | None = None, limit: Limit = 100, cursor: Cursor = ""
    ) -> Page[UserLine]:
        """List the users that traces name, last seen first."""
        where = SpanFilter(since_ns=nanoseconds(since), until_ns=nanoseconds(until))
        place = decode_cursor(cursor) if cursor else ""
        lines, following = self.platform.spans.users(self.caller.project, where, limit=limit, cursor=place)
        return Page[UserLine](
            items=[UserLine.of(line) for line in lines], next_cursor=encode_cursor(following) if following else None
        )

    @operation("GET /users/{user_id:path}", permission="trace.read", mcp=True)
    def get(self, user_id: Word) -> UserLine:
        """Return a user's totals."""
        found, _ = self.platform.spans.users(self.caller.project, SpanFilter(user_id=user_id or " "), limit=1)
        if not found:
            raise NotFound(f"No trace names the user {user_id}.", hint="`mainspring user list` shows them.")
        return UserLine.of(found[0])


def _latest(value: Any) -> Any:
    """Return the messages after the last of the assistant: a call repeats what was said before it."""
    if not isinstance(value, list):
        return value
    spoken = [at for at, one in enumerate(value) if isinstance(one, dict) and one.get("role") == "assistant"]
    return value[spoken[-1] + 1 :] if spoken and spoken[-1] + 1 < len(value) else value


def _bounded(value: Any) -> tuple[Any, bool]:
    """Return a value, or the beginning of its JSON where it is too long, and whether it was cut."""
    text = msgspec.json.encode(value).decode()
    if len(text) <= _SAID:
        return value, False
    return (value if isinstance(value, str) else text)[:_SAID] + "…", True
