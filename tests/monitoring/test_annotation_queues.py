"""Annotation queues through their operations: who gets what, what is settled, and what follows from it."""

from __future__ import annotations

import pytest

from mainspring.data.service import Datasets
from mainspring.kernel import access, hooks
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.spans import Span
from mainspring.monitoring import Queues
from mainspring.monitoring.annotation import Question, guest_of
from mainspring.traces import Scores
from mainspring.workspace import first_start

HELPFUL = Question(name="helpful", kind="thumbs", text="Does it answer the question?")
TONE = Question(name="tone", kind="label", labels=["rude", "plain", "kind"], ordered=True)
STARS = Question(name="stars", kind="number", low=1, high=5, required=False)
BETTER = Question(name="better", kind="correction", required=False)
MISSING = "f" * 32


def trace(number: int) -> str:
    return f"{number:032x}"


@pytest.fixture
def traced(platform):
    """Thirty traces, a question and an answer each."""
    at = int(platform.clock.now().timestamp() * 1e9)
    spans = [
        Span(
            trace_id=trace(number),
            span_id=f"{number:016x}",
            project="default",
            environment="production",
            deployment="docs",
            user_id=f"user-{number % 3}",
            name="chat docs",
            kind="chat",
            start_ns=at + number,
            end_ns=at + number + 10**6,
            status="ok",
            input=[{"role": "user", "parts": [{"type": "text", "content": f"Question {number}?"}]}],
            output=[{"role": "assistant", "parts": [{"type": "text", "content": f"Answer {number}."}]}],
        )
        for number in range(1, 31)
    ]
    platform.spans.append(spans)
    platform.spans.flush()
    return platform


def test_one_reviewer_settles_at_once_and_scores_follow(traced):
    queues = Queues(traced)
    queues.create("fresh", [HELPFUL, TONE, BETTER], rubric_text="Be fair.")
    assert queues.add("fresh", [trace(1), trace(2), trace(1), MISSING]).model_dump() == {
        "added": 2,
        "known": 0,
        "missing": [MISSING],
    }
    work = queues.next("fresh")
    assert (work.item.trace_id, work.rubric) == (trace(1), "Be fair.")
    assert work.input[0]["parts"][0]["content"] == "Question 1?"
    settled = queues.submit("fresh", work.item.id, answers={"helpful": 0, "tone": "kind", "better": "The answer is 1."})
    assert settled.item.state == "done"
    given = {score.name: score for score in Scores(traced).list_(trace_id=trace(1)).items}
    assert given["helpful"].number == 0
    assert given["tone"].label == "kind"
    assert given["better"].correction == "The answer is 1."
    assert queues.get("fresh").progress.model_dump() == {
        "items": 2, "open": 1, "done": 1, "disputed": 0, "skipped": 0, "reviews": 1, "mine": 1,
    }  # fmt: skip

    # One may think again: what followed before does not stay beside it.
    queues.submit("fresh", work.item.id, answers={"helpful": 1, "tone": "plain"})
    again = {score.name: score for score in Scores(traced).list_(trace_id=trace(1)).items}
    assert set(again) == {"helpful", "tone"}
    assert again["helpful"].number == 1
    assert queues.take("fresh", work.item.id).given == {"helpful": 1, "tone": "plain"}


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ({}, "helpful is not answered"),
        ({"helpful": 0.5, "tone": "kind"}, "helpful is 0.5"),
        ({"helpful": 1, "tone": "sly"}, "tone is 'sly'"),
        ({"helpful": 1, "tone": "kind", "stars": 9}, "stars is 9"),
        ({"helpful": 1, "tone": "kind", "stars": float("nan")}, "stars is nan"),
        ({"helpful": 1, "tone": "kind", "colour": "red"}, "asks no colour"),
    ],
)
def test_answers_that_do_not_fit_are_refused(traced, answers, problem):
    queues = Queues(traced)
    queues.create("fresh", [HELPFUL, TONE, STARS])
    queues.add("fresh", [trace(1)])
    work = queues.next("fresh")
    with pytest.raises(Invalid, match=problem):
        queues.submit("fresh", work.item.id, answers=answers)
    assert queues.get("fresh").progress.reviews == 0


@pytest.mark.parametrize(
    "questions",
    [
        [HELPFUL, HELPFUL],
        [Question(name="a", kind="label", labels=["one"])],
        [Question(name="a", kind="number", low=5, high=1)],
        [Question(name="a", kind="text", labels=["x", "y"])],
    ],
)
def test_a_rubric_that_cannot_be_asked_is_refused(platform, questions):
    with pytest.raises(Invalid):
        Queues(platform).create("odd", questions)


