"""Queues and items as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.exc import IntegrityError

from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.kernel.tx import Tx
from mainspring.monitoring.annotation.models import Added, Item, Progress, Question, Queue, Review
from mainspring.monitoring.annotation.tables import items, queues, reviews

_CHUNK = 200


def add(tx: Tx, values: dict[str, Any]) -> Queue:
    """Store a queue. Raises Conflict where its name is taken."""
    row = {**values, "id": tx.new_id(), "project": tx.project, "state": "open", "shares": 0}
    row |= {"created_at": tx.now, "created_by": tx.caller.member}
    try:
        with tx.conn.begin_nested():
            tx.execute(insert(queues).values(**row))
    except IntegrityError:
        raise Conflict(f"There is a queue {values['name']} already.", hint="Take another name.") from None
    return shown(tx, find(tx, values["name"]))


def find(tx: Tx, name: str) -> RowMapping:
    """Return the row of a queue. Raises NotFound."""
    mine = (queues.c.project == tx.project) & (queues.c.name == name)
    row = tx.execute(select(queues).where(mine)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no queue {name}.", hint="`mainspring queue list` shows them.")
    return row


def shown(tx: Tx, row: RowMapping) -> Queue:
    """Return a queue as a record, with how far it is."""
    kept = ("name", "rubric", "reviewers", "members", "state", "created_at", "created_by")
    return Queue(**{name: row[name] for name in kept}, questions=questions_of(row), progress=progress(tx, row["id"]))


def questions_of(row: RowMapping) -> list[Question]:
    """Return what a queue asks."""
    return [Question(**one) for one in row["questions"]]


def progress(tx: Tx, queue_id: str) -> Progress:
    """Count a queue's items by state, and its reviews."""
    by_state = select(items.c.state, func.count().label("count")).where(items.c.queue_id == queue_id)
    by_state = by_state.group_by(items.c.state)
    counts: dict[str, int] = {str(row["state"]): int(row["count"]) for row in tx.execute(by_state).mappings()}
    of_queue = select(func.count()).where(reviews.c.queue_id == queue_id, reviews.c.adjudication.is_(False))
    mine = of_queue.where(reviews.c.reviewer == tx.caller.member)
    return Progress(
        items=sum(counts.values()),
        **{state: counts.get(state, 0) for state in ("open", "done", "disputed", "skipped")},
        reviews=tx.execute(of_queue).scalar_one(),
        mine=tx.execute(mine).scalar_one(),
    )


def is_judged(tx: Tx, queue_id: str) -> bool:
    """Tell whether anybody has said anything of a queue's items, adjudicators included."""
    return tx.execute(select(reviews.c.item_id).where(reviews.c.queue_id == queue_id).limit(1)).first() is not None


def item(tx: Tx, queue: RowMapping, item_id: str) -> RowMapping:
    """Return the row of an item, locked until the transaction ends. Raises NotFound."""
    mine = (items.c.id == item_id) & (items.c.queue_id == queue["id"])
    row = tx.execute(select(items).where(mine).with_for_update()).mappings().one_or_none()
    if row is None:
        raise NotFound(f"The queue {queue['name']} has no item {item_id}.", hint="`mainspring queue items` lists them.")
    return row


def as_item(row: RowMapping, queue: str) -> Item:
    """Make the record of a row."""
    return Item(queue=queue, **{name: row[name] for name in Item.model_fields if name != "queue"})


def as_review(row: RowMapping) -> Review:
    """Make the record of a row."""
    return Review(**{name: row[name] for name in Review.model_fields})


def reviews_of(tx: Tx, item_id: str) -> list[Review]:
    """Return what was said of an item, oldest first."""
    rows = tx.execute(select(reviews).where(reviews.c.item_id == item_id).order_by(reviews.c.at)).mappings()
    return [as_review(row) for row in rows]


def put(tx: Tx, platform: Platform, queue: RowMapping, trace_ids: Sequence[str], span_id: str, why: str) -> Added:
    """Put traces into a queue, each once."""
    wanted = list(dict.fromkeys(trace_ids))
    known, missing, added = 0, [], 0
    for start in range(0, len(wanted), _CHUNK):
        some = wanted[start : start + _CHUNK]
        mine = (items.c.queue_id == queue["id"]) & items.c.trace_id.in_(some) & (items.c.span_id == span_id)
        there = set(tx.execute(select(items.c.trace_id).where(mine)).scalars())
        for trace_id in some:
            if trace_id in there:
                known += 1
            elif judged(platform, tx.project, trace_id, span_id) is None:
                missing.append(trace_id)
            else:
                added += _insert(tx, queue["id"], trace_id, span_id, why)
    return Added(added=added, known=known, missing=missing[:100])


def _insert(tx: Tx, queue_id: str, trace_id: str, span_id: str, why: str) -> int:
    row: dict[str, Any] = {"id": tx.new_id(), "project": tx.project, "queue_id": queue_id}
    row |= {"trace_id": trace_id, "span_id": span_id}
    row |= {"state": "open", "why": why, "reviews": 0, "final": None, "score_ids": []}
    try:
        with tx.conn.begin_nested():
            tx.execute(insert(items).values(**row, added_at=tx.now, added_by=tx.caller.member))
    except IntegrityError:  # somebody else put it in at the same time
        return 0
    return 1


def judged(platform: Platform, project: str, trace_id: str, span_id: str) -> Span | None:
    """Return the span that is judged: the one named, else the root, else the first; None where it is gone."""
    spans = platform.spans.trace(project, trace_id)
    if span_id:
        return next((span for span in spans if span.span_id == span_id), None)
    return next((span for span in spans if not span.parent_id), spans[0] if spans else None)
