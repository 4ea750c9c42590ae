"""Bounded: connections whose heads neither grow without end nor take for ever, whoever sends them."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mainspring.surfaces.processes.cork import Cork

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

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        super().connection_made(Cork(transport, self.loop))  # type: ignore[arg-type]
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._brought = False
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
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._brought = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        self._brought = True
        self._rest()
        super().on_message_complete()

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