def test_reviewers_get_places_and_never_one_too_many(traced, acting):
    queues = Queues(traced)
    queues.create("pair", [HELPFUL], reviewers=2)
    queues.add("pair", [trace(1)])
    with acting("annotator", "bob"):
        first = queues.next("pair")
    with acting("annotator", "cleo"):
        assert queues.next("pair").item.id == first.item.id
    with acting("annotator", "dan"), pytest.raises(NotFound, match="waits for you"):
        queues.next("pair")
    with acting("annotator", "bob"):
        queues.submit("pair", first.item.id, answers={"helpful": 1})
        with pytest.raises(NotFound):
            queues.next("pair")
    # Who was given a place and went away loses it after a while.
    traced.clock.advance(minutes=16)
    with acting("annotator", "dan"):
        assert queues.next("pair").item.id == first.item.id
        queues.submit("pair", first.item.id, answers={"helpful": 1})
    with acting("annotator", "cleo"), pytest.raises(Conflict, match="Enough others"):
        queues.submit("pair", first.item.id, answers={"helpful": 0})


def test_a_dispute_waits_for_an_adjudicator(traced, acting):
    queues = Queues(traced)
    queues.create("pair", [TONE, STARS], reviewers=2)
    queues.add("pair", [trace(1), trace(2)])
    for member, tones in (("bob", ("kind", "plain")), ("cleo", ("rude", "plain"))):
        with acting("annotator", member):
            for tone in tones:
                work = queues.next("pair")
                queues.submit("pair", work.item.id, answers={"tone": tone, "stars": 3 if member == "bob" else 4})
    states = {item.trace_id: item for item in queues.items("pair").items}
    assert states[trace(1)].state == "disputed"
    assert states[trace(2)].final == {"tone": "plain", "stars": 3.5}
    assert Scores(traced).list_(trace_id=trace(1)).items == []
    disputed = states[trace(1)].id
    with acting("annotator", "bob"):
        with pytest.raises(Denied):
            queues.reviews("pair", disputed)
        with pytest.raises(Denied):
            queues.adjudicate("pair", disputed, {"tone": "plain"})
    assert [(one.reviewer, one.answers["tone"]) for one in queues.reviews("pair", disputed)] == [
        ("bob", "kind"),
        ("cleo", "rude"),
    ]
    assert queues.adjudicate("pair", disputed, {"tone": "plain"}).item.state == "done"
    assert Scores(traced).list_(trace_id=trace(1)).items[0].label == "plain"
    with acting("annotator", "bob"), pytest.raises(Conflict, match="settled by an adjudicator"):
        queues.submit("pair", disputed, answers={"tone": "kind"})


def test_skipping_passes_on_and_ends(traced, acting):
    queues = Queues(traced)
    queues.create("pair", [HELPFUL], reviewers=2)
    queues.add("pair", [trace(1)])
    for member in ("bob", "cleo"):
        with acting("annotator", member):
            settled = queues.submit("pair", queues.next("pair").item.id, skip=True)
    assert settled.item.state == "skipped"
    assert settled.scores == []


def test_agreement_is_that_of_the_stats_room(traced, acting):
    queues = Queues(traced)
    queues.create("pair", [TONE, HELPFUL, BETTER], reviewers=2)
    assert queues.agreement("pair").questions[0].note == "No item was judged by two reviewers yet."
    queues.fill("pair", limit=30)
    tones = ["rude", "plain", "kind"]
    for member, step in (("bob", 1), ("cleo", 2)):
        with acting("annotator", member):
            for at in range(30):
                work = queues.next("pair")
                said = tones[at % 3] if at % (5 * step) else tones[(at + 1) % 3]
                queues.submit("pair", work.item.id, answers={"tone": said, "helpful": 1})
    tone, helpful, better = queues.agreement("pair").questions
    assert (tone.units, helpful.alpha) == (30, None)
    assert better.note == "Words in freedom are not compared."
    assert 0.5 < tone.alpha < 1
    assert 0.5 < tone.fleiss < 1
    assert tone.pairs[0].n == 30
    assert tone.pairs[0].share == pytest.approx(27 / 30)


def test_a_queue_is_for_whom_it_names_while_it_is_open(traced, acting):
    queues = Queues(traced)
    queues.create("few", [HELPFUL], members=["bob"])
    queues.add("few", [trace(1)])
    with acting("annotator", "cleo"), pytest.raises(Denied, match="is for bob"):
        queues.next("few")
    queues.update("few", closed=True)
    with acting("annotator", "bob"), pytest.raises(Conflict, match="closed"):
        queues.next("few")
    with acting("viewer", "eve"), pytest.raises(Denied):
        queues.next("few")
    with pytest.raises(Conflict):
        queues.create("few", [HELPFUL])


