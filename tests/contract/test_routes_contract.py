"""Routes and caches in the records, on every database and seen by several processes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mainspring.kernel import access
from mainspring.kernel.clock import uuid7
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import JSON, EngineSpec
from mainspring.registry import ModelContent, ModelFile, Releases, register
from mainspring.serving import Deployments
from mainspring.serving.cache import entries
from mainspring.serving.cache.cache import Cache
from mainspring.serving.cache.erasure import erase
from mainspring.serving.cache.models import CachePolicy
from mainspring.serving.cache.rules import caches as policies
from mainspring.serving.cache.service import Caches
from mainspring.serving.exchange import Exchange
from mainspring.serving.models import Origin, Question, Target, Told, Usage
from mainspring.serving.routing import Routes, lookup
from mainspring.workspace import first_start


@pytest.fixture
def staging(platform: Platform) -> Iterator[Platform]:
    """Ann works in staging, where `docs` is deployed."""
    first_start(platform)
    stored = platform.files.put(b"weights")
    file = ModelFile(path="m.gguf", sha256=stored.sha256, size=stored.size, role="weights")
    with platform.begin() as tx:
        model = register(tx, "base", ModelContent(format="gguf", files=[file])).ref
    with access.acting_as(replace(access.current(), environment="staging")):
        Deployments(platform).create("docs", Releases(platform).create("docs", model=model).ref)
        yield platform


def test_a_route_is_kept_move_by_move(staging: Platform) -> None:
    routes = Routes(staging)
    given: Any = [{"target": "docs"}, {"target": "release/docs@1", "weight": 0.0}]
    routes.create("chat", given, policy="weighted", note="first")
    with pytest.raises(Conflict):
        routes.create("chat", given)
    routes.update("chat", sticky="user", waits={"total_seconds": 3.0})  # type: ignore[arg-type]
    found = routes.get("chat")
    assert (found.revision, found.policy, found.sticky, found.waits.total_seconds) == (2, "weighted", "user", 3.0)
    with staging.read() as tx:
        assert lookup(tx, "chat", "staging").pick().release == "release/docs@1"
    assert [route.name for route in routes.list_().items] == ["chat"]
    routes.delete("chat")
    assert routes.list_().items == []
    with pytest.raises(NotFound):
        routes.update("chat", pin="docs")
    routes.create("chat", given)
    page = routes.history("chat", limit=3)
    assert [move.action for move in page.items] == ["create", "delete", "update"]
    assert [move.note for move in routes.history("chat", cursor=page.next_cursor or "").items] == ["first"]


def call(platform: Platform, policy: CachePolicy, content: str, user: str = "u1") -> Exchange:
    """Return a call of the deployment."""
    spec = EngineSpec(base="b")
    target = Target(project="default", environment="staging", spec=spec, model="model/base@1", cache=policy)
    question = Question(
        messages=[{"role": "user", "content": content}], origin=Origin(user_id=user), headers={}, told=Told()
    )
    return Exchange(target, question, platform.clock, platform.ids)


def test_what_one_process_keeps_another_gives_again(staging: Platform, clock: Any) -> None:
    made = Caches(staging).set("docs", max_entries=3, ttl_seconds=600)

    class Ids:
        """Ids of another process."""

        count = 0

        def new(self) -> str:
            self.count += 1
            return uuid7(1_800_000_000_000 + self.count << 12, f"{self.count:016x}")

    other = replace(staging, ids=Ids())

    async def work() -> None:
        here, there = Cache(staging), Cache(other)

        async def asked(cache: Cache, content: str, user: str = "u1") -> str:
            exchange = call(staging, made, content, user)
            body: JSON = {"messages": exchange.question.messages, "temperature": 0}
            await cache.find(exchange, body)
            exchange.text, exchange.finish_reason = f"answer to {content}", "stop"
            exchange.usage = Usage(input_tokens=5, output_tokens=2)
            cache.offer(exchange)
            cache.flush()
            assert exchange.question.told is not None
            return exchange.question.told.headers["x-mainspring-cache"].partition(";")[0]

        assert [await asked(here, "one"), await asked(there, "one"), await asked(here, "one")] == ["miss", "hit", "hit"]
        # Both keep an answer to the same question at once: one of them stays.
        with staging.records.begin() as conn:
            row = entries.vectors(conn, "default", "", None, 10)
        assert len(row) == 1
        for content in ("two", "three", "four"):
            await asked(there, content, "u2")
        assert await asked(here, "one") == "miss", "it was used the longest ago"
        assert erase(staging, ErasureRequest("default", user_id="u2"), really=True) == 2
        assert await asked(here, "four") == "miss"
        clock.advance(seconds=601)
        assert await asked(there, "four") == "miss"
        assert entries.expire(staging) > 0
        await here.close()
        await there.close()

    asyncio.run(work())
    [stats] = Caches(staging).stats()
    assert (stats.hits, stats.misses, stats.stored, stats.entries) == (2, 7, 7, 1)
    assert Caches(staging).clear("docs").entries == 1
    assert Caches(staging).stats()[0].hits == 0
    with staging.read() as tx:
        assert policies.known(tx, "staging")["docs"].max_entries == 3
