"""The turn: one short request that came whole, and its answer, which the gateway writes without messages in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from mainspring.serving.streaming import DIRECT, Headers
from mainspring.surfaces.door import Door

_NONE: Sequence[tuple[bytes, bytes]] = ()


class Turn(RequestResponseCycle):
    """A cycle of uvicorn's whose answer may also be written at once, as `serving.streaming.Direct` says."""

    gone: Callable[[], None] | None = None
    status = size = 0
    told = _NONE

    def __init__(self, protocol: Any, door: Door, named: dict[bytes, bytes]) -> None:
        """`named` are the headers by their names in small letters."""
        super().__init__(
            scope=protocol.scope,
            transport=protocol.transport,
            flow=protocol.flow,
            logger=protocol.logger,
            access_logger=protocol.access_logger,
            access_log=False,
            default_headers=protocol.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=protocol.parser.should_keep_alive(),
            on_response=protocol.on_response_complete,
        )
        self.named = named
        self._door = door
        path = protocol.url
        protocol.scope |= {
            "method": "POST",
            "path": path.decode("ascii"),
            "raw_path": path,
            "query_string": b"",
            "extensions": {DIRECT: self},
        }

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
            self.transport.write(b"%b\r\n%b" % (head, body))
            self._complete()

    def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in pieces."""
        head = self._head(status, headers)
        if not self.disconnected:
            self.transport.write(head + b"transfer-encoding: chunked\r\n\r\n")

    def piece(self, data: bytes) -> bool:
        """Write a piece; False, and nothing is written, where the client has to be waited for."""
        # A chunk of no bytes would end the answer: what came after it would be taken for the next one.
        if self.disconnected or not data:
            return True
        if self.flow.write_paused:
            return False
        self.size += len(data)
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    def end(self, data: bytes) -> None:
        """Write the last piece."""
        if not self.disconnected:
            self.size += len(data)
            last = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            self.transport.write(last + b"0\r\n\r\n")
            self._complete()

    async def room(self) -> None:
        """Wait until the client has read."""
        await self.flow.drain()

    def _head(self, status: int, headers: Headers) -> bytes:
        self.response_started = True
        self.status, self.told = status, headers
        if self._door.leaving:
            self.keep_alive = False
        lines = [STATUS_LINE[status], *(b"%b: %b\r\n" % pair for pair in self.default_headers)]
        lines += [b"%b: %b\r\n" % pair for pair in headers]
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        return b"".join(lines)

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
