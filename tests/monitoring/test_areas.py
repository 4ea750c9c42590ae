"""Improvement areas: what fails alike is found, named, tracked to its fix, and open again where it comes back."""

from __future__ import annotations

import zlib
from datetime import timedelta

import numpy as np
import pytest

from mainspring.kernel import hooks, runs
from mainspring.kernel.errors import Conflict, LimitReached, NotFound
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.spans import Span
from mainspring.monitoring import Issues, Monitors, Queues
from mainspring.monitoring.annotation import Question
from mainspring.monitoring.areas.halves import finds
from mainspring.monitoring.areas.jobs import run_due
from mainspring.monitoring.areas.models import FindSettings
from mainspring.traces import Retentions, Scores, Traces
from mainspring.traces.erasure import expire


class Words:
    """An Embed port that counts words by hash, so that like words are near."""

    name = "words"

    def embed(self, texts):
        vectors = np.full((len(texts), 512), 1e-6, np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.encode()) % 512] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def said(role, text):
    return [{"role": role, "parts": [{"type": "text", "content": text}]}]


@pytest.fixture
def call(platform):
    platform.embed_port = Words()
    count = [0]

    def make(text, score=None, *, comment="", hours_ago=1.0, name="helpful", **fields):
        count[0] += 1
        at = int((platform.clock.now() - timedelta(hours=hours_ago)).timestamp() * 1e9) + count[0]
        base = {"trace_id": f"{count[0]:032x}", "span_id": f"{count[0]:016x}", "project": "default", "kind": "chat",
                "environment": "production", "deployment": "docs", "release": "release/docs@1", "start_ns": at,
                "end_ns": at + 10**8, "status": "ok", "input": said("user", text),
                "output": said("assistant", "An answer.")}  # fmt: skip
        platform.spans.append([Span(**{**base, **fields})])
        if score is not None:
            Scores(platform).create(name, trace_id=base["trace_id"], number=score, comment=comment)
        return base["trace_id"]

    return make


@pytest.fixture
def find(platform):
    def look(**settings):
        platform.spans.flush()
        run = Issues(platform).find(settings=FindSettings(**settings))
        with platform.read() as tx:
            found = runs.get(tx, run.id)
        assert found.state == "succeeded", found.error
        return found.result

    return look


@pytest.fixture
def refunds(call):
    """Sixty questions about refunds, mostly badly answered, and sixty about shipping that are well answered."""
    ids = [call(f"how do refunds work for order number{n}", 0.0 if n % 4 else 1.0) for n in range(60)]
    for n in range(60):
        call(f"where is shipping tracked today parcel{n}", 1.0 if n % 12 else 0.0)
    return ids


def only(platform, **where):
    (one,) = Issues(platform).list_(**where).items
    return one


def test_low_scores_and_errors_are_grouped_named_and_counted(platform, call, find, refunds):
    for n in range(4):
        call(f"anything {n}", status="error", status_message=f"The engine did not answer in {n * 37} ms.", hours_ago=50)
    call("something wholly else", 0.0)
    found = find()
    assert (found["looked_at"], found["fresh"], found["joined"], found["alone"]) == (55, 55, 0, 1)
    areas = Issues(platform).list_().items
    assert len(found["opened"]) == len(areas) == 3
    by_word = {next((w for w in ("refunds", "shipping", "engine") if w in one.words), "?"): one for one in areas}
    assert {word: one.count for word, one in by_word.items()} == {"refunds": 45, "shipping": 5, "engine": 4}
    assert by_word["engine"].why == "errors" and by_word["engine"].score == ""
    assert by_word["refunds"].why == "scores" and by_word["refunds"].score == "helpful"
    assert "refunds" in by_word["refunds"].name and "shipping" not in by_word["refunds"].words
    assert sum(day.count for day in by_word["refunds"].days) == 45
    again = find()
    assert (again["fresh"], again["opened"]) == (1, []) and len(Issues(platform).list_().items) == 3


def test_the_effect_is_of_all_calls_that_ask_alike_and_had_no_part_in_finding_the_area(platform, find, refunds):
    found = find()
    area = next(one for one in Issues(platform).list_().items if "refunds" in one.words)
    effect = area.effect
    held = [at for at, trace_id in enumerate(refunds) if not finds(trace_id)]
    assert 20 <= len(held) <= 40 and (effect.metric, effect.n_inside) == ("helpful", len(held))
    assert effect.inside == pytest.approx(sum(at % 4 == 0 for at in held) / len(held))
    assert effect.shown and found["shown"] == [area.id] and effect.areas == 2 and effect.test == "Fisher's exact test"
    assert effect.low < effect.difference < effect.high < -0.3 and effect.p_value <= effect.p_adjusted < 1e-4
    assert [event.kind for event in Issues(platform).get(area.id).events] == ["shown", "opened"]
    find()
    assert [event.kind for event in Issues(platform).get(area.id).events] == ["shown", "opened"], "it is told once"


