"""Areas of tools: what fails inside traces that ended well is found by tool and error, and tracked like the others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.monitoring.test_areas import Words, said

from mainspring.kernel import runs
from mainspring.kernel.spans import Span
from mainspring.monitoring import Issues, Monitors
from mainspring.monitoring.areas.models import FindSettings
from mainspring.traces import Scores


@pytest.fixture
def trace(platform):
    """Make a trace that ended well: an agent, a model call, and tools by how they ended."""
    platform.embed_port = Words()
    count = [0]

    def make(*tools, hours_ago=1.0, deployment="docs", release="release/docs@1", **fields):
        count[0] += 1
        trace_id, at = f"{count[0]:032x}", int((platform.clock.now() - timedelta(hours=hours_ago)).timestamp() * 1e9)
        base = {"trace_id": trace_id, "project": "default", "environment": "production", "service": "app",
                "start_ns": at, "end_ns": at + 10**8, "status": "ok", **fields}  # fmt: skip
        root, number = f"{count[0] * 100:016x}", count[0] * 100
        call = {"kind": "chat", "deployment": deployment, "release": release, "input": said("user", "Where is it?")}
        spans = [
            Span(**{**base, "span_id": root, "kind": "invoke_agent"}),
            Span(**{**base, "span_id": f"{number + 1:016x}", "parent_id": root, **call}),
        ]
        for place, (name, error, *more) in enumerate(tools, 2):
            about = {"name": f"execute_tool {name}", "kind": "execute_tool", "attributes": {"gen_ai.tool.name": name}}
            ended = {"status": "error" if error is not None else "ok", "status_message": error or ""}
            extra = more[0] if more else {}
            spans.append(
                Span(**{**base, "span_id": f"{number + place:016x}", "parent_id": root, **about, **ended, **extra})
            )
        platform.spans.append(spans)
        return trace_id

    return make


@pytest.fixture
def find(platform):
    def look(target="", **settings):
        platform.spans.flush()
        run = Issues(platform).find(target=target, settings=FindSettings(**settings))
        with platform.read() as tx:
            found = runs.get(tx, run.id)
        assert found.state == "succeeded", found.error
        return found.result

    return look


def late(number):
    return ("search", f"The index did not answer within {number * 13} ms")


def areas(platform):
    return {one.name: one for one in Issues(platform).list_().items}


def test_tools_that_fail_in_traces_that_ended_well_are_grouped_by_tool_and_error(platform, trace, find):
    slow = [trace(late(n), ("fetch", None)) for n in range(1, 6)]
    for _ in range(4):
        trace(("search", "No permission for this collection"))
    for n in range(1, 4):
        trace(("lookup", late(n)[1]))
    trace(("lookup", "Something wholly else"))
    found = find()
    assert (found["looked_at"], len(found["opened"]), found["alone"], found["shown"]) == (13, 3, 1, [])
    by_name = areas(platform)
    assert {name: one.count for name, one in by_name.items()} == {
        "search: The index did not answer within # ms": 5,
        "search: No permission for this collection": 4,
        "lookup: The index did not answer within # ms": 3,
    }
    area = by_name["search: The index did not answer within # ms"]
    assert (area.why, area.tool, area.score, area.effect) == ("tools", "search", "", None)
    detail = Issues(platform).get(area.id)
    assert {one.trace_id for one in detail.examples} == set(slow) and detail.releases == {"release/docs@1": 5}
    assert {one.question for one in detail.examples} == {"Where is it?"}
    assert "The index did not answer within 13 ms" in {one.answer for one in detail.examples}
    again = find()
    assert (again["fresh"], again["opened"], again["joined"]) == (1, [], 0)


def test_a_tool_that_was_mended_and_fails_again_opens_its_area_again(platform, trace, find, clock):
    for n in range(1, 4):
        trace(late(n))
    [area] = [Issues(platform).get(issue) for issue in find()["opened"]]
    Issues(platform).resolve(area.id, note="A larger index.")
    clock.advance(hours=2)
    trace(("lookup", late(9)[1]), hours_ago=0.5)
    assert find()["reopened"] == [], "another tool says nothing of this one"
    trace(late(8), hours_ago=0.5)
    assert find()["reopened"] == [area.id]
    now = Issues(platform).get(area.id)
    assert (now.state, now.reopened, now.count) == ("open", 1, 4)
    Monitors(platform).create("new", "areas", window_minutes=60)
    assert Monitors(platform).test("new").detail["issues"] == [area.id]


def test_a_new_area_of_a_tool_is_told_by_the_monitor(platform, trace, find):
    for n in range(1, 4):
        trace(late(n))
    [opened] = find()["opened"]
    Monitors(platform).create("new", "areas", window_minutes=60)
    assert Monitors(platform).test("new").detail["issues"] == [opened]


def test_a_trace_is_in_the_area_of_a_tool_beside_that_of_its_answer(platform, trace, find):
    made = [trace(late(n), ("fetch", f"Host {n} is gone for good")) for n in range(1, 5)]
    for trace_id in made:
        Scores(platform).create("helpful", trace_id=trace_id, number=0.0)
    assert len(find()["opened"]) == 3
    assert {(one.why, one.tool, one.count) for one in areas(platform).values()} == {
        ("scores", "", 4), ("tools", "search", 4), ("tools", "fetch", 4),
    }  # fmt: skip
    assert find()["fresh"] == 0


def test_what_a_tool_raised_or_returned_says_how_it_failed_where_its_status_does_not(platform, trace, find):
    raised = [{"name": "exception", "attributes": {"exception.type": "KeyError", "exception.message": "no such row"}}]
    for _ in range(3):
        trace(("rows", "", {"events": raised}))
        trace(("pages", "", {"output": "404 not found"}))
        trace(("mute", ""))
    find()
    assert set(areas(platform)) == {"rows: no such row", "pages: # not found", "mute: failed"}


def test_with_a_target_tools_count_in_whose_traces_it_answered(platform, trace, find):
    for n in range(1, 4):
        trace(late(n))
        trace(("fetch", "gone"), deployment="other", release="release/other@1")
        trace(("fetch", "tried out"), environment="experiment")
    assert len(find(target="docs")["opened"]) == 1 and [one.tool for one in areas(platform).values()] == ["search"]
    assert find(target="docs", tools=False)["looked_at"] == 0


def test_a_tool_that_fails_twice_in_a_trace_counts_it_once(platform, trace, find):
    for n in range(1, 4):
        trace(late(n), late(n + 5))
    find()
    [area] = areas(platform).values()
    assert area.count == 3 and len(Issues(platform).traces(area.id).items) == 3
