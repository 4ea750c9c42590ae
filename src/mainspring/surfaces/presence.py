"""Presence: whoever works on the answer to a request for reading finds out that its reader has gone away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mainspring.kernel import access

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class Present:
    """Watches the connection of each GET while it is answered; `access.check_waited_for` ends what nobody reads."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        messages: asyncio.Queue[Message] = asyncio.Queue()
        left = threading.Event()

        async def watch() -> None:
            while not left.is_set():
                message = await receive()
                if message["type"] == "http.disconnect":
                    left.set()
                messages.put_nowait(message)

        async def received() -> Message:
            if left.is_set() and messages.empty():
                return {"type": "http.disconnect"}
            return await messages.get()

        watcher = asyncio.create_task(watch())
        token = access.leaving.set(left.is_set)
        try:
            await self._app(scope, received, send)
        finally:
            access.leaving.reset(token)
            left.set()  # a thread may still work on an answer that was given up
            watcher.cancel()
