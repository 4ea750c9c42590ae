"""The list of what a guard policy found in the traffic."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.safety import Rule
from mainspring.serving import guard_hits
from mainspring.serving.guard_hits import Guards

EMAIL = {"stage": "input", "source": "user", "detector": "pii", "kind": "email", "score": 1.0}
KEY = {"stage": "output", "detector": "secrets", "kind": "aws_key", "score": 0.9}


@pytest.fixture
def guards(platform: Platform) -> Guards:
    made = Guards(platform)
    made.create("house", [Rule(detector="pii")])
    made.create("house", [Rule(detector="pii", action="mask"), Rule(detector="secrets", action="block")])
    made.create("house-of-others", [Rule(detector="pii")])
    return made


def called(
    platform: Platform,
    number: int,
    hits: list[Any],
    *,
    guard: str = "house@2",
    action: str = "mask",
    at: int = 0,
    **more: Any,
) -> None:
    start = int(platform.clock.now().timestamp()) * 10**9 - 10**10 + (at or number)
    said = {"mainspring.guard": f"guard/{guard}", "mainspring.guard.action": action, "mainspring.guard.ms": 0.4}
    if hits:
        said["mainspring.guard.hits"] = hits  # type: ignore[assignment]
    span = Span(
        trace_id=f"{number:032x}", span_id=f"{number:016x}", project="default", environment="production", kind="chat",
        start_ns=start, end_ns=start + 1000, status="ok", attributes=said, **more,
    )  # fmt: skip
    platform.spans.append([span])
    platform.spans.flush()


def numbers(page: Any) -> list[int]:
    return [int(call.trace_id, 16) for call in page.items]


def test_hits_are_those_of_the_policy_newest_first_and_narrowed(platform: Platform, guards: Guards) -> None:
    called(platform, 1, [EMAIL], guard="house@1", action="log", deployment="docs")
    called(platform, 2, [EMAIL, KEY], action="block", deployment="docs", release="release/docs@2")
    called(platform, 3, [])
    called(platform, 4, [EMAIL], guard="house-of-others@1")
    called(platform, 5, [EMAIL])
    called(platform, 6, [{"detector": "no stage"}])
    called(platform, 7, ["no record"])
    page = guards.hits("house")
    assert numbers(page) == [5, 2, 1] and page.next_cursor is None
    assert page.items[1].model_dump(mode="json")["findings"] == [EMAIL, {"source": "", **KEY}]
    assert (page.items[1].guard, page.items[1].release) == ("guard/house@2", "release/docs@2")
    assert numbers(guards.hits("house", version=1)) == [1]
    assert numbers(guards.hits("house", action="block")) == [2]
    assert numbers(guards.hits("house", detector="secrets")) == [2]
    assert numbers(guards.hits("house", detector="pii", stage="output")) == []
    assert numbers(guards.hits("house", deployment="docs")) == [2, 1]
    week_ago = platform.clock.now() - timedelta(days=8)
    assert numbers(guards.hits("house", until=week_ago)) == []
    with pytest.raises(NotFound):
        guards.hits("nobody")
    with pytest.raises(NotFound):
        guards.hits("house", version=9)


@pytest.mark.parametrize("looked_at", [1, 3, 100])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_hold_every_hit_once_whatever_lies_between(
    platform: Platform, guards: Guards, monkeypatch: pytest.MonkeyPatch, looked_at: int, limit: int
) -> None:
    monkeypatch.setattr(guard_hits, "_LOOKED_AT", looked_at)
    for number in range(1, 13):
        # Some have the same moment, as spans have that come with milliseconds.
        called(platform, number, [EMAIL] if number % 3 else [], at=number // 4 + 1)
    seen: list[int] = []
    cursor = ""
    for _ in range(40):
        page = guards.hits("house", limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        seen += numbers(page)
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert page.next_cursor is None
    assert sorted(seen) == [number for number in range(1, 13) if number % 3]
    assert len(seen) == len(set(seen))


def test_a_cursor_that_no_page_gave_is_refused(guards: Guards) -> None:
    for cursor in ("bm9uZQ", "MTo5OTk5OTk5OTk5", "???"):
        with pytest.raises(Invalid, match="cursor"):
            guards.hits("house", cursor=cursor)
