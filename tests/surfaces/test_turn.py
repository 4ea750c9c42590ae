"""Turns: short requests that are answered on their connection, and everything that goes the ordinary way instead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from tests.surfaces.talking import talking

from mainspring.surfaces.access_log import AccessLog
from mainspring.surfaces.door import Door

Answer = Callable[[Any], Awaitable[None]]
TYPE = (b"content-type", b"text/plain")


async def whole(direct: Any) -> None:
    body = b"turn:" + bytes(direct.body)
    direct.whole(200, [TYPE, (b"content-length", b"%d" % len(body))], body)


def door_of(answer: Answer, log: AccessLog | None = None) -> Door:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await PlainTextResponse(f"ordinary:{len(body)}")(scope, receive, send)

    return Door(app, log, {"/ask": answer})


def asking(body: bytes = b"hi", path: str = "/ask", more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: x\r\n{more}content-length: {len(body)}\r\n\r\n".encode() + body


async def answered(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one answer: its head, and its body of the length that the head names."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head, await reader.readexactly(size)


async def chunks(reader: asyncio.StreamReader) -> bytes:
    """Read the body of an answer in chunks."""
    found = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        found += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return found


def test_a_short_request_is_answered_and_logged_and_the_connection_kept(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for word in (b"one", b"two"):
            writer.write(asking(word))
            head, body = await answered(reader)
            assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"connection: close" not in head
            assert body == b"turn:" + word

    door = door_of(whole, AccessLog(tmp_path / "access.log"))
    talking(door, talk)
    door.close()
    lines = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    told = [(line["method"], line["path"], line["status"], line["bytes"]) for line in lines]
    assert told == [("POST", "/ask", 200, 8)] * 2


def test_a_body_may_come_in_pieces() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = asking(b"a" * 1000)
        for part in (asked[:30], asked[30:200], asked[200:]):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        assert (await answered(reader))[1] == b"turn:" + b"a" * 1000

    talking(door_of(whole), talk)


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        (asking(b"a" * 70_000), 70_000),
        (asking(path="/other"), 2),
        (asking(path="/ask?x=1"), 2),
        (asking(more="expect: 100-continue\r\n"), 2),
        (b"POST /ask HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 2),
        (b"GET /ask HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi", 2),
        (b"POST /ask HTTP/1.0\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi", 2),
    ],
)
def test_what_is_long_or_special_goes_the_ordinary_way(asked: bytes, size: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(asked)
        head, body = await answered(reader) if b"100-continue" not in asked else await continued(reader)
        assert head.startswith(b"HTTP/1.1 200") and body == b"ordinary:%d" % size

    async def continued(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        return await answered(reader)

    talking(door_of(whole), talk)


def test_requests_that_come_at_once_are_answered_in_turn() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(asking(b"1") + asking(b"22") + asking(b"333"))
        bodies = [(await answered(reader))[1] for _ in range(3)]
        assert bodies == [b"turn:1", b"ordinary:2", b"ordinary:3"]
        writer.write(asking(b"4"))
        assert (await answered(reader))[1] == b"turn:4"

    async def slowly(direct: Any) -> None:
        await asyncio.sleep(0.01)
        await whole(direct)

    talking(door_of(slowly), talk)


def test_a_stream_waits_for_a_client_that_reads_slowly() -> None:
    waited: list[int] = []
    many, piece = 400, b"x" * 50_000

    async def stream(direct: Any) -> None:
        direct.begin(200, [TYPE])
        for number in range(many):
            while not direct.piece(piece):
                waited.append(number)
                await direct.room()
            await asyncio.sleep(0)
        direct.end(b"end")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(asking())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head
        while not waited:  # nothing is read until the server has to wait
            await asyncio.sleep(0.01)
        assert await chunks(reader) == piece * many + b"end"
        writer.write(asking())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await chunks(reader)

    talking(door_of(stream), talk)


@pytest.mark.parametrize("last", [b"", b"end"])
def test_a_piece_of_no_bytes_does_not_end_the_answer(last: bytes) -> None:
    async def stream(direct: Any) -> None:
        direct.begin(200, [TYPE])
        assert direct.piece(b"one") and direct.piece(b"") and direct.piece(b"two")
        direct.end(last)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(asking())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await chunks(reader) == b"onetwo" + last

    talking(door_of(stream), talk)


def test_a_client_that_leaves_is_noticed() -> None:
    taken, left = asyncio.Event(), asyncio.Event()

    async def wait(direct: Any) -> None:
        direct.gone = left.set
        taken.set()
        await left.wait()
        assert direct.disconnected and direct.piece(b"to nobody")
        await whole(direct)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(asking())
        await taken.wait()
        writer.transport.abort()
        await left.wait()

    talking(door_of(wait), talk)


def test_a_process_that_leaves_closes_the_connection_with_the_answer() -> None:
    door = door_of(whole)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        door.leaving = "hand over"
        writer.write(asking())
        head, body = await answered(reader)
        assert b"connection: close\r\n" in head and body == b"turn:hi"
        assert await reader.read() == b""

    talking(door, talk)


def test_a_client_that_asks_for_it_is_answered_and_let_go() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(asking(more="connection: close\r\n"))
        assert b"connection: close\r\n" in (await answered(reader))[0]
        assert await reader.read() == b""

    talking(door_of(whole), talk)


def test_an_idle_connection_is_closed_and_a_busy_one_is_not() -> None:
    released = asyncio.Event()

    async def held(direct: Any) -> None:
        if bytes(direct.body) == b"wait":
            await released.wait()
        await whole(direct)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(asking(b"first"))
        await answered(reader)
        writer.write(asking(b"wait"))
        asyncio.get_running_loop().call_later(1.5, released.set)
        assert (await answered(reader))[1] == b"turn:wait"
        assert await reader.read() == b""

    talking(door_of(held), talk, timeout_keep_alive=1)  # seconds: time enough to ask again


def test_a_failure_is_told_where_nothing_was_written() -> None:
    async def fail(direct: Any) -> None:
        raise ValueError("of the application")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(asking())
        assert (await answered(reader))[0].startswith(b"HTTP/1.1 500")

    talking(door_of(fail), talk)
