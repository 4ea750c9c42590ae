"""Heads that come again on a connection: taken as they were before, and only where they are the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.surfaces.talking import talking
from tests.surfaces.test_turn import answered, asking

from mainspring.surfaces.door import Door
from mainspring.surfaces.processes.bounded import Bounded
from mainspring.surfaces.processes.head import head_of

TYPE = (b"content-type", b"text/plain")
MOST = 65_536


async def telling(direct: Any) -> None:
    """Answer with what the request says."""
    said = b"|".join([direct.path.encode(), *(b"=".join(pair) for pair in sorted(direct.named.items())), direct.body])
    direct.whole(200, [TYPE, (b"content-length", b"%d" % len(said))], said)


async def ordinary(scope: Any, receive: Any, send: Any) -> None:
    """Answer what is no turn."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": b"ordinary"})


class Counting(Bounded):
    """Counts the requests that were taken without being taken apart."""

    again = 0

    def _again(self, data: bytes) -> bool:
        taken = super()._again(data)
        Counting.again += taken
        return taken


def talk_of(asked: list[bytes]) -> list[bytes]:
    """Return the answers to requests on one connection, each sent once the one before was answered."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for one in asked:
            writer.write(one)
            heard.append((await answered(reader))[1])

    Counting.again = 0
    talking(Door(ordinary, None, {"/ask": telling}), talk, Counting)
    return heard


def test_the_same_head_with_other_bodies_is_taken_again() -> None:
    bodies = [b"one", b"another", b"three", b"", b"x" * 9999]
    heard = talk_of([asking(body, more="x-Key: A\r\n") for body in bodies])
    assert heard == [b"/ask|content-length=%d|host=x|x-key=A|%b" % (len(body), body) for body in bodies]
    assert Counting.again == 4


def test_another_head_is_taken_apart() -> None:
    keys = ["a", "a", "b", "bb", "a"]
    heard = talk_of([asking(more=f"x-key: {key}\r\n") for key in keys])
    assert heard == [b"/ask|content-length=2|host=x|x-key=%b|hi" % key.encode() for key in keys]
    assert Counting.again == 1


def test_what_comes_between_leaves_nothing_behind() -> None:
    get = b"GET /other HTTP/1.1\r\nhost: x\r\n\r\n"
    asked = [asking(b"1"), get, asking(b"2"), asking(b"3", path="/other"), asking(b"4")]
    heard = talk_of(asked)
    assert heard[1] == heard[3] == b"ordinary"
    assert [heard[place][-1:] for place in (0, 2, 4)] == [b"1", b"2", b"4"]


def test_several_at_once_and_parts_are_taken_apart() -> None:
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(asking(b"first"))
        heard.append((await answered(reader))[1])
        writer.write(asking(b"second") + asking(b"third"))
        heard.extend([(await answered(reader))[1] for _ in range(2)])
        half = asking(b"fourth")
        for part in (half[:-3], half[-3:]):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        heard.append((await answered(reader))[1])
        writer.write(asking(b"fifth"))
        heard.append((await answered(reader))[1])

    talking(Door(ordinary, None, {"/ask": telling}), talk)
    # What comes before another was answered goes the ordinary way.
    assert [said.rpartition(b"|")[2] for said in heard] == [b"first", b"second", b"ordinary", b"fourth", b"fifth"]


def test_a_request_in_parts_in_between_does_not_lend_what_it_says() -> None:
    """Clients may share a connection, behind a proxy: none is ever answered as another."""
    heard: list[bytes] = []
    first, other = asking(b"1", more="x-key: A\r\n"), asking(b"2", more="x-key: BB\r\n")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for parts in ((first,), (other[:-1], other[-1:]), (first,), (other[:20], other[20:]), (other,), (first,)):
            for part in parts:
                writer.write(part)
                await writer.drain()
                for _ in range(5):
                    await asyncio.sleep(0)  # a turn of the loop, in which the part is read by itself
            heard.append((await answered(reader))[1])

    talking(Door(ordinary, None, {"/ask": telling}), talk)
    assert [said.partition(b"x-key=")[2] for said in heard] == [b"A|1", b"BB|2", b"A|1", b"BB|2", b"BB|2", b"A|1"]


@pytest.mark.parametrize(
    "data",
    [
        b"POST /ask HTTP/1.1\r\nhost: x\r\n\r\nhi",
        b"POST /ask HTTP/1.1\r\ncontent-length: 3\r\n\r\nhi",
        b"POST /ask HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi and more",
        b"POST /ask HTTP/1.1\ncontent-length: 2\n\nhi",
        b"\r\n\r\nPOST /ask HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi",
        b"POST /ask HTTP/1.1\nx: y\n\n\r\ncontent-length: 2\r\n\r\nhi",
    ],
)
def test_what_is_not_plain_is_not_remembered(data: bytes) -> None:

    assert head_of(data, 2, MOST) is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(0, 60))
def test_only_a_whole_request_with_the_same_head_has_a_body(body: bytes, other: bytes, cut: int) -> None:
    head = head_of(asking(body), len(body), MOST)
    assert head is not None
    assert head.body(asking(other)) == other
    assert head.body(asking(other, more="x: y\r\n")) is None
    assert head.body(asking(other) + b"z") is None
    whole = asking(other)
    assert head.body(whole[: max(0, len(whole) - 1 - cut)]) is None
