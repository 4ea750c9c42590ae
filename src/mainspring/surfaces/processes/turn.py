"""The turn: one short request that came whole, and its answer, which the gateway writes without messages in between."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from mainspring.kernel.access import Caller
from mainspring.serving.streaming import Answerer, Headers, Sent
from mainspring.surfaces.door import Door
from mainspring.surfaces.processes.head import common_lines, lines_of

_NONE: Sequence[tuple[bytes, bytes]] = ()
_FEW = 3
"""Connections of which hardly two are answered in one turn of the loop: a whole answer need not wait for its end."""
_FAILED = b"Internal Server Error"
_log = logging.getLogger(__name__)


class _Nobody:
    """What the server tells that something has come or that the client is gone, where nobody waits for it."""

    def set(self) -> None:
        """Do nothing."""


class Turn:
    """A request and its answer, as `serving.streaming.Direct` says; for the server it is the connection's cycle."""

    __slots__ = (
        "_answer", "_door", "_protocol", "_started", "body", "caller", "client", "disconnected", "gone",
        "keep_alive", "named", "path", "response_complete", "sent", "size", "status", "task", "told",
    )  # fmt: skip
    message_event: ClassVar[_Nobody] = _Nobody()

    def __init__(
        self, protocol: Any, door: Door, answer: Answerer, path: str, named: dict[bytes, bytes], body: bytes = b""
    ) -> None:
        """`named` are the headers by their names in small letters."""
        self._protocol, self._door, self._answer = protocol, door, answer
        self.path, self.named, self.body = path, named, body
        self.client: tuple[str, int] | None = protocol.client
        self.caller: Caller | None = None
        self.sent: Sent | None = None
        self.gone: Callable[[], None] | None = None
        self.keep_alive = True
        self.disconnected = self.response_complete = self._started = False
        self.status = self.size = 0
        self.told: Headers = _NONE
        self.task: asyncio.Task[None] | None = None

    def next(self, body: bytes) -> Turn:
        """Return the turn of a request that came on the same connection and differs by its body alone."""
        length = b"%d" % len(body)
        named = self.named if self.named[b"content-length"] == length else {**self.named, b"content-length": length}
        turn = Turn(self._protocol, self._door, self._answer, self.path, named, body)
        turn.sent = self.sent
        return turn

    def begin_answering(self) -> None:
        """Let the application answer; the server waits for what it does before it ends."""
        self.task = self._protocol.loop.create_task(self._run())
        self._protocol.tasks.add(self.task)

    def lost(self) -> None:
        """Take note that the client is gone."""
        self.disconnected = True
        if self.gone is not None:
            self.gone()

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer."""
        self.size = len(body)
        head = self._head(status, headers)
        if not self.disconnected:
            transport = self._protocol.transport
            (transport.now if len(self._protocol.connections) < _FEW else transport.write)(b"%b\r\n%b" % (head, body))
            self._complete()

    def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in pieces."""
        head = self._head(status, headers)
        if not self.disconnected:
            self._protocol.transport.write(head + b"transfer-encoding: chunked\r\n\r\n")

    def piece(self, data: bytes) -> bool:
        """Write a piece; False, and nothing is written, where the client has to be waited for."""
        # A chunk of no bytes would end the answer: what came after it would be taken for the next one.
        if self.disconnected or not data:
            return True
        if self._protocol.flow.write_paused:
            return False
        self.size += len(data)
        self._protocol.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    def end(self, data: bytes) -> None:
        """Write the last piece."""
        if not self.disconnected:
            self.size += len(data)
            last = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            self._protocol.transport.write(last + b"0\r\n\r\n")
            self._complete()

    async def room(self) -> None:
        """Wait until the client has read."""
        await self._protocol.flow.drain()

    async def _run(self) -> None:
        began, clock, status = time.time(), time.perf_counter(), 499
        try:
            await self._answer(self)
        except Exception:
            status = 500
            _log.exception("a request failed")
        finally:
            self._protocol.tasks.discard(self.task)
            self._door.noted(self, began, time.perf_counter() - clock, status)
            if not self.response_complete and not self.disconnected:
                self._give_up()

    def _give_up(self) -> None:
        """Tell that no answer comes, or end the connection in the middle of one."""
        if self._started:
            self._protocol.transport.close()
        else:
            self.keep_alive = False
            size = b"%d" % len(_FAILED)
            self.whole(500, [(b"content-type", b"text/plain"), (b"content-length", size)], _FAILED)

    def _head(self, status: int, headers: Headers) -> bytes:
        self._started = True
        self.status, self.told = status, headers
        if self._door.leaving:
            self.keep_alive = False
        ends = b"" if self.keep_alive else b"connection: close\r\n"
        common = common_lines(self._protocol.server_state.default_headers)
        return STATUS_LINE[status] + common + lines_of(headers) + ends

    def _complete(self) -> None:
        self.response_complete = True
        if not self.keep_alive:
            self._protocol.transport.close()
        self._protocol.on_response_complete()
