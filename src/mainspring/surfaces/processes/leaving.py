"""Leaving: how an API process ends without failing anybody's request.

On SIGTERM it stops: running requests finish, idle connections are closed. On SIGUSR1 it hands over, because another
process listens on the same socket already: nobody is cut off, each connection is closed with its next answer, or once
it was idle for longer than its client would use it again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from contextlib import suppress
from email.utils import formatdate
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from mainspring.kernel.settings import Settings
from mainspring.surfaces.door import Door
from mainspring.surfaces.processes.bounded import Bounded
from mainspring.surfaces.processes.keeper import HAND_OVER

_LOOK = 0.05
_LONGEST = 3600.0
"""Seconds that any request may take: a provider's answer at most."""


class _State(ServerState):
    """What connections share; the Date header is made when the first answer of a second is."""

    second = 0
    dated: list[tuple[bytes, bytes]] = []

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of every answer."""
        now = int(time.time())
        if now != self.second:
            self.second, self.dated = now, [(b"date", formatdate(now, usegmt=True).encode())]
        return self.dated

    @default_headers.setter
    def default_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Take none: there is nothing but the date."""


class Leaving(uvicorn.Server):
    """A server that tells when it listens, and leaves politely."""

    def __init__(self, door: Door, config: Settings, listening: int | None) -> None:
        """`listening` is a descriptor that gets a byte once connections are taken."""
        self._door = door
        self._settings = config
        self._listening = listening
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()
        grace = float(config["drain.seconds"])
        super().__init__(
            uvicorn.Config(
                door,
                loop="uvloop",
                http=Bounded,
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=max(1, int(grace)),
            )
        )
        self.server_state = _State()

    def serve_on(self, listener: socket.socket) -> None:
        """Serve until a signal says otherwise."""
        signal.signal(HAND_OVER, self._handed)
        # Uvicorn raises the signal again at its end; ours to come is an ordinary end, with what follows it.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self.run(sockets=[listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections, and say so."""
        await super().startup(sockets=sockets)
        if self._listening is not None:
            with suppress(OSError):
                os.write(self._listening, b"1")
                os.close(self._listening)

    async def main_loop(self) -> None:
        """Serve until a signal tells otherwise, which nobody has to look for ten times a second."""
        self._loop = asyncio.get_running_loop()
        while not self.should_exit:
            await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, let the requests finish, and end the application."""
        if self._door.leaving == "hand over":
            await self._hand_over()
        else:
            self._door.leaving = "stop"
            await self._give_notice(float(self._settings["drain.notice_seconds"]))
        await super().shutdown(sockets=sockets)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop; a process that is handing over already hurries."""
        self._door.leaving = "stop"
        super().handle_exit(sig, frame)
        self._tell()

    def _is_in_no_hurry(self) -> bool:
        return self._door.leaving == "hand over" and not self.force_exit

    def _handed(self, number: int, frame: Any) -> None:
        self._door.leaving = "hand over"
        self.should_exit = True
        self._tell()

    def _tell(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told.set)

    async def _give_notice(self, seconds: float) -> None:
        """Go on answering while /readyz says that this is going to end, for load balancers to see."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.force_exit:
            await asyncio.sleep(_LOOK)

    async def _hand_over(self) -> None:
        """Wait until every connection is gone, or has been idle for long, or a request took longer than any may."""
        for server in self.servers:
            server.close()
        quiet = float(self._settings["drain.idle_seconds"])
        idle: dict[Any, float] = {}
        until = time.monotonic() + _LONGEST
        # What was taken off the queue just now is no connection yet: the first looks find nothing.
        looks = 0
        while self._is_in_no_hurry() and time.monotonic() < until and (looks < 5 or self.server_state.connections):
            looks += 1
            now = time.monotonic()
            open_now: list[Any] = list(self.server_state.connections)
            for connection in open_now:
                cycle = connection.cycle
                if cycle is not None and not cycle.response_complete:
                    idle.pop(connection, None)
                elif now - idle.setdefault(connection, now) > quiet:
                    connection.shutdown()
            idle = {connection: since for connection, since in idle.items() if connection in open_now}
            await asyncio.sleep(_LOOK)
