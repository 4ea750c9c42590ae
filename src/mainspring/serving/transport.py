"""Transport: a lean HTTP/1.1 client that keeps connections alive, for one event loop.

It posts, and reads answers piece by piece, with patience for each phase. A request on a kept connection that the server
closed before it said anything is sent again, once. Whoever leaves an answer before its end closes the connection, which
ends the work at the other side.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import httptools

from mainspring.serving.connecting import Broken, Place, connected
from mainspring.serving.cork import Cork

_HEADERS = 64 << 10
"""Bytes of headers at most."""
_PAUSE = 256 << 10
"""Bytes that wait to be read before the server is asked to pause."""
_IDLE_SECONDS = 50.0
_STALE_SECONDS = 1.0
"""A kept connection that is lost sooner than this after a request was closed before it came."""
_KEPT = 256
"""Connections to one place that are kept while nobody uses them."""


Through = Callable[[bytes], bool]
"""Takes a piece of the body as it comes; False where it has to be read as usual."""


class Waits(NamedTuple):
    """Seconds that each phase may take."""

    connect: float
    headers: float
    """From the request to the headers of the answer, and to the first piece of one that is read in pieces."""
    between: float
    """Between two pieces of the answer."""
    total: float


class Connection(asyncio.Protocol):
    """One connection, with one answer at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: Cork | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pieces: deque[bytes] = deque()
        self._size = self._header_size = 0
        self._paused = self._keeps = False
        self._deadline = 0.0
        self.status = 0
        self._named: list[tuple[bytes, bytes]] = []
        self.begun = self.headed = self.done = False
        self.error: BaseException | None = None
        self.idle_since = 0.0
        self.between = self.ends = 0.0
        """Seconds until what comes after a piece, and the time of the loop when everything has to be here."""
        self._through: Through | None = None
        self.then: Callable[[], None] | None = None
        """What is done once the answer is here, where nobody waits for its end."""

    def send(self, request: bytes, deadline: float, *, alone: bool = False) -> None:
        """Send a request, at once where it is `alone`; its headers are expected before the loop's `deadline`."""
        self._pieces.clear()
        self._size = self._header_size = 0
        self.status, self._named = 0, []
        self.begun = self.headed = self.done = False
        self.ends = math.inf  # as long as only the headers are waited for
        self.expect(deadline)
        assert self._transport is not None
        (self._transport.now if alone else self._transport.write)(request)

    def expect(self, deadline: float) -> None:
        """Go on waiting until then: only an earlier end needs another timer."""
        self._deadline = deadline
        if self._timer is None or self._timer.when() > deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(deadline, self._look)

    async def head(self) -> None:
        """Wait for the headers. Raises Broken or TimeoutError."""
        while not self.headed:
            if self.error is not None:
                raise self.error
            await self._woken()

    async def piece(self, through: Through | None = None) -> bytes:
        """Return what has come of the body since the last time; empty at its end. Raises Broken or TimeoutError.

        What `through` takes while nothing else waits to be read does not come out, and wakes nobody.
        """
        while not self._pieces:
            if self.done:
                return b""
            if self.error is not None:
                raise self.error
            self._through = through
            try:
                await self._woken()
            finally:
                self._through = None
        found = self._pieces.popleft() if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return found

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent over it."""
        # One that was asked to pause would never be heard again.
        return self.done and self.error is None and self._keeps and not self._paused

    def rest(self) -> None:
        """Stop looking at the time: nothing is expected."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """End it at once."""
        self.rest()
        if self.error is None:
            self.error = Broken("closed")
        if self._transport is not None:
            self._transport.abort()

    def _woken(self) -> asyncio.Future[None]:
        self._waiter = self._loop.create_future()
        return self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _look(self) -> None:
        self._timer = None
        if self._loop.time() < (deadline := min(self._deadline, self.ends)):
            self.expect(deadline)
        elif not self.done:
            self._fail(TimeoutError("no answer in time"))

    def _fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
        self._wake()
        self._after()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = Cork(transport, self._loop)

    def connection_lost(self, error: Exception | None) -> None:
        if self.headed and not self.done and error is None and self._until_closed():
            self.done = True
        self._fail(Broken(str(error) if error else "the server closed the connection"))
        self.rest()

    def data_received(self, data: bytes) -> None:
        self.begun = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(Broken(f"this is no answer: {error}"))
        if self._through is None:
            self._wake()

    def on_message_begin(self) -> None:
        if self.done:
            raise Broken("the server said more than it was asked")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_size += len(name) + len(value)
        if self._header_size > _HEADERS:
            raise Broken("the headers are too long")
        self._named.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:  # what comes before is a mere notice, such as 103
            self.status, self.headed = status, True
            self._keeps = self._parser.should_keep_alive()
        else:
            self._named = []

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer, by their names in small letters."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._named}

    def on_body(self, body: bytes) -> None:
        if self._through is not None:
            if self._through(body):
                self._deadline = self._loop.time() + self.between
                return
            self._through = None
        self._pieces.append(body)
        self._size += len(body)
        if self._size > _PAUSE and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        self.done, self._through = self.headed, None
        if self.done:
            self._after()

    def _after(self) -> None:
        then, self.then = self.then, None
        if then is not None:
            self._loop.call_soon(then)

    def _until_closed(self) -> bool:
        """Whether the answer names neither its length nor chunks, so that its end is that of the connection."""
        headers = self.headers
        return "content-length" not in headers and "chunked" not in headers.get("transfer-encoding", "")


class Answer:
    """An answer that is being read. Close it, whatever happens."""

    def __init__(self, pool: Pool, place: Place, connection: Connection, waits: Waits, ends: float) -> None:
        self._pool, self._place, self._connection = pool, place, connection
        self._waits, self._ends = waits, ends
        connection.between, connection.ends = waits.between, ends
        self.status = connection.status
        self._begun = False
        self.ended = False
        """Whether what is said is said, and only the end of the message is to come."""

    @property
    def headers(self) -> dict[str, str]:
        """Its headers, by their names in small letters."""
        return self._connection.headers

    async def piece(self, through: Through | None = None) -> bytes:
        """Return the next piece of the body, as much as is there; empty at its end. Raises Broken or TimeoutError.

        The first one has the time of the headers. What `through` takes in the meantime does not come out.
        """
        if self._begun:
            self._connection.expect(min(self._pool.loop.time() + self._waits.between, self._ends))
        self._begun = True
        return await self._connection.piece(through)

    async def read(self, most: int) -> bytes | None:
        """Return the whole body; None where it is longer than `most` bytes. Raises Broken or TimeoutError."""
        connection, whole = self._connection, b""
        connection.expect(self._ends)
        while piece := await connection.piece():
            whole = whole + piece if whole else piece
            if len(whole) > most:
                return None
        return whole

    def close(self) -> None:
        """Keep the connection where the answer is read to its end, else close it."""
        connection = self._connection
        if self.ended and not connection.done and connection.error is None:
            connection.expect(self._pool.loop.time() + _STALE_SECONDS)
            connection.then = lambda: self._pool.give_back(self._place, connection)
        else:
            self._pool.give_back(self._place, connection)


class Pool:
    """Connections of one event loop."""

    def __init__(self, resolve: Callable[[str, int], Awaitable[str]]) -> None:
        """`resolve` returns the address that a host's name is called at, or raises."""
        self.loop = asyncio.get_running_loop()
        self._resolve = resolve
        self._kept: dict[Place, list[Connection]] = {}
        self._used: set[Connection] = set()
        self._tls: ssl.SSLContext | None = None

    async def post(self, place: Place, request: bytes, waits: Waits) -> Answer:
        """Send a request, head and body, and return its answer once its headers are here.

        Raises Broken, TimeoutError, OSError where no connection comes about, and what `resolve` raises.
        """
        ends = self.loop.time() + waits.total
        connection = self._take(place)
        if connection is not None:
            answer = await self._ask(place, connection, request, waits, ends)
            if answer is not None:
                return answer
        connection = await self._connect(place, waits.connect)
        answer = await self._ask(place, connection, request, waits, ends, fresh=True)
        assert answer is not None
        return answer

    async def _ask(
        self, place: Place, connection: Connection, request: bytes, waits: Waits, ends: float, *, fresh: bool = False
    ) -> Answer | None:
        """Return the answer; None where a kept connection turned out to be closed before the server said anything."""
        self._used.add(connection)
        now = self.loop.time()
        try:
            connection.send(request, min(now + waits.headers, ends), alone=len(self._used) == 1)
            await connection.head()
        except BaseException as error:
            self._used.discard(connection)
            connection.close()
            stale = not fresh and not connection.begun and self.loop.time() - now < _STALE_SECONDS
            if isinstance(error, Broken) and stale:
                return None
            raise
        return Answer(self, place, connection, waits, ends)

    def give_back(self, place: Place, connection: Connection) -> None:
        """Take a connection back that was given out."""
        self._used.discard(connection)
        kept = self._kept.setdefault(place, [])
        if connection.reusable and len(kept) < _KEPT:
            connection.idle_since = time.monotonic()
            kept.append(connection)
        else:
            connection.close()

    @property
    def idle(self) -> int:
        """How many connections wait to be used again."""
        return sum(map(len, self._kept.values()))

    def close(self) -> None:
        """Close every connection."""
        for connection in [*self._used, *(one for kept in self._kept.values() for one in kept)]:
            connection.close()
        self._kept.clear()

    def _take(self, place: Place) -> Connection | None:
        """Return a connection that is kept and lives; the one used last, so that what is too many grows old."""
        kept = self._kept.get(place)
        while kept:
            connection = kept.pop()
            if connection.error is None and time.monotonic() - connection.idle_since < _IDLE_SECONDS:
                return connection
            connection.close()
        return None

    async def _connect(self, place: Place, seconds: float) -> Connection:
        tls = self._context() if place.secure else None
        return await connected(self.loop, lambda: Connection(self.loop), self._resolve, place, tls, seconds)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls
