"""Operations of annotation queues."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, StringConstraints
from sqlalchemy import delete, select, update

from mainspring.data.models import DatasetVersion
from mainspring.data.service import Datasets
from mainspring.kernel import access
from mainspring.kernel.errors import Conflict, Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, Text, paginate
from mainspring.kernel.service import Service
from mainspring.monitoring.annotation import filling, report, reviewing, rubric, sharing, store
from mainspring.monitoring.annotation.models import (
    Added,
    AgreementReport,
    Answers,
    Item,
    ItemState,
    Long,
    Question,
    Queue,
    Review,
    Settled,
    Share,
    TraceIds,
    Work,
)
from mainspring.monitoring.annotation.tables import holds, items, queues, reviews
from mainspring.traces.models import SpanId, Word

ItemId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
Reviewers = Annotated[int, Field(ge=1, le=9)]
Members = Annotated[list[Name], Field(max_length=100)]
Questions = Annotated[list[Question], Field(min_length=1, max_length=20)]
_READS = "trace.read"
"""What it takes to choose traces for a queue: whoever reviews one is shown them."""
Portion = Annotated[float, Field(gt=0, le=1)]


class Queues(Service):
    """Queues of traces that people judge."""

    noun = "queue"

    @operation("POST /queues", permission="queue.manage", status=201)
    def create(
        self, name: Name, questions: Questions, *, rubric_text: Long = "", reviewers: Reviewers = 1,
        members: Members | None = None,
    ) -> Queue:  # fmt: skip
        """Create a queue: what is asked of each trace, by what rubric, and how many reviewers judge each."""
        rubric.check_questions(questions)
        asked = [question.model_dump(mode="json") for question in questions]
        values = {"name": name, "rubric": rubric_text, "questions": asked, "reviewers": reviewers}
        with self.begin() as tx:
            return store.add(tx, {**values, "members": members or []})

    @operation("GET /queues", permission="queue.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Queue]:
        """List queues with how far they are, by name."""
        with self.read() as tx:
            query = select(queues).where(queues.c.project == tx.project)
            rows, following = paginate(tx, query, queues.c.name, limit, cursor, newest=False)
            return Page[Queue](items=[store.shown(tx, row) for row in rows], next_cursor=following)

    @operation("GET /queues/{name}", permission="queue.read", mcp=True)
    def get(self, name: Name) -> Queue:
        """Show a queue with how far it is."""
        with self.read() as tx:
            return store.shown(tx, store.find(tx, name))

    @operation("PATCH /queues/{name}", permission="queue.manage")
    def update(
        self, name: Name, *, rubric_text: Long | None = None, reviewers: Reviewers | None = None,
        members: Members | None = None, questions: Questions | None = None, closed: bool | None = None,
    ) -> Queue:  # fmt: skip
        """Change who judges how often by what rubric, or close a queue; what is settled stays as it is.

        With fewer reviewers, items that as many have judged already come to their end. Questions may be changed until
        somebody has answered them.
        """
        rubric.check_questions(questions or [])
        asked = None if questions is None else [question.model_dump(mode="json") for question in questions]
        given = {"rubric": rubric_text, "reviewers": reviewers, "members": members, "questions": asked}
        values = {key: value for key, value in given.items() if value is not None}
        if closed is not None:
            values["state"] = "closed" if closed else "open"
        with self.begin() as tx:
            row = store.find(tx, name)
            if asked is not None and store.is_judged(tx, row["id"]):
                raise Conflict(f"Reviewers have answered {name} already.", hint="Create another queue.")
            if values:
                tx.execute(update(queues).where(queues.c.id == row["id"]).values(**values))
            reviewing.conclude(tx, store.find(tx, name))
            return store.shown(tx, store.find(tx, name))

    @operation("DELETE /queues/{name}", permission="queue.manage")
    def delete(self, name: Name) -> Queue:
        """Delete a queue with its reviews; the scores that followed from it stay."""
        with self.begin() as tx:
            row = store.find(tx, name)
            gone = store.shown(tx, row)
            mine = select(items.c.id).where(items.c.queue_id == row["id"])
            tx.execute(delete(holds).where(holds.c.item_id.in_(mine)))
            for table in (reviews, items):
                tx.execute(delete(table).where(table.c.queue_id == row["id"]))
            tx.execute(delete(queues).where(queues.c.id == row["id"]))
        return gone

    @operation("POST /queues/{name}/items", permission="queue.write", status=201)
    def add(self, name: Name, trace_ids: TraceIds, *, span_id: SpanId | None = None, why: Text = "") -> Added:
        """Put traces into a queue, or a span of one trace; what is there already stays as it is."""
        access.require(self.caller, _READS)
        if span_id and len(trace_ids) > 1:
            raise Invalid("A span belongs to one trace.", hint="Give one trace with span_id.", param="span_id")
        with self.begin() as tx:
            return store.put(tx, self.platform, store.find(tx, name), trace_ids, span_id or "", why)

    @operation("POST /queues/{name}/fill", permission="queue.write", status=201)
    def fill(
        self, name: Name, *, deployment: Word = "", release: Word = "", environment: Word = "", score: Word = "",
        at_most: float | None = None, at_least: float | None = None, status: Word = "", query: Word = "",
        since: datetime | None = None, share: Portion = 1.0, limit: Limit = 100, why: Text = "",
    ) -> Added:  # fmt: skip
        """Put the latest traces that fit into a queue, or a `share` of them drawn at random, always the same ones."""
        access.require(self.caller, _READS)
        choice = filling.Choice(
            deployment=deployment, release=release, environment=environment, score=score, at_most=at_most,
            at_least=at_least, status=status, query=query, since=since, share=share, limit=limit,
        )  # fmt: skip
        found = filling.chosen(self.platform, choice)
        with self.begin() as tx:
            return store.put(tx, self.platform, store.find(tx, name), found, "", why)

    @operation("GET /queues/{name}/items", permission="queue.read")
    def items(
        self, name: Name, *, state: ItemState | None = None, limit: Limit = 100, cursor: Cursor = ""
    ) -> Page[Item]:
        """List the items of a queue, in the order in which they came."""
        with self.read() as tx:
            row = store.find(tx, name)
            query = select(items).where(items.c.queue_id == row["id"])
            if state:
                query = query.where(items.c.state == state)
            rows, following = paginate(tx, query, items.c.id, limit, cursor, newest=False)
        return Page[Item](items=[store.as_item(one, name) for one in rows], next_cursor=following)

    @operation("POST /queues/{name}/next", permission="queue.write")
    def next(self, name: Name) -> Work:
        """Take the next item to judge; its place is kept for 15 minutes. Raises NotFound where none waits."""
        with self.begin() as tx:
            return reviewing.following(tx, self.platform, store.find(tx, name))

    @operation("POST /queues/{name}/items/{item_id}/take", permission="queue.write")
    def take(self, name: Name, item_id: ItemId) -> Work:
        """Take an item up, for the first time or to change what one said of it; whoever may settle disputes, any."""
        with self.begin() as tx:
            queue = store.find(tx, name)
            if not tx.caller.may("queue.adjudicate"):
                reviewing.require_reviewer(tx, queue)
            row = store.item(tx, queue, item_id)
            reviewing.hold(tx, item_id)
            return reviewing.work(tx, self.platform, queue, row)

    @operation("POST /queues/{name}/items/{item_id}/review", permission="queue.write")
    def submit(
        self, name: Name, item_id: ItemId, *, answers: Answers | None = None, comment: Text = "", skip: bool = False
    ) -> Settled:
        """Judge an item, or skip it; again, to change what one said.

        When as many have judged it as the queue asks for, what they agree on becomes scores of the trace; where they do
        not agree, it waits for an adjudicator.
        """
        with self.begin() as tx:
            return reviewing.submit(tx, store.find(tx, name), item_id, answers or {}, comment, skip=skip)

    @operation("GET /queues/{name}/items/{item_id}/reviews", permission="queue.use")
    def reviews(self, name: Name, item_id: ItemId) -> list[Review]:
        """List what reviewers said of an item, oldest first."""
        with self.read() as tx:
            store.item(tx, store.find(tx, name), item_id)
            return store.reviews_of(tx, item_id)

    @operation("POST /queues/{name}/items/{item_id}/adjudicate", permission="queue.adjudicate")
    def adjudicate(self, name: Name, item_id: ItemId, answers: Answers, *, comment: Text = "") -> Settled:
        """Settle an item on which reviewers disagree; the scores of its trace follow."""
        with self.begin() as tx:
            return reviewing.adjudicate(tx, store.find(tx, name), item_id, answers, comment)

    @operation("GET /queues/{name}/agreement", permission="queue.read", mcp=True)
    def agreement(self, name: Name) -> AgreementReport:
        """Show how reviewers agree on each question: Krippendorff's alpha, Fleiss' kappa, Cohen's of each pair."""
        with self.read() as tx:
            return report.agreement(tx, store.find(tx, name))

    @operation("POST /queues/{name}/dataset", permission="dataset.write", status=201)
    def collect(self, name: Name, dataset: Name, *, question: Word = "", note: Text = "") -> DatasetVersion:
        """Make a dataset version of the traces that were settled, a corrected answer in the place of the given one."""
        with self.read() as tx:
            row = store.find(tx, name)
            asked = [one.name for one in store.questions_of(row)]
            done = select(items.c.trace_id).where(items.c.queue_id == row["id"], items.c.state == "done")
            ids = list(dict.fromkeys(tx.execute(done.order_by(items.c.id).limit(10_000)).scalars()))
        if question and question not in asked:
            raise Invalid(f"The queue asks no {question}.", hint=f"It asks {', '.join(asked)}.", param="question")
        if not ids:
            raise Invalid(f"Nothing in {name} is settled yet.", hint="`mainspring queue next` gives what waits.")
        return Datasets(self.platform).gather(dataset, ids, score=question, note=note or f"From the queue {name}.")

    @operation("POST /queues/{name}/share", permission="queue.manage")
    def share(self, name: Name, reviewer: Name, *, days: Annotated[int, Field(ge=1, le=90)] = 7) -> Share:
        """Make a link by which somebody without a key reviews this queue, and nothing else."""
        with self.read() as tx:
            row, ends = store.find(tx, name), tx.now + timedelta(days=days)
            made = sharing.token(self.platform, tx.caller, row["id"], reviewer, row["shares"], ends)
        return Share(path=f"/review#{made}", reviewer=f"{sharing.GUEST}{reviewer}", expires_at=ends)

    @operation("POST /queues/{name}/unshare", permission="queue.manage")
    def unshare(self, name: Name) -> Queue:
        """Take back every link to a queue that was shared."""
        with self.begin() as tx:
            row = store.find(tx, name)
            tx.execute(update(queues).where(queues.c.id == row["id"]).values(shares=row["shares"] + 1))
            return store.shown(tx, row)
