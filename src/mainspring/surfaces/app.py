"""The one ASGI application: REST, gateway, OTLP, MCP, metrics and the web UI under one origin, denied by default."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request, cookie_parser
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from mainspring.kernel import access, audit
from mainspring.kernel.errors import Denied, Invalid, MainspringError, TooLarge, Unauthenticated
from mainspring.kernel.platform import Platform
from mainspring.registry import grant_file, require_file
from mainspring.serving.gateway import Endpoint, Gateway, problem
from mainspring.serving.streaming import Answerer, Call, Direct
from mainspring.surfaces import guests
from mainspring.surfaces.langfuse import PREFIX, langfuse_routes
from mainspring.surfaces.mcp import mcp_route
from mainspring.surfaces.metrics import metrics_route
from mainspring.surfaces.rest import Rest, http_problem
from mainspring.surfaces.shared_totals import SharedTotals
from mainspring.surfaces.static import static_app
from mainspring.traces.grpc_intake import grpc_server
from mainspring.traces.http import LANGFUSE, otlp_routes
from mainspring.workspace import sessions
from mainspring.workspace.keys import authenticate, recall

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


def build_app(platform: Platform, ready: Callable[[], dict[str, str]]) -> Guarded:
    """Compose the application; `ready` returns what is not ready yet, by part."""
    gateway = Gateway(platform)
    shared = SharedTotals(platform.home, gateway.totals)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        missing = await asyncio.to_thread(ready)
        return JSONResponse({"status": "waiting" if missing else "ok", "missing": missing}, 503 if missing else 200)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(shared.start)
            stack.push_async_callback(asyncio.to_thread, shared.stop)
            await stack.enter_async_context(gateway.lifespan())
            stack.enter_context(grpc_server(platform))
            yield

    routes = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        *session_routes(platform),
        *file_routes(platform),
        *guests.guest_routes(platform),
        *otlp_routes(platform),
        *langfuse_routes(platform),
        *gateway.routes(),
        mcp_route(platform),
        metrics_route(platform, shared),
        Mount("/api/v1", Rest(platform)),
        Mount("/", static_app()),
    ]
    problems: dict[Any, Any] = {MainspringError: _ours, HTTPException: http_problem}
    return Guarded(platform, Starlette(routes=routes, lifespan=lifespan, exception_handlers=problems), gateway.posts)


async def _ours(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MainspringError)
    return JSONResponse(error.to_dict(), error.status)


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
            if path.startswith("/v1/") and path not in OTLP:
                status, body, headers = problem(path, error)
                await JSONResponse(body, status, headers)(scope, receive, send)
            else:
                await JSONResponse(error.to_dict(), error.status)(scope, receive, send)

    def _directly(self, endpoint: Endpoint) -> Answerer:
        """Return what answers short requests to an endpoint of the gateway."""

        async def answer(request: Direct) -> None:
            call = Call.of(request)
            try:
                request.caller = await self._caller("POST", request.named)
                if len(request.body) > self._limit:
                    raise _too_large(self._limit)
            except MainspringError as error:
                await endpoint.refuse(call, error)
            else:
                await endpoint.answer(call)

        return answer

    def _limit_of(self, path: str) -> int:
        if path in _STRANGERS:
            return min(_STRANGER, self._limit)
        if path == "/api/v1/files":
            return self._limits["files"]
        return self._limits["otlp"] if path in OTLP else self._limit

    async def _caller(self, method: str, headers: Mapping[bytes, bytes], path: str = "") -> access.Caller:
        token = headers.get(b"x-api-key", b"").decode("latin-1")
        scheme, _, credential = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() == "bearer":
            token = credential.strip()
        elif path.startswith(PREFIX) and scheme.lower() == "basic":
            token = _password(credential.strip())
        if not token:
            token = await self._cookie_token(method, headers)
        if not token:
            raise Unauthenticated("No API key was sent.", hint="Send 'Authorization: Bearer ms_…'.")
        project = headers.get(b"x-mainspring-project", b"").decode("latin-1")
        environment = headers.get(b"x-mainspring-environment", b"").decode("latin-1")
        known = recall(self.platform, token, project, environment)
        if known is not None:
            return known
        wanted = {"project": project, "environment": environment}
        return await asyncio.to_thread(authenticate, self.platform, token, **wanted)

    async def _cookie_token(self, method: str, headers: Mapping[bytes, bytes]) -> str:
        session_id = cookie_parser(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE, "")
        if not session_id:
            return ""
        if method in WRITES:
            _same_site(
                {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}, required=True
            )
        return await asyncio.to_thread(sessions.key_of, self.platform, session_id) or ""


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


def session_routes(platform: Platform) -> list[Route]:
    """Signing in and out of the web UI, and who one is."""

    async def whoami(request: Request) -> Response:
        caller = request.state.caller
        return JSONResponse(
            {name: getattr(caller, name) for name in ("member", "role", "project", "environment")}
            | {"permissions": sorted(caller.permissions)}
        )

    async def session(request: Request) -> Response:
        if request.method == "DELETE":
            await asyncio.to_thread(sessions.end, platform, request.cookies.get(COOKIE, ""))
            reply: Response = JSONResponse({"status": "signed out"})
            reply.delete_cookie(COOKIE)
            return reply
        try:
            token = str((await request.json())["api_key"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Invalid("The request has no api_key.", hint='Send {"api_key": "ms_…"}.') from None
        caller = await asyncio.to_thread(authenticate, platform, token)
        session_id = await asyncio.to_thread(sessions.start, platform, token)
        reply = JSONResponse({"member": caller.member, "role": caller.role, "project": caller.project})
        # Behind a proxy that ends TLS the scheme is http; the browser's Origin still says what it sees.
        secure = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
        age = int(sessions.LIFETIME.total_seconds())
        reply.set_cookie(COOKIE, session_id, max_age=age, httponly=True, samesite="lax", secure=secure)
        return reply

    return [
        Route("/api/v1/whoami", whoami),
        Route("/api/v1/session", session, methods=["POST", "DELETE"]),
    ]


def file_routes(platform: Platform) -> list[Route]:
    """Upload and download of a project's files, streamed, by content hash."""

    async def upload(request: Request) -> Response:
        caller = request.state.caller
        access.require(caller, "file.write")
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=8)
        loop = asyncio.get_running_loop()
        failed = asyncio.Event()

        def chunks() -> Any:
            while (part := asyncio.run_coroutine_threadsafe(queue.get(), loop).result()) is not None:
                if failed.is_set():
                    raise ConnectionAbortedError("the upload was cut off")
                yield part

        storing = asyncio.ensure_future(asyncio.to_thread(platform.files.put, chunks()))
        try:
            async for part in request.stream():
                if part:
                    await _offer(queue, part, storing)
        except BaseException:
            failed.set()
            raise
        finally:
            if not storing.done():
                await _offer(queue, b"" if failed.is_set() else None, storing)
        stored = await storing
        await asyncio.to_thread(_uploaded, platform, caller, stored.sha256, stored.size)
        return JSONResponse({"sha256": stored.sha256, "size": stored.size}, 201)

    async def download(request: Request) -> Response:
        access.require(request.state.caller, "file.read")
        sha256 = request.path_params["sha256"]
        await asyncio.to_thread(_held, platform, request.state.caller, sha256)
        parts = await asyncio.to_thread(platform.files.stream, sha256)
        first = await asyncio.to_thread(next, parts, b"")

        def body() -> Any:
            yield first
            yield from parts

        headers = {"ETag": f'"{sha256}"', "Content-Disposition": f'attachment; filename="{sha256[:16]}"'}
        return StreamingResponse(body(), media_type="application/octet-stream", headers=headers)

    return [
        Route("/api/v1/files", upload, methods=["POST"]),
        Route("/api/v1/files/{sha256}", download, methods=["GET"]),
    ]


async def _offer(queue: asyncio.Queue[bytes | None], part: bytes | None, storing: asyncio.Future[Any]) -> None:
    """Put a part into the queue unless the storing has ended by an error; then raise that."""
    offer = asyncio.ensure_future(queue.put(part))
    await asyncio.wait({offer, storing}, return_when=asyncio.FIRST_COMPLETED)
    if not offer.done():
        offer.cancel()
        await storing


def _uploaded(platform: Platform, caller: access.Caller, sha256: str, size: int) -> None:
    with access.acting_as(caller), platform.begin() as tx:
        grant_file(tx, sha256)
        audit.append(tx, "file.upload", f"POST /files/{sha256}", "ok", {"size": size})


def _held(platform: Platform, caller: access.Caller, sha256: str) -> None:
    with access.acting_as(caller), platform.read() as tx:
        require_file(tx, sha256)


def fingerprint(token: str) -> str:
    """Return what a log may say of a key."""
    return hashlib.sha256(token.encode()).hexdigest()[:8]
