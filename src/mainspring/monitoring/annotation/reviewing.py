"""Reviewing: who gets which item next, and what becomes of it when enough have spoken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping, and_, delete, exists, func, insert, select, update

from mainspring.kernel.errors import Conflict, Denied, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.tx import Tx
from mainspring.monitoring.annotation import rubric, store
from mainspring.monitoring.annotation.models import Answer, Question, Settled, Work
from mainspring.monitoring.annotation.sharing import GUEST
from mainspring.monitoring.annotation.tables import holds, items, reviews
from mainspring.traces import scores as score_store
from mainspring.traces.models import Score
from mainspring.traces.tables import scores

HOLD = timedelta(minutes=15)
"""How long a place is kept for whoever was given it."""


def following(tx: Tx, platform: Platform, queue: RowMapping) -> Work:
    """Give the caller the next item: what they hold already, else the one that lacks the fewest reviews, oldest first.

    Raises NotFound where nothing waits for them, Conflict for a closed queue, Denied for whoever may not review.
    """
    require_reviewer(tx, queue)
    tx.execute(delete(holds).where(holds.c.until <= tx.now))
    me = tx.caller.member
    mine = exists().where(and_(reviews.c.item_id == items.c.id, reviews.c.reviewer == me))
    held = exists().where(and_(holds.c.item_id == items.c.id, holds.c.reviewer == me))
    others = select(func.count()).where(holds.c.item_id == items.c.id, holds.c.reviewer != me).scalar_subquery()
    free = (items.c.queue_id == queue["id"]) & (items.c.state == "open") & ~mine
    free &= items.c.reviews + others < queue["reviewers"]
    query = select(items).where(free).order_by(held.desc(), items.c.reviews.desc(), items.c.id)
    while (row := tx.execute(query.limit(1).with_for_update()).mappings().first()) is not None:
        if store.judged(platform, tx.project, row["trace_id"], row["span_id"]) is not None:
            hold(tx, row["id"])
            return work(tx, platform, queue, row)
        tx.execute(update(items).where(items.c.id == row["id"]).values(state="skipped", why="The trace is gone."))
    raise NotFound(f"Nothing in {queue['name']} waits for you.", hint="Come back when more was put in.")


def hold(tx: Tx, item_id: str) -> None:
    """Keep a place of an item for the caller for a while."""
    mine = (holds.c.item_id == item_id) & (holds.c.reviewer == tx.caller.member)
    tx.execute(delete(holds).where(mine))
    tx.execute(insert(holds).values(item_id=item_id, reviewer=tx.caller.member, until=tx.now + HOLD))


def work(tx: Tx, platform: Platform, queue: RowMapping, row: RowMapping) -> Work:
    """Return an item as the caller sees it. Raises NotFound where its trace is gone."""
    span = store.judged(platform, tx.project, row["trace_id"], row["span_id"])
    if span is None:
        raise NotFound(f"The trace {row['trace_id']} is gone.", hint="Take the next item.")
    before = [one for one in store.reviews_of(tx, row["id"]) if one.reviewer == tx.caller.member]
    return Work(
        item=store.as_item(row, queue["name"]),
        rubric=queue["rubric"],
        questions=store.questions_of(queue),
        input=span.input,
        output=span.output,
        model=span.model,
        release=span.release,
        held_until=tx.now + HOLD,
        given=before[-1].answers if before and not before[-1].skipped else None,
    )


def submit(
    tx: Tx, queue: RowMapping, item_id: str, answers: Mapping[str, Answer], comment: str, *, skip: bool
) -> Settled:
    """Take what the caller says of an item, for the first time or anew.

    Raises Invalid for answers that do not fit, Conflict where enough others have spoken, NotFound.
    """
    require_reviewer(tx, queue)
    row = store.item(tx, queue, item_id)
    me = tx.caller.member
    said = [one for one in store.reviews_of(tx, item_id) if not one.adjudication]
    others = [one for one in said if one.reviewer != me]
    if any(one.adjudication for one in store.reviews_of(tx, item_id)):
        raise Conflict("The item was settled by an adjudicator.", hint="Take the next item.")
    if len(others) >= queue["reviewers"]:
        raise Conflict("Enough others have judged this item.", hint="Take the next item.")
    given = {} if skip else rubric.checked(store.questions_of(queue), answers)
    _write(tx, queue, item_id, given, comment, skipped=skip, adjudication=False)
    tx.execute(delete(holds).where(holds.c.item_id == item_id, holds.c.reviewer == me))
    spoken = [one.answers for one in others if not one.skipped] + ([] if skip else [given])
    return _concluded(tx, queue, row, spoken, len(others) + 1)


def conclude(tx: Tx, queue: RowMapping) -> None:
    """Bring open items to an end that have as many reviews as the queue asks for now."""
    enough = (items.c.queue_id == queue["id"]) & (items.c.state == "open") & (items.c.reviews >= queue["reviewers"])
    for row in tx.execute(select(items).where(enough).with_for_update()).mappings().all():
        said = [one for one in store.reviews_of(tx, row["id"]) if not one.adjudication]
        _concluded(tx, queue, row, [one.answers for one in said if not one.skipped], len(said))


def _concluded(
    tx: Tx, queue: RowMapping, row: RowMapping, spoken: Sequence[Mapping[str, Answer]], count: int
) -> Settled:
    """Put an item into the state that its reviews come to: `spoken` are those of the `count` that were not skipped."""
    questions = store.questions_of(queue)
    if count < queue["reviewers"]:
        return _moved(tx, queue, row, questions, "open", None, count)
    if not spoken:
        return _moved(tx, queue, row, questions, "skipped", None, count)
    final = rubric.settled(questions, spoken)
    return _moved(tx, queue, row, questions, "disputed" if final is None else "done", final, count)


def adjudicate(tx: Tx, queue: RowMapping, item_id: str, answers: Mapping[str, Answer], comment: str) -> Settled:
    """Settle an item, whatever reviewers said. Raises Invalid, NotFound, Denied for a guest."""
    if tx.caller.member.startswith(GUEST):
        raise Denied("A guest settles no dispute.", hint="Ask a member of the project.")
    row = store.item(tx, queue, item_id)
    questions = store.questions_of(queue)
    given = rubric.checked(questions, answers)
    tx.execute(delete(reviews).where(reviews.c.item_id == item_id, reviews.c.adjudication.is_(True)))
    _write(tx, queue, item_id, given, comment, skipped=False, adjudication=True)
    return _moved(tx, queue, row, questions, "done", given, row["reviews"])


def require_reviewer(tx: Tx, queue: RowMapping) -> None:
    """Raise Conflict for a closed queue, Denied where the caller may not review it."""
    if queue["state"] != "open":
        raise Conflict(f"The queue {queue['name']} is closed.", hint=f"`mainspring queue update {queue['name']}`.")
    named = queue["members"]
    if named and tx.caller.member not in named and not tx.caller.member.startswith(GUEST):
        raise Denied(f"The queue {queue['name']} is for {', '.join(named)}.", hint="Ask one of them, or an admin.")


def _write(
    tx: Tx, queue: RowMapping, item_id: str, given: Mapping[str, Answer], comment: str, *, skipped: bool,
    adjudication: bool,
) -> None:  # fmt: skip
    key = {"item_id": item_id, "reviewer": tx.caller.member, "adjudication": adjudication}
    tx.execute(delete(reviews).where(*(reviews.c[name] == value for name, value in key.items())))
    values = {"queue_id": queue["id"], "answers": dict(given), "comment": comment, "skipped": skipped, "at": tx.now}
    tx.execute(insert(reviews).values(**key, **values))


def _moved(
    tx: Tx, queue: RowMapping, row: RowMapping, questions: Sequence[Question], state: str,
    final: dict[str, Answer] | None, count: int,
) -> Settled:  # fmt: skip
    """Put an item into its state; its scores follow, in the place of those that followed before."""
    if row["score_ids"]:
        tx.execute(delete(scores).where(scores.c.project == tx.project, scores.c.id.in_(row["score_ids"])))
    made = _scored(tx, queue, row, questions, final) if final is not None else []
    values: dict[str, Any] = {"state": state, "reviews": count, "final": final, "score_ids": [one.id for one in made]}
    tx.execute(update(items).where(items.c.id == row["id"]).values(**values))
    return Settled(item=store.as_item({**row, **values}, queue["name"]), scores=made)  # type: ignore[arg-type]


def _scored(
    tx: Tx, queue: RowMapping, row: RowMapping, questions: Sequence[Question], final: Mapping[str, Answer]
) -> list[Score]:
    made = []
    for question in questions:
        if question.name in final:
            said = final[question.name]
            fields: dict[str, Any] = {"comment": f"From the queue {queue['name']}."}
            if question.kind in ("thumbs", "number"):
                fields["number"] = float(said)
            elif question.kind == "label":
                fields["label"] = str(said)
            elif question.kind == "text":
                fields["comment"] = str(said)
            else:
                fields["correction"] = str(said)
            made.append(score_store.put(tx, question.name, trace_id=row["trace_id"], span_id=row["span_id"], **fields))
    return made
