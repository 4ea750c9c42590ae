"""Bounded: so many connections at most, whose requests neither grow without end nor take for ever, whoever sends them.

A short request to the gateway is handed over once it is there as a whole, as a turn.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mainspring.serving.cork import Cork
from mainspring.serving.streaming import Answerer
from mainspring.surfaces.door import Door
from mainspring.surfaces.processes.head import Head, head_of
from mainspring.surfaces.processes.turn import Turn

HEAD_BYTES = 128 << 10
HEAD_SECONDS = 60.0
BODY_BYTES = 256 << 10
"""What a body that goes on has to bring in as long a time: some 4 KiB a second."""
_SPARE = 512
"""Descriptors that are no connections of clients: files, engines, providers, the database."""
_FULL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n"


class Bounded(HttpToolsProtocol):
    """One connection: bytes that bring neither the end of a head nor a piece of a body are kept, and so bounded.

    So trailers and the extensions of chunks are bounded too.
    """

    seconds = HEAD_SECONDS
    """A head may take so long, and so may `BODY_BYTES` of a body, and a client that reads nothing of an answer."""
    most = max(64, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE)
    """Connections of one process at the same time: with no descriptor left it could not even refuse one."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._silent = 0
        self._brought = False
        self._waiting: asyncio.TimerHandle | None = None
        self._unfinished = False
        """The head of a request is there, and its body is not."""
        self._arrived = 0
        """Bytes of the body since it was looked at."""
        self._held = False
        """Whoever answers did not read meanwhile: the client is not at fault."""
        self._door = self.config.app if isinstance(self.config.app, Door) else None
        self._coming: Turn | None = None
        """The turn whose body is being read."""
        self._turn: Turn | None = None
        """The turn that was handed over last."""
        self._between = True
        """Nothing of the next request has come to the parser."""
        self._head: Head | None = None
        """That of the last turn."""
        self._idling: asyncio.TimerHandle | None = None
        self._idle_since: float | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        super().connection_made(Cork(transport, self.loop))  # type: ignore[arg-type]
        if len(self.connections) > self.most:
            transport.write(_FULL)
            transport.close()
            return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._rest()
        for timer in (self._idling, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        if self._turn is not None and not self._turn.response_complete:
            self._turn.lost()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._brought, self._idle_since = False, None
        begins, last = self._between, self._turn
        if begins and self._again(data):
            return
        super().data_received(data)
        turn = self._turn
        if begins and self._between and turn is not None and turn is not last and turn.keep_alive:
            self._head = head_of(data, len(turn.body), HIGH_WATER_LIMIT)
        if self._brought:
            self._silent = 0
            if self._unfinished:
                self._held = self._held or self.flow.read_paused
                if self._waiting is None:
                    self._arrived = 0
                    self._wait()
            return
        self._silent += len(data)
        if self._silent > HEAD_BYTES:
            if not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")
        elif self._waiting is None:
            self._wait()

    def pause_writing(self) -> None:
        """Wait for the client to read, and not for ever: an answer that stands still holds an engine, or a provider."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def on_message_begin(self) -> None:
        """Begin a request; its scope is made once it is known to need one."""
        self._between, self._head = False, None
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if len(name) == len(b"expect"):
            super().on_header(name, value)
        else:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take the end of a head."""
        self._brought = self._unfinished = True
        self._rest()
        door = self._door
        answer = door.direct.get(self.url) if door is not None else None
        self._coming = self._turn_of(door, answer) if door is not None and answer is not None else None
        if self._coming is None:
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expects
            self.headers += headers
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._brought = True
        self._arrived += len(body)
        if self._coming is not None:
            self._coming.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        self._brought, self._unfinished, self._between = True, False, True
        self._rest()
        if self._coming is not None:
            self._turn, self._coming = self._coming, None
            self._turn.begin_answering()
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

    def _again(self, data: bytes) -> bool:
        """Take a request that comes as a whole and begins as the last one did; False where it is another."""
        head, last = self._head, self._turn
        cycle: Any = self.cycle
        if head is None or last is None or cycle is not last or not last.response_complete:
            return False
        body = head.body(data)
        if body is None:
            return False
        self._rest()
        self._silent = 0
        self._turn = turn = last.next(body)
        self.cycle = turn  # type: ignore[assignment]
        turn.begin_answering()
        return True

    def _turn_of(self, door: Door, answer: Answerer) -> Turn | None:
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
            return None
        turn = Turn(self, door, answer, self.url.decode("ascii"), named)
        turn.keep_alive = self.parser.should_keep_alive()
        self.cycle = turn  # type: ignore[assignment]
        return turn

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
        if self._unfinished and (self._held or self._arrived >= BODY_BYTES):
            self._held, self._arrived = self.flow.read_paused, 0
            self._wait()
        elif not self.transport.is_closing():
            self.transport.close()