def test_of_a_session_one_call_counts(platform, call, find):
    for n in range(60):
        call(f"how do refunds work for order number{n}", 0.0, session_id=f"s{n % 6}")
        call(f"where is shipping tracked today parcel{n}", 1.0)
    find()
    effect = next(one for one in Issues(platform).list_().items if "refunds" in one.words).effect
    assert effect.n_inside <= 6 and effect.low is None and "too few" in effect.note


def test_few_calls_get_no_interval(platform, call, find):
    for n in range(4):
        call(f"refund question {n}", 0.0)
        call(f"shipping inquiry {n}", 1.0)
    find()
    effect = only(platform).effect
    assert effect.low is None and not effect.shown and effect.note


def test_an_area_found_among_too_few_is_measured_by_what_comes_after(platform, call, find, clock):
    for n in range(3):
        call(f"refund policy question {n}", 0.0)
    find()
    first = only(platform).effect
    assert (first.n_inside, first.inside) == (0, None) and "found by do not count" in first.note
    clock.advance(hours=1)
    for n in range(60):
        call(f"refund policy question {n}", float(n % 10 == 0), hours_ago=0.0)
        call(f"shipping inquiry parcel {n}", float(n % 10 != 0), hours_ago=0.0)
    find()
    later = next(one for one in Issues(platform).list_().items if "refund" in one.words).effect
    assert (later.n_inside, later.n_outside, later.shown) == (60, 60, True)


def test_an_area_shows_examples_comments_releases_and_history(platform, call, find):
    for n in range(3):
        call(f"refund policy question {n}", 0.0, comment="It invents a fee.")
    find()
    one = Issues(platform).get(only(platform).id)
    assert len(one.examples) == 3 and one.examples[0].comment == "It invents a fee."
    assert one.examples[0].question.startswith("refund policy") and one.examples[0].answer == "An answer."
    assert one.releases == {"release/docs@1": 3}
    assert [event.kind for event in one.events] == ["opened"]
    page = Issues(platform).traces(one.id, limit=2)
    assert len(page.items) == 2 and len(Issues(platform).traces(one.id, cursor=page.next_cursor).items) == 1


def test_new_traces_join_the_area_that_they_resemble(platform, call, find):
    for n in range(3):
        call(f"refund policy question {n}", 0.0)
    find()
    call("refund policy question again", 0.0)
    call("refund policy question well", 1.0)
    assert find()["joined"] == 1
    assert only(platform).count == 4


def test_a_fixed_area_is_reopened_where_it_comes_back_and_not_by_the_release_before(platform, call, find):
    from mainspring.kernel import versions
    from mainspring.registry import Releases

    with platform.begin() as tx:
        versions.commit(tx, "model", "base", {"weights": 1})
    Releases(platform).create("docs", model="model/base")
    Releases(platform).create("docs", model="model/base", parameters={"max_tokens": 5})
    for n in range(3):
        call(f"refund policy question {n}", 0.0)
    find()
    area = only(platform)
    Issues(platform).acknowledge(area.id, note="I look.")
    fixed = Issues(platform).resolve(area.id, release="release/docs@2", note="New prompt.")
    assert (fixed.state, fixed.release) == ("fixed", "release/docs@2") and fixed.fixed_at
    call("refund policy question old", 0.0, hours_ago=0.0, release="release/docs@1")
    assert find()["reopened"] == [] and only(platform).state == "fixed"
    call("refund policy question new", 0.0, hours_ago=0.0, release="release/docs@2")
    assert find()["reopened"] == [area.id]
    back = Issues(platform).get(area.id)
    assert (back.state, back.reopened, back.release) == ("open", 1, "")
    assert [event.kind for event in back.events] == ["reopened", "fixed", "acknowledged", "opened"]
    assert "release/docs@2" in back.events[0].note


def test_an_ignored_area_grows_in_silence(platform, call, find):
    for n in range(3):
        call(f"refund policy question {n}", 0.0)
    find()
    Issues(platform).ignore(only(platform).id)
    call("refund policy question more", 0.0, hours_ago=0.0)
    find()
    assert (only(platform).state, only(platform).count) == ("ignored", 4)
    with pytest.raises(Conflict, match="ignored"):
        Issues(platform).acknowledge(only(platform).id)
    assert Issues(platform).reopen(only(platform).id).state == "open"
    assert Issues(platform).list_(state="ignored").items == []


def test_an_area_becomes_a_dataset_and_a_queue(platform, call, find):
    for n in range(3):
        call(f"refund policy question {n}", 0.0)
    find()
    area = only(platform)
    made = Issues(platform).dataset(area.id, "refunds")
    assert made.ref == "dataset/refunds@1" and made.rows == 3 and area.name in made.note
    Queues(platform).create("look", [Question(name="why", kind="text")])
    assert Issues(platform).queue(area.id, "look").added == 3
    with pytest.raises(NotFound):
        Issues(platform).queue(area.id, "nowhere")