def test_filling_draws_the_same_share_again(traced):
    queues = Queues(traced)
    queues.create("some", [HELPFUL])
    first = queues.fill("some", share=0.5)
    assert 5 < first.added < 25
    assert queues.fill("some", share=0.5).model_dump() == {"added": 0, "known": first.added, "missing": []}
    Scores(traced).create("thumb", trace_id=trace(7), number=0)
    queues.create("bad", [HELPFUL])
    assert queues.fill("bad", score="thumb", at_most=0).added == 1
    assert queues.fill("bad", score="thumb", at_most=-1).added == 0


def test_what_is_settled_becomes_rows_with_their_sources(traced):
    queues = Queues(traced)
    queues.create("fix", [BETTER.model_copy(update={"required": True})])
    queues.add("fix", [trace(1), trace(2)])
    with pytest.raises(Invalid, match="settled yet"):
        queues.collect("fix", "fixed")
    work = queues.next("fix")
    queues.submit("fix", work.item.id, answers={"better": "One."})
    version = queues.collect("fix", "fixed", question="better")
    assert version.rows == 1
    [row] = Datasets(traced).rows("fixed").items
    assert row.messages[-1].content == "One."
    assert row.meta["answer"] == "Answer 1."


def test_a_link_opens_one_queue_until_it_is_taken_back(traced):
    first_start(traced, owner="ann")
    queues = Queues(traced)
    queues.create("open", [HELPFUL])
    queues.add("open", [trace(1), trace(2)])
    link = queues.share("open", "pat", days=1)
    token = link.path.partition("#")[2]
    caller, name = guest_of(traced, token)
    assert (caller.member, name, caller.may("trace.read"), caller.may("queue.write")) == (
        "guest:pat", "open", False, True,
    )  # fmt: skip
    for forged in ("", "x.y", token[:-1], token[1:], token.replace(".", "..")):
        with pytest.raises(Unauthenticated):
            guest_of(traced, forged)
    queues.unshare("open")
    with pytest.raises(Unauthenticated):
        guest_of(traced, token)
    again = queues.share("open", "pat", days=1).path.partition("#")[2]
    traced.clock.advance(days=2)
    with pytest.raises(Unauthenticated):
        guest_of(traced, again)


def test_erasure_reaches_what_was_said(traced):
    queues = Queues(traced)
    queues.create("fresh", [HELPFUL])
    queues.add("fresh", [trace(1), trace(2)])
    queues.submit("fresh", queues.next("fresh").item.id, answers={"helpful": 1})
    erase = hooks.erasure_hooks["annotation"]
    request = ErasureRequest("default", (trace(1),))
    assert erase(traced, request, False) == 2
    assert erase(traced, request, True) == 2
    assert erase(traced, request, True) == 0
    assert [item.trace_id for item in queues.items("fresh").items] == [trace(2)]


def test_deleting_a_queue_leaves_the_scores(traced):
    queues = Queues(traced)
    queues.create("fresh", [HELPFUL])
    queues.add("fresh", [trace(1)])
    queues.submit("fresh", queues.next("fresh").item.id, answers={"helpful": 1})
    queues.delete("fresh")
    with pytest.raises(NotFound):
        queues.get("fresh")
    assert len(Scores(traced).list_(trace_id=trace(1)).items) == 1


def test_a_key_for_reviewing_or_for_datasets_does_not_read_every_trace(traced):
    queues = Queues(traced)
    queues.create("fresh", [HELPFUL], members=["eve"])
    queues.add("fresh", [trace(1)])
    [item] = queues.items("fresh").items
    held = frozenset({"queue.write", "dataset.write"})
    with access.acting_as(Caller("bob", "", "default", "production", "annotator", held)):
        for look in (
            lambda: queues.add("fresh", [trace(2)]),
            lambda: queues.fill("fresh", deployment="docs"),
            lambda: Datasets(traced).collect("mine"),
        ):
            with pytest.raises(Denied, match=r"trace\.read"):
                look()
        with pytest.raises(Denied, match="for eve"):
            queues.take("fresh", item.id)
    with access.acting_as(Caller("eve", "", "default", "production", "annotator", held)):
        assert queues.take("fresh", item.id).item.id == queues.next("fresh").item.id == item.id
