"""What names lead to is remembered for a moment, and a change counts at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from mainspring.kernel import access
from mainspring.kernel.errors import Conflict, Denied, NotFound
from mainspring.kernel.platform import Platform
from mainspring.registry import Releases
from mainspring.serving import directory
from mainspring.serving.directory import Directory
from mainspring.serving.service import Deployments
from mainspring.workspace import Projects


def in_staging() -> AbstractContextManager[access.Caller]:
    """Go on with a key of staging."""
    return access.acting_as(replace(access.current(), environment="staging"))


def switch(platform: Platform, *, on: bool) -> None:
    """Pause the deployment, or resume it."""
    with in_staging():
        service = Deployments(platform)
        service.resume("docs") if on else service.pause("docs")


@pytest.fixture
def release(platform: Platform, small_model: str) -> str:
    """A release of the small model, deployed as `docs` in staging."""
    Projects(platform).create("default")
    made = Releases(platform).create("docs", model=small_model)
    with in_staging():
        Deployments(platform).create("docs", made.ref)
    return made.ref


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def caller(*models: str) -> access.Caller:
    return access.Caller("ann", "k", "default", "staging", "admin", access.ROLES["admin"], models or None)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_many_calls_ask_the_records_once(platform: Platform, release: str, threads: ThreadPoolExecutor) -> None:
    found = Directory(platform, threads)
    asked: list[str] = []
    with platform.records.read() as conn:
        engine = conn.engine
    event.listen(engine, "before_cursor_execute", lambda _c, _cur, text, *_: asked.append(text))

    async def many() -> list[Any]:
        return [*await asyncio.gather(*(found.find(caller(), "docs") for _ in range(20)))]

    choices = run(many())
    assert {choice.pick().release for choice in choices} == {release}
    assert len([text for text in asked if "deployment_moves" in text]) == 1


def test_a_move_in_this_process_counts_at_once(platform: Platform, release: str, threads: ThreadPoolExecutor) -> None:
    found = Directory(platform, threads)
    assert run(found.find(caller(), "docs")).pick().arm == "baseline"
    switch(platform, on=False)
    with pytest.raises(Conflict, match="paused"):
        run(found.find(caller(), "docs"))
    switch(platform, on=True)
    assert run(found.find(caller(), "docs")).pick().release == release


def test_what_one_may_ask_another_may_not(platform: Platform, release: str, threads: ThreadPoolExecutor) -> None:
    found = Directory(platform, threads)
    run(found.find(caller("deployment/docs"), "docs"))
    with pytest.raises(Denied):
        run(found.find(caller("deployment/other"), "docs"))
    with pytest.raises(NotFound):
        run(found.find(caller(), "nothing"))


def test_a_write_elsewhere_counts_when_the_memory_ends(
    platform: Platform, release: str, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "SECONDS", -1.0)
    found = Directory(platform, threads)
    run(found.find(caller(), "docs"))
    writes = platform.writes
    switch(platform, on=False)
    platform.writes = writes  # as if another process had written
    with pytest.raises(Conflict):
        run(found.find(caller(), "docs"))
