"""The door: the outermost layer of the application. It keeps the access log and knows when the process is leaving."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Literal

from mainspring.serving.streaming import Answerer, Direct
from mainspring.surfaces.access_log import AccessLog, Request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_CLOSE = (b"connection", b"close")
_NONE: Sequence[tuple[bytes, bytes]] = ()
_NOTHING: Mapping[str, Answerer] = {}
_DRAINING = json.dumps({"status": "draining", "missing": {"api": "draining"}}).encode()


class Door:
    """Passes requests on. While the process leaves, each answer asks its client to open another connection."""

    def __init__(self, app: App, log: AccessLog | None = None, direct: Mapping[str, Answerer] = _NOTHING) -> None:
        """`direct` answers short requests to POST to these paths without messages in between."""
        self._app = app
        self._log = log
        self.direct = {path.encode(): answer for path, answer in direct.items()}
        self.leaving: Literal["", "stop", "hand over"] = ""
        """`stop`: nobody will answer here soon, so that /readyz says so; `hand over`: another process does already."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection's request, or the application's lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self.leaving == "stop" and scope["path"] == "/readyz":
            await _say_draining(send)
            return
        began, clock = time.time(), time.perf_counter()
        status, size, headers = 0, 0, _NONE

        async def sent(message: Message) -> None:
            nonlocal status, size, headers
            if message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            elif message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
                if self.leaving:
                    message = {**message, "headers": [*headers, _CLOSE]}
            await send(message)

        # Uvicorn gives one state to each request; what authentication puts into it is read at the end.
        state: dict[str, Any] = scope.setdefault("state", {})
        try:
            await self._app(scope, receive, sent)
        except Exception:
            status = status or 500
            raise
        finally:
            if self._log is not None:
                taken = (time.perf_counter() - clock) * 1000
                known = (state.get("caller"), headers)
                self._log.add(Request(began, scope["method"], scope["path"], status or 499, taken, size, *known))

    def noted(self, request: Direct, began: float, seconds: float, status: int) -> None:
        """Take note of a short request; `status` is said where no answer was begun."""
        if self._log is not None:
            told = (request.size, request.caller, request.told)
            self._log.add(Request(began, "POST", request.path, request.status or status, seconds * 1000, *told))

    def close(self) -> None:
        """Write what the log still holds."""
        if self._log is not None:
            self._log.close()


async def _say_draining(send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_DRAINING)).encode()), _CLOSE]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": _DRAINING})
