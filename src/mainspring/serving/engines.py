"""Engines: requests on their way to the local model servers, in turn, and asked again where a server died."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakSet

from mainspring.kernel.errors import LimitReached
from mainspring.kernel.ports import JSON, Endpoint, Engine, EngineSpec
from mainspring.serving.queueing import Turns
from mainspring.serving.upstream import Events, Lost, Upstream

_REMEMBER_SECONDS = 2.0
"""How long an endpoint is used before the supervisor is asked again, which also tells it that the engine is in use.

A process that was replaced goes on for longer than this.
"""
_ATTEMPTS = 4
_FIRST_PAUSE = 0.1
_MOST_LANES = 256


@dataclass(eq=False)
class _Lane:
    """What one event loop knows of a model and its adapters."""

    turns: Turns
    known: dict[EngineSpec, tuple[Endpoint, float]] = field(default_factory=dict)
    """Endpoints, and when each was told."""
    asking: dict[EngineSpec, asyncio.Lock] = field(default_factory=dict)
    loading: Counter[str] = field(default_factory=Counter)
    """By key, requests that wait for an engine to come up; none of them holds a turn of those that are up."""

    def has_room(self, key: str, most: int) -> bool:
        """Tell whether one more may wait: where `most` do, only of a key that has less than its share of these."""
        waiting, keys = self.loading.total(), len(self.loading.keys() | {key})
        return waiting < most or self.loading[key] * keys < most


class Engines:
    """Sends requests to engines from one event loop."""

    def __init__(self, engine: Engine, *, queue: int, timeout: float, patience: float = math.inf) -> None:
        """`queue` requests may wait for each engine beyond its slots, for `patience` seconds each.

        `timeout` is the longest answer, in seconds.
        """
        self._engine = engine
        self._queue = queue
        self._patience = patience
        self._upstream = Upstream(timeout)
        self._lanes: dict[EngineSpec, _Lane] = {}
        self._asking = ThreadPoolExecutor(16, thread_name_prefix="engines")
        _open.add(self)

    async def complete(self, spec: EngineSpec, path: str, body: Mapping[str, JSON], key: str = "") -> dict[str, Any]:
        """Post a request and return the answer; an engine that dies is awaited and asked again.

        `key` says whose turn it takes. Raises LimitReached where too many wait already, Invalid, ContextExceeded,
        NotFound or Unavailable.
        """
        lane = await self._ready(spec, key)
        async with lane.turns.turn(key):
            for attempt in range(_ATTEMPTS):
                endpoint = await self._endpoint(spec, lane)
                try:
                    return await self._upstream.complete(endpoint, path, with_adapter(spec, endpoint, body))
                except Lost:
                    if attempt + 1 == _ATTEMPTS:
                        raise
                    await _forget(lane, spec, endpoint, attempt)
        raise AssertionError("the last attempt returns or raises")

    async def stream(self, spec: EngineSpec, path: str, body: Mapping[str, JSON], key: str = "") -> Events:
        """Post a request and yield the events of the answer; it is asked again only before the first event came."""
        lane = await self._ready(spec, key)
        async with lane.turns.turn(key):
            for attempt in range(_ATTEMPTS):
                endpoint = await self._endpoint(spec, lane)
                begun = False
                try:
                    asked = with_adapter(spec, endpoint, body)
                    async with aclosing(self._upstream.stream(endpoint, path, asked)) as events:
                        async for event in events:
                            begun = True
                            yield event
                        return
                except Lost:
                    if begun or attempt + 1 == _ATTEMPTS:
                        raise
                    await _forget(lane, spec, endpoint, attempt)

    @property
    def load(self) -> tuple[int, int]:
        """How many requests are being answered, and how many wait, over all engines."""
        lanes = list(self._lanes.values())
        return sum(lane.turns.running for lane in lanes), sum(map(_waiting, lanes))

    def waiting(self, spec: EngineSpec) -> int:
        """How many requests wait here for a model's turn."""
        lane = self._lanes.get(replace(spec, adapter="", parts=()))
        return _waiting(lane) if lane is not None else 0

    async def close(self) -> None:
        """Release the connections."""
        await self._upstream.close()
        self._asking.shutdown(wait=False)

    def _lane(self, spec: EngineSpec) -> _Lane:
        """Return the lane of a model; adapters of one base share its slots."""
        name = replace(spec, adapter="", parts=())
        if name not in self._lanes:
            if len(self._lanes) >= _MOST_LANES:
                self._lanes = {known: lane for known, lane in self._lanes.items() if lane.turns.running or lane.loading}
            self._lanes[name] = _Lane(Turns(spec.slots, most=self._queue, patience=self._patience))
        return self._lanes[name]

    async def _ready(self, spec: EngineSpec, key: str) -> _Lane:
        """Return the lane of a model that is up. Raises LimitReached where too many wait for that already."""
        lane = self._lane(spec)
        if not lane.has_room(key, self._queue + spec.slots):
            message = f"{lane.loading.total()} requests wait for this model to be loaded already."
            raise LimitReached(message, hint="Ask again in a moment.", retry_after=lane.turns.retry_after)
        lane.loading[key] += 1
        try:
            await self._endpoint(spec, lane)
        finally:
            lane.loading[key] -= 1
            if not lane.loading[key]:
                del lane.loading[key]
        return lane

    async def _endpoint(self, spec: EngineSpec, lane: _Lane) -> Endpoint:
        known = lane.known.get(spec)
        if known is None or time.monotonic() - known[1] > _REMEMBER_SECONDS:
            async with lane.asking.setdefault(spec, asyncio.Lock()):
                known = lane.known.get(spec)
                if known is None or time.monotonic() - known[1] > _REMEMBER_SECONDS:
                    loop = asyncio.get_running_loop()
                    endpoint = await loop.run_in_executor(self._asking, self._engine.ensure, spec)
                    known = lane.known[spec] = (endpoint, time.monotonic())
        return known[0]


_open: WeakSet[Engines] = WeakSet()


def _waiting(lane: _Lane) -> int:
    return lane.turns.waiting + lane.loading.total()


def queued(spec: EngineSpec) -> int:
    """Return how many requests wait in this process for a model's turn, those for its adapters included."""
    return sum(each.waiting(spec) for each in list(_open))


def with_adapter(spec: EngineSpec, endpoint: Endpoint, body: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """Return a request that names every adapter of a server: one that it does not name may answer all the same.

    Raises Lost where the server does not hold the adapter that is asked for.
    """
    if not endpoint.adapters:
        if spec.adapter and spec.runtime == "llamacpp":
            raise Lost("The engine does not hold the adapter.", hint="Ask again.")
        return body
    if spec.adapter and spec.adapter not in endpoint.adapters:
        raise Lost("The engine does not hold the adapter.", hint="Ask again.")
    scales = [{"id": at, "scale": float(held == spec.adapter)} for at, held in enumerate(endpoint.adapters)]
    return {**body, "lora": scales}


async def _forget(lane: _Lane, spec: EngineSpec, endpoint: Endpoint, attempt: int) -> None:
    """Forget an endpoint that went away, and wait before the next attempt."""
    if spec in lane.known and lane.known[spec][0] == endpoint:
        del lane.known[spec]
    await asyncio.sleep(_FIRST_PAUSE * 4**attempt)  # back off: a killed engine takes a moment to return
