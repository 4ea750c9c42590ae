"""The one ASGI application: REST, gateway, OTLP, MCP, metrics and the web UI under one origin, denied by default."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from mainspring.kernel import access, audit
from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.kernel.platform import Platform
from mainspring.registry import grant_file, require_file
from mainspring.serving.gateway import Gateway
from mainspring.surfaces import guests
from mainspring.surfaces.admission import COOKIE, Guarded
from mainspring.surfaces.langfuse import langfuse_routes
from mainspring.surfaces.mcp import mcp_route
from mainspring.surfaces.metrics import metrics_route
from mainspring.surfaces.rest import Rest, http_problem
from mainspring.surfaces.shared_totals import SharedTotals
from mainspring.surfaces.static import static_app
from mainspring.traces.grpc_intake import grpc_server
from mainspring.traces.http import otlp_routes
from mainspring.workspace import sessions
from mainspring.workspace.keys import authenticate


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
            stack.push_async_callback(gateway.close)
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
