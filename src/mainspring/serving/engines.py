"""Engines: requests on their way to the local model servers, counted, retried and never asked too much."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mainspring.kernel.errors import LimitReached
from mainspring.kernel.ports import JSON, Endpoint, Engine, EngineSpec
from mainspring.serving.upstream import Events, Lost, Upstream

_REMEMBER_SECONDS = 2.0
"""How long an endpoint is used before the supervisor is asked again, which also tells it that the engine is in use."""
_ATTEMPTS = 4


@dataclass(eq=False)
class _Lane:
    """What one event loop knows of one engine."""

    turns: asyncio.Semaphore
    waiting: int = 0
    running: int = 0
    endpoint: Endpoint | None = None
    fetched: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Engines:
    """Sends requests to engines from one event loop."""

    def __init__(self, engine: Engine, *, queue: int, timeout: float) -> None:
        """`queue` requests may wait for each engine beyond its slots; `timeout` is the longest answer, in seconds."""
        self._engine = engine
        self._queue = queue
        self._upstream = Upstream(timeout)
        self._lanes: dict[EngineSpec, _Lane] = {}
        self._asking = ThreadPoolExecutor(16, thread_name_prefix="engines")

    async def complete(self, spec: EngineSpec, path: str, body: Mapping[str, JSON]) -> dict[str, Any]:
        """Post a request and return the answer; an engine that dies is awaited and asked again.

        Raises LimitReached where too many wait already, Invalid, ContextExceeded, NotFound or Unavailable.
        """
        async with self._turn(spec) as lane:
            for attempt in range(_ATTEMPTS):
                endpoint = await self._endpoint(spec, lane)
                try:
                    return await self._upstream.complete(endpoint, path, _with_adapter(spec, body))
                except Lost:
                    if attempt + 1 == _ATTEMPTS:
                        raise
                    await _forget(lane, endpoint, attempt)
        raise AssertionError("the last attempt returns or raises")

    async def stream(self, spec: EngineSpec, path: str, body: Mapping[str, JSON]) -> Events:
        """Post a request and yield the events of the answer; it is asked again only before the first event came."""
        async with self._turn(spec) as lane:
            for attempt in range(_ATTEMPTS):
                endpoint = await self._endpoint(spec, lane)
                begun = False
                try:
                    async with aclosing(self._upstream.stream(endpoint, path, _with_adapter(spec, body))) as events:
                        async for event in events:
                            begun = True
                            yield event
                        return
                except Lost:
                    if begun or attempt + 1 == _ATTEMPTS:
                        raise
                    await _forget(lane, endpoint, attempt)

    @property
    def load(self) -> tuple[int, int]:
        """How many requests are being answered, and how many wait, over all engines."""
        lanes = list(self._lanes.values())
        return sum(lane.running for lane in lanes), sum(lane.waiting for lane in lanes)

    async def close(self) -> None:
        """Release the connections."""
        await self._upstream.close()
        self._asking.shutdown(wait=False)

    @asynccontextmanager
    async def _turn(self, spec: EngineSpec) -> AsyncIterator[_Lane]:
        """Wait for one of the engine's slots."""
        lane = self._lanes.setdefault(spec, _Lane(asyncio.Semaphore(spec.slots)))
        if lane.turns.locked() and lane.waiting >= self._queue:
            raise LimitReached(
                f"{lane.waiting} requests wait for this model already.", hint="Ask again in a moment.", retry_after=2
            )
        lane.waiting += 1
        try:
            await lane.turns.acquire()
        finally:
            lane.waiting -= 1
        lane.running += 1
        try:
            yield lane
        finally:
            lane.running -= 1
            lane.turns.release()

    async def _endpoint(self, spec: EngineSpec, lane: _Lane) -> Endpoint:
        async with lane.lock:
            if lane.endpoint is None or time.monotonic() - lane.fetched > _REMEMBER_SECONDS:
                loop = asyncio.get_running_loop()
                lane.endpoint = await loop.run_in_executor(self._asking, self._engine.ensure, spec)
                lane.fetched = time.monotonic()
            return lane.endpoint


def _with_adapter(spec: EngineSpec, body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Name the adapter on every request: without it, a slot answers from a cache that an adapter wrote."""
    return {**body, "lora": [{"id": 0, "scale": 1.0}]} if spec.adapter else dict(body)


async def _forget(lane: _Lane, endpoint: Endpoint, attempt: int) -> None:
    """Forget an endpoint that went away, and wait before the next attempt."""
    if lane.endpoint == endpoint:
        lane.endpoint = None
    await asyncio.sleep(0.1 * 4**attempt)  # back off: a killed engine takes a moment to return
