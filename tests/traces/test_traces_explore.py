"""Looking at many traces at once: attributes, histograms, exports, outlines, conversations, users, comments, views."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient
from tests.conftest import make_caller
from tests.surfaces.test_every_face import NoEngines

from mainspring.kernel import access
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import encode_cursor
from mainspring.kernel.spans import Span
from mainspring.surfaces.app import build_app
from mainspring.traces import Scores, Sessions, Traces, Users
from mainspring.traces.comments import Comments
from mainspring.traces.models import SpanDetail
from mainspring.workspace import Keys, Members, authenticate, first_start
from mainspring.workspace.views import Views

T0 = datetime(2026, 1, 2, tzinfo=UTC)
ONE = f"{1:032x}"


def span(trace: int = 1, number: int = 1, **fields: object) -> Span:
    start = int(T0.timestamp() * 1e9) + trace * 10**9
    base: dict[str, object] = {
        "trace_id": f"{trace:032x}",
        "span_id": f"{trace * 100 + number:016x}",
        "parent_id": "" if number == 1 else f"{trace * 100 + 1:016x}",
        "project": "default",
        "name": "chat",
        "kind": "chat",
        "start_ns": start + number,
        "end_ns": start + 250_000_000,
    }
    return Span(**{**base, **fields})  # type: ignore[arg-type]


def said(*turns: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(turns)]


def numbers(items: list) -> list[int]:
    return [int(one.trace_id, 16) for one in items]


def test_attributes_are_tested_as_people_write_them(platform: Platform) -> None:
    platform.spans.append(
        [
            span(1, attributes={"tier": "gold", "note": "a = b"}),
            span(2, input_tokens=500, provider="acme"),
            span(3, attributes={"tier": "silver"}, model="m"),
        ]
    )

    def found(*tests: str) -> list[int]:
        return numbers(Traces(platform).list_(attribute=list(tests)).items)

    assert found("tier=gold") == [1] and found("tier != gold") == [3] and found("tier") == [3, 1]
    assert found("!tier") == [2] and found("note=a = b") == [1] and found("tier~il") == [3]
    assert found("gen_ai.usage.input_tokens>100") == [2] and found("gen_ai.system=acme") == [2]
    assert found("gen_ai.request.model=m", "tier=silver") == [3] and found("", "tier=gold") == [1]
    for wrong in ("=gold", "a b=c", "!tier=gold", "<", "tier ! gold"):
        with pytest.raises(Invalid):
            found(wrong)


def test_a_histogram_counts_what_the_list_would_show(platform: Platform) -> None:
    platform.spans.append([span(n, model="a" if n % 2 else "b", input=f"word{n}") for n in range(1, 8)])
    platform.spans.append([span(9, status="error", attributes={"tier": "gold"})])
    whole = {"since": T0, "until": T0 + timedelta(seconds=10), "bins": 5}
    every = Traces(platform).histogram(**whole)
    assert [one.traces for one in every.bins] == [1, 2, 2, 2, 1] and every.complete
    assert [one.errors for one in every.bins] == [0, 0, 0, 0, 1]
    assert every.bins[1].start == T0 + timedelta(seconds=2)
    assert [one.traces for one in Traces(platform).histogram(model="a", **whole).bins] == [1, 1, 1, 1, 0]
    assert [one.traces for one in Traces(platform).histogram(query="word4", **whole).bins] == [0, 0, 1, 0, 0]
    assert [one.errors for one in Traces(platform).histogram(attribute=["tier=gold"], **whole).bins] == [0, 0, 0, 0, 1]
    assert [one.traces for one in Traces(platform).histogram(score="none", **whole).bins] == [0] * 5
    assert sum(one.traces or 0 for one in Traces(platform).histogram().bins) == 8
    with pytest.raises(Invalid):
        Traces(platform).histogram(since=T0, until=T0)


def test_a_trace_comes_with_its_newest_scores_and_a_list_goes_on_to_the_older(platform: Platform) -> None:
    platform.spans.append([span(1, 1, session_id="talk"), span(2, 1, session_id="talk")])
    given = [Scores(platform).create("helpful", trace_id=ONE, number=float(n)) for n in range(250)]
    other = Scores(platform).create("helpful", trace_id=f"{2:032x}", number=1.0)
    about = Scores(platform).create("solved", session_id="talk", label="yes")
    whole, tree = Traces(platform).get(ONE), Traces(platform).outline(ONE)
    assert whole.scores == tree.scores == given[150:]
    assert whole.older_scores and whole.older_scores == tree.older_scores
    page = Scores(platform).list_(trace_id=ONE, limit=100, cursor=whole.older_scores)
    assert page.items == given[50:150][::-1] and page.next_cursor
    assert Traces(platform).get(f"{2:032x}").scores == [other]
    assert Traces(platform).get(f"{2:032x}").older_scores is None
    assert Sessions(platform).get("talk").scores == [*given, other, about]
    exported = {one.trace_id: one.scores for one in Traces(platform).export()}
    assert exported[ONE] == given, "an export is whole"


def test_an_outline_holds_the_tree_in_columns_and_a_span_comes_alone(platform: Platform) -> None:
    platform.spans.append([span(1, 2, input="hi", cost=0.5), span(1, 1, kind="invoke_agent")])
    platform.spans.append([span(1, 3, parent_id=f"{999:016x}", status="error")])
    score = Scores(platform).create("helpful", trace_id=ONE, number=1.0)
    tree = Traces(platform).outline(ONE)
    assert tree.spans.span_id == [f"{n:016x}" for n in (101, 102, 103)] and tree.scores == [score]
    assert tree.spans.parent == [-1, 0, -1] and tree.spans.says == [False, True, False]
    assert tree.spans.cost == [None, 0.5, None] and tree.status == "error" and 249.9 < tree.duration_ms < 250.0
    assert Traces(platform).span(ONE, f"{102:016x}").input == "hi"
    with pytest.raises(NotFound):
        Traces(platform).span(ONE, f"{104:016x}")
    with pytest.raises(NotFound):
        Traces(platform).outline(f"{2:032x}")


def every_page(platform: Platform, limit: int) -> list[list[SpanDetail]]:
    pages, cursor = [], ""
    while True:
        found = Traces(platform).get(ONE, limit=limit, cursor=cursor)
        pages.append(found.spans)
        if not found.next_cursor:
            return pages
        cursor = found.next_cursor


def test_a_trace_of_many_spans_is_read_in_pages(platform: Platform) -> None:
    many = [span(1, number, start_ns=10**18 + number // 3, end_ns=10**18 + 10**6) for number in range(1, 100)]
    many.append(span(1, 100, start_ns=10**18 + 7, end_ns=10**18 + 7, status="running"))
    platform.spans.append([*many[::-1], span(2)])
    pages = every_page(platform, 40)
    assert [len(page) for page in pages] == [40, 40, 20]
    shown = [one.span_id for page in pages for one in page]
    assert shown == Traces(platform).outline(ONE).spans.span_id and len(shown) == 100
    whole = Traces(platform).get(ONE)
    assert [one.span_id for one in whole.spans] == shown and whole.next_cursor is None
    assert whole.status == Traces(platform).outline(ONE).status and whole.duration_ms == 1
    with pytest.raises(Invalid):
        Traces(platform).get(ONE, cursor=encode_cursor("17"))


def test_a_page_of_a_trace_holds_no_more_than_one_answer_should(platform: Platform) -> None:
    large = {1: 3, 2: 3, 3: 1, 4: 12, 5: 1, 6: 1}
    platform.spans.append([span(1, number, input="x" * (size << 20)) for number, size in large.items()])
    pages = every_page(platform, 1000)
    assert [[int(one.span_id, 16) % 100 for one in page] for page in pages] == [[1, 2, 3], [4], [5, 6]]
    assert all(len(one.input) == large[int(one.span_id, 16) % 100] << 20 for page in pages for one in page)


@pytest.fixture
def http(bare_platform: Platform) -> Iterator[TestClient]:
    owner = first_start(bare_platform)
    assert owner is not None
    bare_platform.engine_port = NoEngines()
    with TestClient(build_app(bare_platform, dict), headers={"Authorization": f"Bearer {owner.secret}"}) as client:
        yield client


def test_an_export_streams_whole_traces_and_goes_on_where_it_stopped(bare_platform: Platform, http: TestClient) -> None:
    bare_platform.spans.append([span(n, number, input=f"i{n}") for n in range(1, 121) for number in (1, 2)])
    reply = http.get("/api/v1/traces/export", params={"limit": 70})
    assert reply.headers["content-type"] == "application/x-ndjson"
    first = [json.loads(line) for line in reply.text.splitlines()]
    assert [len(one["spans"]) for one in first] == [2] * 70 and first[0]["spans"][0]["input"] == "i120"
    assert [at for at, one in enumerate(first) if one["next_cursor"]] == [49, 69]
    rest = http.get("/api/v1/traces/export", params={"cursor": first[-1]["next_cursor"], "attribute": ["name=chat"]})
    second = [json.loads(line) for line in rest.text.splitlines()]
    assert [int(one["trace_id"], 16) for one in first + second] == list(range(120, 0, -1))
    assert second[-1]["next_cursor"] is None
    log = http.get("/api/v1/audit", params={"action": "trace.export"}).json()["items"]
    assert [row["detail"]["limit"] for row in log] == [1000, 70] and log[0]["detail"]["attribute"] == "name=chat"


def test_a_view_that_no_address_could_hold_is_refused(http: TestClient) -> None:
    def save(characters: int) -> int:
        state = {"query": "x" * (characters - 1000), "model": "m" * 1000}
        return http.post("/api/v1/views", json={"page": "traces", "title": "long", "state": state}).status_code

    assert [save(5_000), save(12_000)] == [201, 422]
    state = {f"f{number}": "x" * 4000 for number in range(3)}
    reply = http.post("/api/v1/views", json={"page": "traces", "title": "long", "state": state})
    assert reply.status_code == 422 and "10,000" in reply.text


def test_an_export_needs_a_right_of_its_own(bare_platform: Platform, http: TestClient) -> None:
    bare_platform.spans.append([span()])
    with access.acting_as(make_caller()):
        Members(bare_platform).add("vera", "viewer")
        key = Keys(bare_platform).create("vera").secret
    with access.acting_as(authenticate(bare_platform, key)), pytest.raises(Denied):
        Traces(bare_platform).export()
    assert http.get("/api/v1/traces/export", headers={"Authorization": f"Bearer {key}"}).status_code == 403
    assert http.get("/api/v1/traces/export", params={"status": "odd"}).status_code == 422
    assert http.get("/api/v1/traces/export", params={"model": "none"}).text == ""


def test_a_session_is_a_conversation_without_repeats(platform: Platform) -> None:
    platform.spans.append(
        [
            span(1, session_id="s/1", input=said("Hello"), output=said("x", "Hi!")[1:]),
            span(2, 1, session_id="s/1", kind="invoke_agent"),
            span(2, 2, input=said("Hello", "Hi!", "And now?"), output="Now."),
            span(3, session_id="s/1", input="y" * 50_000),
            span(4, session_id="other"),
        ]
    )
    page = Sessions(platform).conversation("s/1", limit=2)
    assert [one.trace.trace_id for one in page.items] == [f"{3:032x}", f"{2:032x}"]
    assert page.items[0].cut and page.items[0].input.endswith("…") and page.items[0].output is None
    assert page.items[1].input == [{"role": "user", "content": "And now?"}]
    assert (page.items[1].output, page.items[1].span_id, page.items[1].cut) == ("Now.", f"{202:016x}", False)
    rest = Sessions(platform).conversation("s/1", limit=2, cursor=page.next_cursor or "")
    assert [one.input for one in rest.items] == [said("Hello")] and rest.next_cursor is None


def test_users_are_listed_and_shown(platform: Platform) -> None:
    platform.spans.append([span(n, user_id=f"u/{n % 2}", session_id="s", cost=0.5) for n in range(1, 6)])
    lines = Users(platform).list_().items
    assert [(one.user_id, one.traces, one.cost) for one in lines] == [("u/1", 3, 1.5), ("u/0", 2, 1.0)]
    assert Users(platform).get("u/0").last_at == T0 + timedelta(seconds=4)
    assert [one.user_id for one in Users(platform).list_(since=T0 + timedelta(seconds=5)).items] == ["u/1"]
    with pytest.raises(NotFound):
        Users(platform).get("nobody")


def test_comments_are_taken_back_by_who_wrote_them_and_go_with_the_trace(platform: Platform) -> None:
    platform.spans.append([span(1), span(2)])
    with access.acting_as(make_caller("annotator", "bea")):
        mine = Comments(platform).create(ONE, "  Look at the tool. ", span_id=f"{101:016x}")
    with access.acting_as(make_caller("developer", "carl")):
        Comments(platform).create(ONE, "I did.")
        with pytest.raises(Denied):
            Comments(platform).delete(mine.id)
    with access.acting_as(make_caller("viewer", "vera")), pytest.raises(Denied):
        Comments(platform).create(ONE, "Me too.")
    found = Comments(platform).list_(trace_id=ONE).items
    assert [(one.text, one.created_by) for one in found] == [("I did.", "carl"), ("Look at the tool.", "bea")]
    with access.acting_as(make_caller("annotator", "bea")):
        Comments(platform).delete(mine.id)
    Traces(platform).delete(ONE)
    assert Comments(platform).list_().items == []
    with pytest.raises(NotFound):
        Comments(platform).create(ONE, "Too late.")


def test_views_are_ones_own_unless_they_are_shared(platform: Platform) -> None:
    with access.acting_as(make_caller("annotator", "bea")):
        own = Views(platform).save("traces", "Slow ones", {"min_duration_ms": "5000"})
        again = Views(platform).save("traces", "Slow ones", {"min_duration_ms": "1000"})
        shared = Views(platform).save("traces", "Errors", {"status": "error"}, shared=True)
    assert again.id == own.id
    with access.acting_as(make_caller("developer", "carl")):
        assert [one.title for one in Views(platform).list_(page="traces").items] == ["Errors"]
        with pytest.raises(Conflict):
            Views(platform).save("traces", "Errors", {}, shared=True)
        with pytest.raises(Denied):
            Views(platform).delete(shared.id)
        with pytest.raises(NotFound):
            Views(platform).delete(own.id)
    with access.acting_as(make_caller("annotator", "bea")):
        seen = [one.state for one in Views(platform).list_().items]
        assert seen == [{"min_duration_ms": "1000"}, {"status": "error"}]
        Views(platform).delete(own.id)
    Views(platform).delete(shared.id)
    assert Views(platform).list_(page="traces").items == []
