"""The client that asks providers: servers that behave oddly, patience for each phase, and what leaving does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mainspring.serving.connecting import Broken, Place
from mainspring.serving.transport import Answer, Pool, Waits

ASK = b"POST /v1 HTTP/1.1\r\nhost: there\r\ncontent-length: 2\r\n\r\nhi"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
WAITS = Waits(connect=30, headers=30, between=30, total=60)
SHORT = 0.05
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def asked(reader: asyncio.StreamReader) -> bool:
    """Read one request; False where there is none."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        await reader.readuntil(b"hi")
        return True
    return False


async def address(host: str, port: int) -> str:
    return "127.0.0.1"


@asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> Any:
    """Serve on a free port; yield a pool and the place."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    pool = Pool(address)
    try:
        yield pool, Place(tls is not None, "localhost", server.sockets[0].getsockname()[1])
    finally:
        pool.close()
        server.close()


async def whole(pool: Pool, place: Place, waits: Waits = WAITS) -> bytes | None:
    """Ask, and return the whole body."""
    answer = await pool.post(place, ASK, waits)
    try:
        return await answer.read(1 << 20)
    finally:
        answer.close()


def run(work: Any) -> None:
    asyncio.run(asyncio.wait_for(work, 120))


def test_a_connection_is_kept_and_used_again() -> None:
    opened = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        while await asked(reader):
            writer.write(OK)

    async def work() -> None:
        async with serving(serve) as (pool, place):
            assert [await whole(pool, place) for _ in range(5)] == [b"hello"] * 5
        assert len(opened) == 1

    run(work())


ODD = {
    "chunks": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", b"hello"),
    "until closed": (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
    "a notice before": (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, b"hello"),
    "nothing": (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
}
BAD = {
    "no HTTP": b"SSH-2.0-OpenSSH_9\r\n",
    "cut off": b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello",
    "chunks cut off": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
    "long headers": b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000 + b"\r\n\r\n",
    "silence": b"",
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("cut", [1, 7, 10_000])
def test_odd_answers_are_read(name: str, cut: int) -> None:
    told, body = ODD[name]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        for at in range(0, len(told), cut):
            writer.write(told[at : at + cut])
            await writer.drain()
            await asyncio.sleep(0)

    async def work() -> None:
        async with serving(serve) as (pool, place):
            assert await whole(pool, place) == body

    run(work())


@pytest.mark.parametrize("name", BAD)
def test_a_broken_answer_is_told_as_such(name: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(BAD[name])

    async def work() -> None:
        async with serving(serve) as (pool, place):
            with pytest.raises(Broken):
                await whole(pool, place)

    run(work())


def test_a_kept_connection_that_the_server_closed_costs_one_more_try() -> None:
    opened: list[int] = []
    close = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        await asked(reader)
        writer.write(OK)
        if len(opened) == 1:  # closed as the next request comes, so that the client cannot know it before
            await asked(reader)
        else:
            await close.wait()

    async def work() -> None:
        async with serving(serve) as (pool, place):
            assert await whole(pool, place) == b"hello"
            assert await whole(pool, place) == b"hello"
            close.set()
        assert len(opened) == 2

    run(work())


def test_a_request_that_was_begun_to_be_answered_is_never_sent_again() -> None:
    asks: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await asked(reader):
            asks.append(1)
            if len(asks) == 2:
                writer.write(b"HTTP/1.1 200 OK\r\n")
                return
            writer.write(OK)

    async def work() -> None:
        async with serving(serve) as (pool, place):
            await whole(pool, place)
            with pytest.raises(Broken):
                await whole(pool, place)
        assert len(asks) == 2

    run(work())


def test_whoever_leaves_early_is_noticed_at_the_other_side() -> None:
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
        if await reader.read() == b"":
            left.set()

    async def work() -> None:
        async with serving(serve) as (pool, place):
            answer = await pool.post(place, ASK, WAITS)
            assert await answer.piece() == b"x"
            reading = asyncio.ensure_future(answer.piece())
            await asyncio.sleep(0)
            reading.cancel()
            answer.close()
            await left.wait()

    run(work())


def test_a_stream_that_said_its_end_keeps_its_connection() -> None:
    opened: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        while await asked(reader):
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndone\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)  # the end of the message comes by itself
            writer.write(b"0\r\n\r\n")

    async def end_of(answer: Answer) -> None:
        assert await answer.piece() == b"done"
        answer.ended = True
        answer.close()

    async def work() -> None:
        async with serving(serve) as (pool, place):
            await end_of(await pool.post(place, ASK, WAITS))
            while not pool.idle:
                await asyncio.sleep(0.001)
            await end_of(await pool.post(place, ASK, WAITS))
        assert len(opened) == 1

    run(work())


def test_too_long_a_body_is_not_kept_in_memory() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65_536)
            await writer.drain()

    async def work() -> None:
        async with serving(serve) as (pool, place):
            assert await whole(pool, place) is None

    run(work())


def certificate(folder: Path, name: str) -> Path:
    """Write a self-signed certificate for a host, with its key, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(("name", "trusted"), [("localhost", True), ("localhost", False), ("elsewhere", True)])
def test_a_server_proves_who_it_is(name: str, trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = certificate(tmp_path, name)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await asked(reader):
            writer.write(OK)
            await writer.drain()

    async def work() -> None:
        async with serving(serve, tls) as (pool, place):
            if trusted and name == place.host:
                assert await whole(pool, place) == b"hello"
            else:
                with pytest.raises(ssl.SSLCertVerificationError):
                    await whole(pool, place)

    run(work())


def test_a_connection_that_was_asked_to_pause_is_not_used_again() -> None:
    size = 1 << 20

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await asked(reader):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
            await writer.drain()

    async def work() -> None:
        async with serving(serve) as (pool, place):
            answer = await pool.post(place, ASK, WAITS)
            connection = answer._connection
            while not connection._paused:
                await asyncio.sleep(0)
            # All that was to come is here, and whoever asked left without reading it.
            connection.data_received(b"x" * (size - connection._size))
            assert connection.done
            answer.close()
            assert len(await whole_of(pool, place)) == size

    async def whole_of(pool: Pool, place: Place) -> bytes:
        answer = await pool.post(place, ASK, WAITS)
        try:
            return await answer.read(size) or b""
        finally:
            answer.close()

    run(work())


@pytest.mark.parametrize("refused", [b"", b"b", b"d"])
def test_what_is_taken_on_the_way_is_not_read_and_nothing_is_lost_or_turned_round(refused: bytes) -> None:
    taken: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for each in (b"a", b"b", b"c", b"d", b"e"):
            writer.write(b"1\r\n%b\r\n" % each)
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    def through(piece: bytes) -> bool:
        taken.extend([piece] if piece != refused else [])
        return piece != refused

    async def work() -> None:
        async with serving(serve) as (pool, place):
            answer = await pool.post(place, ASK, WAITS)
            while piece := await answer.piece(through):
                taken.append(piece)
            answer.close()
        assert b"".join(taken) == b"abcde"

    run(work())


def test_patience_holds_for_what_is_taken_on_the_way_too() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        await reader.read()

    async def work() -> None:
        async with serving(serve) as (pool, place):
            answer = await pool.post(place, ASK, Waits(connect=5, headers=5, between=SHORT, total=20))
            with pytest.raises(TimeoutError):
                while await answer.piece(lambda piece: True):
                    pass
            answer.close()

    run(work())
