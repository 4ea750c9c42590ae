"""Turns at an engine: fair between keys, bounded, and left at once by whoever goes."""

from __future__ import annotations

import asyncio
import math
import threading

import pytest
from tests.serving.conftest import FixedEngine

from mainspring.kernel.errors import LimitReached, Unavailable
from mainspring.kernel.ports import Endpoint, EngineSpec
from mainspring.serving.engines import Engines
from mainspring.serving.queueing import Turns


class Line:
    """Calls that wait for their turns, and the order in which they had them."""

    def __init__(self, slots: int = 1, most: int = 1000, patience: float = math.inf) -> None:
        self.turns = Turns(slots, most=most, patience=patience)
        self.order: list[str] = []
        self.open = asyncio.Event()

    def call(self, key: str) -> asyncio.Task[None]:
        return asyncio.ensure_future(self._call(key))

    async def _call(self, key: str) -> None:
        async with self.turns.turn(key):
            self.order.append(key)
            await self.open.wait()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_key_with_a_hundred_calls_holds_nobody_up() -> None:
    async def run() -> list[str]:
        line = Line()
        calls = [line.call("many") for _ in range(100)]
        await settled()
        calls += [line.call(key) for key in ("few", "other", "few")]
        await settled()
        line.open.set()
        await asyncio.gather(*calls)
        return line.order

    order = asyncio.run(run())
    assert order[:7] == ["many", "many", "few", "other", "many", "few", "many"]
    assert len(order) == 103


def test_a_full_queue_takes_from_the_key_that_has_most() -> None:
    async def run() -> tuple[list[BaseException | None], list[str], int]:
        line = Line(most=4)
        many = [line.call("many") for _ in range(6)]
        await settled()
        assert isinstance(many[5].exception(), LimitReached), "the queue is full of its own"
        few = [line.call("few") for _ in range(3)]
        await settled()
        waiting = line.turns.waiting
        line.open.set()
        told = await asyncio.gather(*many, *few, return_exceptions=True)
        return told, line.order, waiting

    told, order, waiting = asyncio.run(run())
    assert [isinstance(each, LimitReached) for each in told] == [False] * 3 + [True] * 3 + [False] * 2 + [True]
    assert order == ["many", "many", "few", "many", "few"]
    assert waiting == 4
    assert all(each.details["retry_after"] >= 1 for each in told if isinstance(each, LimitReached))


def test_whoever_is_cancelled_leaves_the_queue_at_once() -> None:
    async def run() -> list[str]:
        line = Line(most=2)
        calls = [line.call(key) for key in ("a", "b", "c")]
        await settled()
        calls[1].cancel()
        await settled()
        assert line.turns.waiting == 1
        calls.append(line.call("d"))
        await settled()
        line.open.set()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (line.turns.running, line.turns.waiting) == (0, 0)
        return line.order

    assert asyncio.run(run()) == ["a", "c", "d"]


def test_a_turn_that_comes_as_its_owner_goes_is_handed_on() -> None:
    async def run() -> list[str]:
        line = Line()
        calls = [line.call(key) for key in ("a", "b", "c")]
        await settled()
        line.open.set()
        await asyncio.sleep(0)  # a ends, and gives its turn to b, which has not gone on yet
        calls[1].cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (line.turns.running, line.turns.waiting) == (0, 0)
        return line.order

    assert "c" in asyncio.run(run())


def test_waiting_is_bounded() -> None:
    async def run() -> None:
        line = Line(patience=0.01)
        first, second = line.call("a"), line.call("b")
        with pytest.raises(LimitReached, match=r"waited 0\.01 s") as caught:
            await second
        assert caught.value.details["retry_after"] == 1, "a second for an answer that nobody measured"
        assert line.turns.waiting == 0
        line.open.set()
        await first

    asyncio.run(run())


class Loading(FixedEngine):
    """An engine that takes its time, and does not come up."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = threading.Event()

    def ensure(self, spec: EngineSpec) -> Endpoint:
        """Wait until the test has seen enough."""
        self.ended.wait(30)
        raise Unavailable("The engine is not ready.")


def test_a_key_with_many_calls_holds_nobody_up_while_a_model_is_loaded() -> None:
    async def run() -> tuple[list[int], list[int]]:
        engine = Loading()
        engines = Engines(engine, queue=2, timeout=30)
        spec = EngineSpec(base="0" * 64, slots=1)
        calls = {key: [asyncio.ensure_future(engines.complete(spec, "/", {}, key)) for _ in range(5)] for key in "ab"}
        await settled()
        refused = [sum(call.done() for call in some) for some in calls.values()]
        load = list(engines.load)
        engine.ended.set()
        ends = await asyncio.gather(*calls["a"], *calls["b"], return_exceptions=True)
        assert sum(isinstance(end, LimitReached) for end in ends) == sum(refused)
        assert engines.load == (0, 0)
        await engines.close()
        return refused, load

    assert asyncio.run(run()) == ([2, 3], [0, 5])
