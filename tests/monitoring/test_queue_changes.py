"""Annotation queues that change under way: fewer reviewers, other questions, and who may take an item up."""

from __future__ import annotations

import pytest
from tests.monitoring.test_annotation_queues import BETTER, HELPFUL, TONE, trace, traced

from mainspring.kernel.errors import Conflict, Denied, Invalid
from mainspring.monitoring import Queues
from mainspring.traces import Scores

assert traced


def test_fewer_reviewers_bring_what_has_enough_reviews_to_its_end(traced, acting):
    queues = Queues(traced)
    queues.create("trio", [HELPFUL], reviewers=3)
    queues.add("trio", [trace(number) for number in range(1, 5)])
    said = {"bob": [1, 1, None, 1], "cleo": [1, 0, None]}
    for member, answers in said.items():
        with acting("annotator", member):
            for answer in answers:
                work = queues.next("trio")
                given = {} if answer is None else {"helpful": answer}
                queues.submit("trio", work.item.id, answers=given, skip=answer is None)
    assert queues.get("trio").progress.open == 4
    queues.update("trio", reviewers=2)
    states = {item.trace_id: item.state for item in queues.items("trio").items}
    assert states == {trace(1): "done", trace(2): "disputed", trace(3): "skipped", trace(4): "open"}
    [score] = Scores(traced).list_(trace_id=trace(1)).items
    assert (score.name, score.number) == ("helpful", 1.0)


def test_questions_change_until_somebody_has_answered_them(traced):
    queues = Queues(traced)
    queues.create("fresh", [HELPFUL])
    queues.add("fresh", [trace(1)])
    assert [one.name for one in queues.update("fresh", questions=[TONE, BETTER]).questions] == ["tone", "better"]
    with pytest.raises(Invalid, match="Two questions"):
        queues.update("fresh", questions=[TONE, TONE])
    work = queues.next("fresh")
    queues.submit("fresh", work.item.id, answers={"tone": "kind"})
    with pytest.raises(Conflict, match="answered"):
        queues.update("fresh", questions=[HELPFUL])
    assert queues.update("fresh", rubric_text="Be fair.").rubric == "Be fair."


def test_an_item_is_taken_up_by_those_who_may_review_it(traced, acting):
    queues = Queues(traced)
    queues.create("few", [HELPFUL], members=["bob"])
    queues.add("few", [trace(1)])
    item_id = queues.items("few").items[0].id
    with acting("annotator", "eve"), pytest.raises(Denied, match="for bob"):
        queues.take("few", item_id)
    with acting("annotator", "bob"):
        assert queues.next("few").item.id == queues.take("few", item_id).item.id == item_id
    queues.update("few", closed=True)
    with acting("annotator", "bob"), pytest.raises(Conflict, match="closed"):
        queues.take("few", item_id)
    assert queues.take("few", item_id).item.id == item_id, "an admin settles disputes of any queue"
