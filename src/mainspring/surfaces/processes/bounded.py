"""Bounded: connections whose heads neither grow without end nor take for ever, whoever sends them.

A short request to the gateway is handed over once it is there as a whole, as a turn.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mainspring.surfaces.door import Door
from mainspring.surfaces.processes.cork import Cork
from mainspring.surfaces.processes.turn import Turn

HEAD_BYTES = 128 << 10
HEAD_SECONDS = 60.0


class Bounded(HttpToolsProtocol):
    """One connection: bytes that bring neither the end of a head nor a piece of a body are kept, and so bounded.

    So trailers and the extensions of chunks are bounded too.
    """

    seconds = HEAD_SECONDS
    """A head may take so long."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._silent = 0
        self._brought = False
        self._waiting: asyncio.TimerHandle | None = None
        self._door = self.config.app if isinstance(self.config.app, Door) else None
        self._turn: Turn | None = None
        """The turn that was handed over last."""
        self._idling: asyncio.TimerHandle | None = None
        self._idle_since: float | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        super().connection_made(Cork(transport, self.loop))  # type: ignore[arg-type]
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._rest()
        if self._idling is not None:
            self._idling.cancel()
        super().connection_lost(exc)
        if self._turn is not None and not self._turn.response_complete:
            self._turn.lost()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._brought, self._idle_since = False, None
        super().data_received(data)
        if self._brought:
            self._silent = 0
            return
        self._silent += len(data)
        if self._silent > HEAD_BYTES:
            if not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")
        elif self._waiting is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """Take the end of a head."""
        self._brought = True
        self._rest()
        if self._door is None or self.url not in self._door.direct or not self._take_turn(self._door):
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._brought = True
        if type(self.cycle) is Turn:
            self.cycle.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        self._brought = True
        self._rest()
        if type(self.cycle) is Turn:
            self._turn = self.cycle
            self.cycle.more_body = False
            self._start_asgi_task(self.cycle, self.app)
        else:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request; a timer that runs already looks again, which is cheaper than another."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._idling is None:
            self._idling = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _take_turn(self, door: Door) -> bool:
        """Make a turn of the request, where it is short, plain and the only one on the connection."""
        named = dict(self.headers)
        length = named.get(b"content-length", b"")
        if (
            not length.isdigit()
            or int(length) > HIGH_WATER_LIMIT
            or b"transfer-encoding" in named
            or self.expect_100_continue
            or self.limit_concurrency is not None
            or self.parser.get_method() != b"POST"
            or self.parser.get_http_version() != "1.1"
            or self.parser.should_upgrade()
            or (self.cycle is not None and not self.cycle.response_complete)
        ):
            return False
        self.cycle = Turn(self, door, named)
        return True

    def _look(self) -> None:
        """Close the connection where it was idle for long enough."""
        self._idling = None
        if self._idle_since is not None:
            left = self._idle_since + self.timeout_keep_alive - self.loop.time()
            if left > 0:
                self._idling = self.loop.call_later(left, self._look)
            else:
                self.timeout_keep_alive_handler()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.seconds, self._late)

    def _rest(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _late(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self.transport.close()
