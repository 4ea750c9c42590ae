"""The client that asks providers has patience for each phase of an answer, and an end of it."""

from __future__ import annotations

import asyncio

import pytest
from tests.serving.test_transport import ASK, SHORT, asked, run, serving

from mainspring.serving.connecting import NoConnection, Place
from mainspring.serving.transport import Pool, Waits


@pytest.mark.parametrize("phase", ["headers", "between", "total"])
def test_patience_has_an_end_in_each_phase(phase: str) -> None:
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        if phase != "headers":
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
        await done.wait()

    async def work() -> None:
        waits = Waits(**{"connect": 30, "headers": 30, "between": 30, "total": 60, phase: SHORT})
        async with serving(serve) as (pool, place):
            with pytest.raises(TimeoutError):
                answer = await pool.post(place, ASK, waits)
                assert await answer.piece() == b"x"
                await answer.piece()
            done.set()

    run(work())


def test_the_headers_give_the_first_piece_no_more_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        for part in (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"):
            await asyncio.sleep(0.7 * SHORT)  # both in time for themselves, and together too late
            writer.write(part)
        await reader.read()

    async def work() -> None:
        async with serving(serve) as (pool, place):
            with pytest.raises(TimeoutError):
                answer = await pool.post(place, ASK, Waits(connect=30, headers=SHORT, between=30, total=60))
                await answer.piece()

    run(work())


def test_no_connection_in_time() -> None:
    async def nowhere(host: str, port: int) -> str:
        await asyncio.Event().wait()
        return ""

    async def work() -> None:
        with pytest.raises(NoConnection):
            await Pool(nowhere).post(Place(False, "there", 80), ASK, Waits(SHORT, 30, 30, 30))

    run(work())
