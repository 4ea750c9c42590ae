"""The cork: writes of one turn of the loop leave together, in order, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mainspring.serving.cork import Cork


class Wire:
    """A transport that notes what is done to it."""

    def __init__(self, name: str, done: list[tuple[str, bytes]]) -> None:
        self.name, self.done, self.closing = name, done, False
        self.size = 7

    def write(self, data: bytes) -> None:
        self.done.append((self.name, data))

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True
        self.done.append((self.name, b"closed"))


def corked(work: Callable[[Cork, Cork, list[tuple[str, bytes]]], Any]) -> list[tuple[str, bytes]]:
    done: list[tuple[str, bytes]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        work(Cork(Wire("a", done), loop), Cork(Wire("b", done), loop), done)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(run())
    return done


def test_what_is_written_in_one_turn_leaves_at_its_end_in_one_piece() -> None:
    def work(one: Cork, other: Cork, done: list[tuple[str, bytes]]) -> None:
        one.write(b"head ")
        other.write(b"first")
        one.write(b"body")
        assert done == []

    assert corked(work) == [("a", b"head body"), ("b", b"first")]


def test_the_next_turn_is_another_piece() -> None:
    def work(one: Cork, other: Cork, done: list[tuple[str, bytes]]) -> None:
        one.write(b"now")
        asyncio.get_running_loop().call_soon(one.write, b"later")

    found = corked(work)
    assert b"".join(data for _, data in found) == b"nowlater" and found[0] == ("a", b"now")


def test_closing_writes_what_is_held_before() -> None:
    def work(one: Cork, other: Cork, done: list[tuple[str, bytes]]) -> None:
        one.write(b"last words")
        one.close()
        assert done == [("a", b"last words"), ("a", b"closed")]

    assert corked(work) == [("a", b"last words"), ("a", b"closed")]


def test_nothing_is_written_to_a_wire_that_closes() -> None:
    def work(one: Cork, other: Cork, done: list[tuple[str, bytes]]) -> None:
        one.write(b"too late")
        one._transport.close()
        assert one.is_closing() and not other.is_closing()

    assert corked(work) == [("a", b"closed")]


def test_everything_else_is_the_transports_own() -> None:
    def work(one: Cork, other: Cork, done: list[tuple[str, bytes]]) -> None:
        assert one.size == 7

    assert corked(work) == []
