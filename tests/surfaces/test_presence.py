"""Who asks and goes away is not worked for any longer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.surfaces.test_every_face import NoEngines

from mainspring.kernel import access
from mainspring.kernel.errors import Cancelled
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import AttributeTest, Span, SpanFilter
from mainspring.surfaces.app import build_app
from mainspring.workspace import first_start


class Endless:
    """A span store in which nothing is ever found, however far one walks; its reader goes away after some pages."""

    def __init__(self, patience: int) -> None:
        self.pages = 0
        self.patience = patience
        self.gone = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def traces(self, project: str, where: SpanFilter, *, limit: int, cursor: str = "") -> tuple[list[Any], str]:
        self.pages += 1
        if self.pages == self.patience:
            self.loop.call_soon_threadsafe(self.gone.set)
        return [], f"{self.pages}"


async def asked(platform: Platform, path: str, query: str, key: str, store: Endless) -> list[dict[str, Any]]:
    """Send a request of somebody who goes away once the store says so; return what was sent back."""
    platform.spans_port = store  # type: ignore[assignment]
    sent: list[dict[str, Any]] = []
    begun = False

    async def receive() -> dict[str, Any]:
        nonlocal begun
        if not begun:
            begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await store.gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "root_path": "", "scheme": "http", "http_version": "1.1", "server": ("here", 80), "client": ("there", 1),
        "asgi": {"version": "3.0", "spec_version": "2.4"}, "headers": [(b"authorization", f"Bearer {key}".encode())],
        "state": {},
    }  # fmt: skip
    await build_app(platform, dict)(scope, receive, send)  # type: ignore[arg-type]
    return sent


def test_an_export_that_finds_nothing_ends_when_its_reader_leaves(bare_platform: Platform) -> None:
    owner = first_start(bare_platform)
    assert owner is not None
    bare_platform.engine_port, kept = NoEngines(), bare_platform.spans_port

    async def work() -> int:
        store = Endless(5)
        sent = await asked(bare_platform, "/api/v1/traces/export", "attribute=tier%3Dnone", owner.secret, store)
        assert not any(message.get("body") for message in sent)
        return store.pages

    assert asyncio.run(work()) >= 5
    bare_platform.spans_port = kept


def test_a_walk_through_the_store_ends_when_nobody_waits_for_it(platform: Platform) -> None:
    at = 1_790_000_000_000_000_000
    platform.spans.append(
        [
            Span(trace_id=f"{n:032x}", span_id=f"{n:016x}", project="default", start_ns=at + n, end_ns=at + n)
            for n in range(1, 3001)
        ]
    )
    platform.spans.flush()
    for where in (
        SpanFilter(min_duration_ms=1.0),
        SpanFilter(attributes=(AttributeTest("tier", "=", "none"),)),
    ):
        assert platform.spans.traces("default", where, limit=10) == ([], "")
        token = access.leaving.set(lambda: True)
        try:
            with pytest.raises(Cancelled):
                platform.spans.traces("default", where, limit=10)
        finally:
            access.leaving.reset(token)
    assert len(platform.spans.traces("default", SpanFilter(), limit=10)[0]) == 10