def test_scores_whose_low_values_are_good_do_not_count(platform, call, find):
    from mainspring.monitoring import Evaluators

    Evaluators(platform).create("harm", "toxicity")
    for n in range(3):
        call(f"refund policy question {n}", 0.0, name="harm")
    assert find()["looked_at"] == 0
    assert find(scores=["harm"])["looked_at"] == 3


def test_a_search_is_repeated_when_it_is_due(platform, call, clock):
    for n in range(3):
        call(f"refund policy question {n}", 0.0)
    made = Issues(platform).schedule(every_minutes=60)
    assert run_due(platform) == 1 and only(platform).count == 3
    assert run_due(platform) == 0
    clock.advance(minutes=61)
    assert run_due(platform) == 1
    changed = Issues(platform).schedule(every_minutes=5, enabled=False)
    assert changed.id == made.id and not changed.enabled and run_due(platform) == 0
    assert [one.id for one in Issues(platform).searches().items] == [made.id]
    Issues(platform).unschedule(made.id)
    assert Issues(platform).searches().items == []


def test_areas_raise_an_alert_when_they_are_shown_to_do_worse_or_come_back(platform, call, find, clock):
    Monitors(platform).create("new-areas", "areas", window_minutes=60)
    Monitors(platform).create("every-area", "areas", window_minutes=60, settings={"announce": "found"})
    assert Monitors(platform).test("new-areas").state == "ok"
    for n in range(3):
        call(f"refund policy question {n}", 0.0)
    find()
    assert Monitors(platform).run("new-areas").state == "ok", "three bad answers show nothing of the others"
    assert Monitors(platform).run("every-area").state == "firing"
    for n in range(60):
        call(f"refund policy question {n}", float(n % 10 == 0), hours_ago=0.0)
        call(f"shipping inquiry parcel {n}", float(n % 10 != 0), hours_ago=0.0)
    find()
    found = Monitors(platform).run("new-areas")
    assert found.state == "firing" and "refund" in found.summary and found.trace_ids
    clock.advance(hours=2)
    assert Monitors(platform).run("new-areas").state == "ok"
    for _ in range(3):
        call("anything", status="error", status_message="The engine did not answer.", hours_ago=0.0)
    find()
    assert Monitors(platform).run("new-areas").state == "firing", "calls that fail alike need no comparison"


def test_erased_traces_leave_their_area(platform, call, find):
    ids = [call(f"refund policy question {n}", 0.0) for n in range(3)]
    find()
    request = ErasureRequest("default", (ids[0],))
    assert hooks.erasure_hooks["areas"](platform, request, False) == 1 and only(platform).count == 3
    assert hooks.erasure_hooks["areas"](platform, request, True) == 1 and only(platform).count == 2


def test_a_trace_that_is_deleted_leaves_its_area_and_its_queue(platform, call, find):
    ids = [call(f"refund policy question {n}", 0.0) for n in range(3)]
    find()
    Queues(platform).create("refunds", [Question(name="why", kind="text")])
    assert Issues(platform).queue(only(platform).id, "refunds").added == 3
    Traces(platform).delete(ids[0])
    assert only(platform).count == 2 and len(Queues(platform).items("refunds").items) == 2
    Retentions(platform).set(days=1)
    platform.clock.advance(days=2)
    assert expire(platform) > 0
    area = only(platform)
    assert (area.count, area.words, "refund" in area.name) == (0, [], False)
    assert Queues(platform).items("refunds").items == []


def test_without_an_embedding_model_a_search_says_so(platform):
    run = Issues(platform).find()
    with platform.read() as tx:
        assert "no embedding model" in runs.get(tx, run.id).error["message"]


def test_a_project_repeats_so_many_searches_and_each_can_still_be_changed(platform):
    issues = Issues(platform)
    for number in range(100):
        issues.schedule(target=f"deployment/d{number}")
    with pytest.raises(LimitReached):
        issues.schedule(target="deployment/one-too-many")
    assert issues.schedule(target="deployment/d7", every_minutes=90).every_minutes == 90
    first = issues.searches(limit=60)
    assert len(first.items) == 60 and len(issues.searches(limit=60, cursor=first.next_cursor).items) == 40


def test_a_list_of_areas_counts_each_ones_days(platform, call, find):
    for hours_ago in (1, 1, 50):
        call(f"how do refunds work {hours_ago}", 0.0, hours_ago=hours_ago)
    for number in range(3):
        call(f"where is shipping tracked parcel {number}", 0.0, hours_ago=2)
    find()
    listed = {one.id: one for one in Issues(platform).list_().items}
    assert sorted(tuple(day.count for day in one.days) for one in listed.values()) == [(1, 2), (3,)]
    assert all(Issues(platform).get(key).days == one.days for key, one in listed.items())
