"""The cork: what is written in one turn of the event loop leaves at its end, for each connection in one piece.

A head and its body go out together, and the writes of many connections one after the other, so that whoever reads them
is woken once and not for each: the client, and the provider at the other side.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar


class Cork:
    """A transport that holds back what is written until the turn ends."""

    __slots__ = ("_held", "_loop", "_transport")
    _waiting: ClassVar[dict[asyncio.AbstractEventLoop, list[Cork]]] = {}

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether it closes, or has been."""
        return bool(self._transport.is_closing())

    def write(self, data: bytes) -> None:
        """Write at the end of the turn."""
        if not self._held:
            waiting = self._waiting.get(self._loop)
            if waiting is None:
                waiting = self._waiting[self._loop] = []
                self._loop.call_soon(_pull, self._loop)
            waiting.append(self)
        self._held.append(data)

    def now(self, data: bytes) -> None:
        """Write at once, where nothing is held: for who is alone, and has nobody to wait for."""
        if self._held:
            self._held.append(data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Write what is held, then close."""
        self.pull()
        self._transport.close()

    def pull(self) -> None:
        """Write what is held."""
        held = self._held
        if held:
            self._held = []
            if not self._transport.is_closing():
                self._transport.write(held[0] if len(held) == 1 else b"".join(held))


def _pull(loop: asyncio.AbstractEventLoop) -> None:
    for cork in Cork._waiting.pop(loop):
        cork.pull()
