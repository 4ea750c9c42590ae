"""Admission: who may come in, and with how much. Denied by default."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse

from mainspring.kernel import access
from mainspring.kernel.errors import Denied, MainspringError, TooLarge, Unauthenticated
from mainspring.kernel.platform import Platform
from mainspring.serving.gateway import Endpoint, problem
from mainspring.serving.streaming import Answerer, Call, Direct, Sent
from mainspring.surfaces import guests
from mainspring.surfaces.langfuse import PREFIX
from mainspring.traces.http import LANGFUSE
from mainspring.workspace import sessions
from mainspring.workspace.keys import authenticate, digest_of, recall

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
COOKIE = "mainspring_session"
PROTECTED = ("/api/", "/v1", "/mcp", "/metrics")
OPEN = {("GET", "/healthz"), ("GET", "/readyz"), ("POST", "/api/v1/session"), ("GET", "/api/v1/openapi.json")} | {
    *(("POST", path) for path in guests.PATHS),
    ("OPTIONS", guests.PATHS[0]),
}
_STRANGERS = (*guests.PATHS, "/api/v1/session")
_STRANGER = 256 << 10
"""Bytes of a body that comes without a key: it is held in memory before anybody knows who sent it."""
OTLP = ("/", LANGFUSE, "/v1/traces", "/v1/logs", "/v1/metrics")
WRITES = {"POST", "PUT", "PATCH", "DELETE"}


class Guarded:
    """Answers 401 to whatever is protected and has no valid key, bounds every body, and sets safe headers."""

    def __init__(self, platform: Platform, app: Starlette, posts: Mapping[str, Endpoint]) -> None:
        """`posts` are asked for their paths without a framework in between; they set the safe headers themselves."""
        self.platform = platform
        self.app = app
        self.posts = posts
        config = platform.settings
        self._limits = {"files": int(config["upload.max_bytes"]), "otlp": int(config["otlp.max_bytes"])}
        self._limit = int(config["body.max_bytes"])
        self._open = OPEN | ({("GET", "/metrics")} if config["metrics.public"] else set())
        self.direct = {path: self._directly(endpoint) for path, endpoint in posts.items()}
        """What answers short requests to these paths on their connections."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        refused = await self._admitted(scope, receive, send)
        # Compiled, a coroutine must not wait within a handler.
        if refused is None:
            return
        path: str = scope["path"]
        if path.startswith("/v1/") and path not in OTLP:
            status, body, headers = problem(path, refused)
            await JSONResponse(body, status, headers)(scope, receive, send)
        else:
            await JSONResponse(refused.to_dict(), refused.status)(scope, receive, send)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> MainspringError | None:
        """Let a request in; return what it is to be refused by."""
        path, method = scope["path"], scope["method"]
        try:
            if method in WRITES or path.startswith(PROTECTED):
                if (method, path) not in self._open:
                    scope.setdefault("state", {})["caller"] = await self._caller(method, dict(scope["headers"]), path)
                elif method in WRITES and path not in guests.PATHS:
                    _same_site(_texts(scope["headers"]), required=False)
                receive = bounded(scope, receive, self._limit_of(path))
            endpoint = self.posts.get(path) if method == "POST" else None
            if endpoint is not None:
                await endpoint(scope, receive, send)
            else:
                await self.app(scope, receive, _with_headers(send))
        except MainspringError as error:
            return error.with_traceback(None)
        return None

    def _directly(self, endpoint: Endpoint) -> Answerer:
        """Return what answers short requests to an endpoint of the gateway."""

        async def answer(request: Direct) -> None:
            call, refused = Call.of(request), await self._known_by(request)
            if refused is None:
                await endpoint.answer(call)
            else:
                await endpoint.refuse(call, refused)

        return answer

    async def _known_by(self, request: Direct) -> MainspringError | None:
        """Find out who asks; return what the request is to be refused by."""
        try:
            sent = request.sent or _sent(request.named)
            request.sent = sent
            request.caller = await self._known(sent or await self._remembered("POST", request.named))
            if len(request.body) > self._limit:
                raise _too_large(self._limit)
        except MainspringError as error:
            return error.with_traceback(None)
        return None

    def _limit_of(self, path: str) -> int:
        if path in _STRANGERS:
            return min(_STRANGER, self._limit)
        if path == "/api/v1/files":
            return self._limits["files"]
        return self._limits["otlp"] if path in OTLP else self._limit

    async def _caller(self, method: str, headers: Mapping[bytes, bytes], path: str = "") -> access.Caller:
        return await self._known(_sent(headers, path) or await self._remembered(method, headers))

    async def _known(self, sent: Sent) -> access.Caller:
        known = recall(self.platform, sent.digest, sent.project, sent.environment)
        if known is not None:
            return known
        wanted = {"project": sent.project, "environment": sent.environment}
        return await asyncio.to_thread(authenticate, self.platform, sent.token, **wanted)

    async def _remembered(self, method: str, headers: Mapping[bytes, bytes]) -> Sent:
        """Return what a browser's session stands for."""
        token = await self._cookie_token(method, headers)
        if not token:
            raise Unauthenticated("No API key was sent.", hint="Send 'Authorization: Bearer ms_…'.")
        return _placed(token, headers)

    async def _cookie_token(self, method: str, headers: Mapping[bytes, bytes]) -> str:
        session_id = cookie_parser(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE, "")
        if not session_id:
            return ""
        if method in WRITES:
            _same_site(
                {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}, required=True
            )
        return await asyncio.to_thread(sessions.key_of, self.platform, session_id) or ""


def _sent(headers: Mapping[bytes, bytes], path: str = "") -> Sent | None:
    """Return what a client says with each request; None where it says nothing."""
    token = headers.get(b"x-api-key", b"").decode("latin-1")
    scheme, _, credential = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        token = credential.strip()
    elif path.startswith(PREFIX) and scheme.lower() == "basic":
        token = _password(credential.strip())
    return _placed(token, headers) if token else None


def _placed(token: str, headers: Mapping[bytes, bytes]) -> Sent:
    project = headers.get(b"x-mainspring-project", b"").decode("latin-1")
    environment = headers.get(b"x-mainspring-environment", b"").decode("latin-1")
    return Sent(token, digest_of(token), project, environment)


def _password(credential: str) -> str:
    """Return the second half of what a client says by HTTP's basic scheme; nothing where it is malformed."""
    try:
        return base64.b64decode(credential, validate=True).decode("ascii").partition(":")[2].strip()
    except ValueError:
        return ""


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def _same_site(headers: dict[str, str], *, required: bool) -> None:
    """Raise Denied where a browser's request comes from another site; without an Origin, where one is required."""
    origin = headers.get("origin")
    if origin is None and not required:
        return
    if (origin or "").partition("://")[2] != headers.get("host", ""):
        raise Denied("The request comes from another site.", hint="Use the page of this server itself.")


def bounded(scope: Scope, receive: Receive, limit: int) -> Receive:
    """Wrap `receive` so that a body over `limit` bytes raises TooLarge."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if not declared.isdigit() or int(declared) > limit:
        raise _too_large(limit)
    seen = 0

    async def count() -> MutableMapping[str, Any]:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return count


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is over {limit:,} bytes.", hint="Send less at a time.")


def _with_headers(send: Send) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
        await send(message)

    return sent
