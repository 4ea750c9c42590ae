"""Connections and requests: nobody makes the server hold too many, one that is too long, or one that never ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from tests.surfaces.talking import talking

from mainspring.surfaces.processes.bounded import BODY_BYTES, HEAD_BYTES, Bounded

reading = asyncio.Event()


async def app(scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    if scope["path"] == "/later":
        await reading.wait()
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await PlainTextResponse(str(size))(scope, receive, send)


class Hasty(Bounded):
    seconds = 0.5


@pytest.mark.parametrize(
    "begun",
    [
        b"GET / HTTP/1.1\r\nhost: x\r\nx: ",
        b"GET /",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx: ",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;x=",
    ],
)
def test_a_head_that_grows_without_end_is_cut_off(begun: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        sent = 0
        try:
            while sent < 100 * HEAD_BYTES and not writer.is_closing():
                writer.write(b"y" * 10_000)
                await writer.drain()
                sent += 10_000
        except ConnectionError:
            pass
        assert sent < 100 * HEAD_BYTES

    talking(app, talk)


def test_a_head_that_never_ends_is_given_up() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HTTP/1.1\r\nho")
        assert await reader.read() == b""

    talking(app, talk, Hasty)


def test_long_bodies_and_many_requests_go_through() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = 3 * HEAD_BYTES
        for _ in range(3):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size + b"y" * size)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(len(str(size))) == str(size).encode()

    talking(app, talk)


@pytest.mark.parametrize("framing", [b"content-length: 2000000", b"transfer-encoding: chunked"])
def test_a_body_that_comes_too_slowly_is_given_up(framing: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\n" + framing + b"\r\n\r\n")
        ended = asyncio.ensure_future(reader.read())
        while not ended.done():
            writer.write(b"1\r\ny\r\n")
            await asyncio.wait({ended}, timeout=0.01)
        # Whether the end or a reset is seen depends on what was on its way when the server closed.
        with suppress(ConnectionResetError):
            assert ended.result() == b""

    talking(app, talk, Hasty)


def test_a_body_that_nobody_reads_yet_is_waited_for() -> None:
    looks: list[bool] = []

    class Looking(Hasty):
        def _late(self) -> None:
            super()._late()
            looks.append(self.transport.is_closing())
            if len(looks) == 3:
                reading.set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reading.clear()
        size = 4 * BODY_BYTES
        writer.write(b"POST /later HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size + b"y" * size)
        assert (await reader.readuntil(str(size).encode())).startswith(b"HTTP/1.1 200")
        assert looks[:3] == [False] * 3

    talking(app, talk, Looking)


def test_one_connection_too_many_is_refused_and_the_others_go_on() -> None:
    class Few(Bounded):
        most = 1

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
        other, its = await asyncio.open_connection(*writer.get_extra_info("peername")[:2])
        assert (await other.read()).startswith(b"HTTP/1.1 503")
        its.close()
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")

    talking(app, talk, Few)


def test_a_client_that_does_not_read_is_given_up() -> None:
    ended = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()
        gone = asyncio.ensure_future(receive())
        while not gone.done():
            await send({"type": "http.response.body", "body": b"y" * 65_536, "more_body": True})
            await asyncio.sleep(0)
        ended.set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.clear()
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await ended.wait()

    talking(endless, talk, Hasty)
