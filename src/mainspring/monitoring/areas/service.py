"""Operations on improvement areas."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints
from sqlalchemy import delete, func, insert, select, update

from mainspring.data.models import DatasetVersion
from mainspring.data.service import Datasets
from mainspring.kernel.errors import Conflict, Invalid, LimitReached
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, RefText, Text, paginate
from mainspring.kernel.runs import Run
from mainspring.kernel.service import Service
from mainspring.monitoring.annotation import Queues
from mainspring.monitoring.annotation.models import Added
from mainspring.monitoring.areas import store, tools, watching
from mainspring.monitoring.areas.gathering import comment_of
from mainspring.monitoring.areas.models import (
    FindSettings,
    Issue,
    IssueDetail,
    IssueExample,
    IssueId,
    IssueState,
    IssueTrace,
    Search,
    Word,
)
from mainspring.monitoring.areas.tables import searches
from mainspring.monitoring.models import Minutes, Target
from mainspring.monitoring.online.sampling import text_of
from mainspring.monitoring.sample import CALLS, question
from mainspring.registry import load_release
from mainspring.traces import scores as score_store

Many = Annotated[int, Field(ge=1, le=1000)]
Environment = Annotated[str, StringConstraints(max_length=128)]
Note = Annotated[str, StringConstraints(max_length=2000)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
_MOST = 100
"""Searches of a project that are repeated."""
_EXAMPLES = 8
_SHOWN = 400
_REGISTERED = (watching,)
"""Modules whose import registers monitors."""


class Issues(Service):
    """Improvement areas: traces that went wrong in much the same way, from found to fixed."""

    noun = "issue"

    @operation("POST /issues/find", permission="issue.write", status=202)
    def find(
        self, *, target: Target = "", environment: Environment | None = None, settings: FindSettings | None = None
    ) -> Run:
        """Look for areas among calls and tools that failed and low scores, of a deployment, a release or all traffic.

        Bad traces join the areas that they resemble; those that resemble enough others make new ones. An area that was
        fixed is open again where traces since then show it.
        """
        where = self.caller.environment if environment is None else environment
        asked = (settings or FindSettings()).model_dump(mode="json")
        return self.start_run("issue.find", {"target": target, "environment": where, "settings": asked})

    @operation("PUT /issues/searches", permission="issue.write")
    def schedule(
        self,
        *,
        target: Target = "",
        environment: Environment | None = None,
        every_minutes: Minutes = 60,
        settings: FindSettings | None = None,
        enabled: bool = True,
    ) -> Search:
        """Look for areas again and again, in place of the search of the same target and environment, if any."""
        where = self.caller.environment if environment is None else environment
        values = {
            "settings": (settings or FindSettings()).model_dump(mode="json"),
            "every_minutes": every_minutes,
            "enabled": enabled,
        }
        s = searches.c
        with self.begin() as tx:
            mine = (s.project == tx.project) & (s.target == target) & (s.environment == where)
            row = tx.execute(select(searches).where(mine)).mappings().one_or_none()
            key = row["id"] if row else tx.new_id()
            if row:
                tx.execute(update(searches).where(s.id == key).values(**values, due_at=tx.now))
            else:
                if tx.execute(select(func.count()).where(s.project == tx.project)).scalar_one() >= _MOST:
                    raise LimitReached(f"{_MOST} searches are repeated already.", hint="Delete one first.")
                made = {"created_at": tx.now, "created_by": tx.caller.member, "due_at": tx.now, "run_id": ""}
                facts = {"id": key, "project": tx.project, "target": target, "environment": where}
                tx.execute(insert(searches).values(**facts, **values, **made))
            return store.as_search(store.search(tx, key))

    @operation("GET /issues/searches", permission="issue.read")
    def searches(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Search]:
        """List the searches that are repeated."""
        with self.read() as tx:
            query = select(searches).where(searches.c.project == tx.project)
            rows, following = paginate(tx, query, searches.c.id, limit, cursor)
        return Page[Search](items=[store.as_search(row) for row in rows], next_cursor=following)

    @operation("DELETE /issues/searches/{search_id}", permission="issue.write")
    def unschedule(self, search_id: IssueId) -> Search:
        """Repeat a search no more; the areas that it found stay."""
        with self.begin() as tx:
            gone = store.as_search(store.search(tx, search_id))
            tx.execute(delete(searches).where(searches.c.id == search_id))
        return gone

    @operation("GET /issues", permission="issue.read", mcp=True)
    def list_(
        self, *, state: IssueState | None = None, target: Target | None = None, limit: Limit = 100, cursor: Cursor = ""
    ) -> Page[Issue]:
        """List areas, newest first, of a state or a target where these are given."""
        with self.read() as tx:
            items, following = store.listed(tx, state or "", target, limit, cursor)
        return Page[Issue](items=items, next_cursor=following)

    @operation("GET /issues/{issue_id}", permission="issue.read", mcp=True)
    def get(self, issue_id: IssueId) -> IssueDetail:
        """Show an area with examples, its traces by day and by release, its effect and its history."""
        with self.read() as tx:
            row = store.find(tx, issue_id)
            area = store.shown(tx, row)
            some = store.newest(tx, issue_id, _EXAMPLES)
            given = score_store.of_traces(tx, [one.trace_id for one in some])
            releases, events = store.releases(tx, issue_id), store.events(tx, issue_id)
        comments = {one.trace_id: comment for one in given if (comment := comment_of(one))}
        examples = [self._example(area, one, comments.get(one.trace_id, "")) for one in some]
        return IssueDetail(**area.model_dump(), examples=examples, releases=releases, events=events)

    def _example(self, area: Issue, one: IssueTrace, comment: str) -> IssueExample:
        spans = self.platform.spans.trace(self.caller.project, one.trace_id)
        span = next((span for span in spans if span.kind in CALLS), None)
        said = (span.status_message if span.status == "error" else text_of(span.output)) if span else ""
        if area.tool:
            broken = (span for span in spans if span.kind == tools.TOOL and span.status == "error")
            said = next((tools.error_of(span) for span in broken if tools.name_of(span) == area.tool), "")
        return IssueExample(
            **one.model_dump(),
            question=question(span.input).strip()[:_SHOWN] if span else "",
            answer=said[:_SHOWN],
            comment=comment[:_SHOWN],
        )

    @operation("GET /issues/{issue_id}/traces", permission="issue.read", mcp=True)
    def traces(self, issue_id: IssueId, *, limit: Limit = 100, cursor: Cursor = "") -> Page[IssueTrace]:
        """List an area's traces."""
        with self.read() as tx:
            store.find(tx, issue_id)
            found, following = store.traces(tx, issue_id, limit, cursor)
        return Page[IssueTrace](items=found, next_cursor=following)

    @operation("PATCH /issues/{issue_id}", permission="issue.write")
    def update(self, issue_id: IssueId, *, name: Title | None = None, note: Note | None = None) -> Issue:
        """Give an area another name or note."""
        values = {key: value for key, value in (("name", name), ("note", note)) if value is not None}
        with self.begin() as tx:
            row = store.find(tx, issue_id)
            if values:
                store.change(tx, row["id"], **values, changed_at=tx.now)
            return store.shown(tx, store.find(tx, issue_id))

    @operation("POST /issues/{issue_id}/acknowledge", permission="issue.write")
    def acknowledge(self, issue_id: IssueId, *, note: Text = "") -> Issue:
        """Say that somebody looks after an area."""
        return self._move(issue_id, "acknowledged", "acknowledged", note, ("open",))

    @operation("POST /issues/{issue_id}/resolve", permission="issue.write")
    def resolve(self, issue_id: IssueId, *, release: RefText | None = None, note: Text = "") -> Issue:
        """Say that an area is fixed, by a release where one is named; it is reopened where it comes back."""
        fixed = ""
        if release:
            with self.read() as tx:
                fixed = load_release(tx, release).ref
        return self._move(issue_id, "fixed", "fixed", note, ("open", "acknowledged", "ignored"), fixed)

    @operation("POST /issues/{issue_id}/ignore", permission="issue.write")
    def ignore(self, issue_id: IssueId, *, note: Text = "") -> Issue:
        """Leave an area be: its traces are counted on, and nobody is told."""
        return self._move(issue_id, "ignored", "ignored", note, ("open", "acknowledged", "fixed"))

    @operation("POST /issues/{issue_id}/reopen", permission="issue.write")
    def reopen(self, issue_id: IssueId, *, note: Text = "") -> Issue:
        """Open an area again."""
        return self._move(issue_id, "open", "reopened", note, ("acknowledged", "fixed", "ignored"))

    def _move(
        self, issue_id: str, state: IssueState, kind: str, note: str, allowed: tuple[str, ...], release: str = ""
    ) -> Issue:
        with self.begin() as tx:
            row = store.find(tx, issue_id)
            if row["state"] not in allowed:
                raise Conflict(f"The area is {row['state']}.", hint=f"It can be {state} where it is {allowed[0]}.")
            store.move(tx, row, state, kind, note, release)
            return store.shown(tx, store.find(tx, issue_id))

    @operation("POST /issues/{issue_id}/dataset", permission="issue.write", status=201)
    def dataset(self, issue_id: IssueId, name: Name, *, limit: Many = 1000, note: Text = "") -> DatasetVersion:
        """Make a dataset version of an area's newest traces, with what people said of them."""
        row, ids = self._newest(issue_id, limit)
        said = note or f"Improvement area {row}."
        return Datasets(self.platform).gather(name, ids, note=said)

    @operation("POST /issues/{issue_id}/queue", permission="issue.write", status=201)
    def queue(self, issue_id: IssueId, name: Name, *, limit: Many = 100, why: Word = "") -> Added:
        """Put an area's newest traces into an annotation queue."""
        row, ids = self._newest(issue_id, limit)
        return Queues(self.platform).add(name, ids, why=why or f"Improvement area {row}.")

    def _newest(self, issue_id: str, limit: int) -> tuple[str, list[str]]:
        with self.read() as tx:
            row = store.find(tx, issue_id)
            ids = [one.trace_id for one in store.newest(tx, issue_id, limit)]
        if not ids:
            raise Invalid("The area has no traces any more.", hint="They were erased or are too old.")
        return str(row["name"]), ids
