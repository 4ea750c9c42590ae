"""The built web UI, served from the package; any path that is no file is the single page itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
STATIC = Path(__file__).with_name("static")
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
_NO_PAGES = {"assets", "api", "v1", "mcp"}
"""What begins so is asked by programs: where it is not there they are told so, and given no page."""
ABSENT = (
    "<!doctype html><title>Mainspring</title><p>The server runs, but the web UI was not built into this "
    "installation. Install a wheel, or run <code>make install</code> in a checkout.</p>"
)


class SinglePage(StaticFiles):
    """Static files, with index.html for the paths that the page itself routes."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, or the page."""
        try:
            reply = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or path.partition("/")[0] in _NO_PAGES:
                raise
            reply = await super().get_response("index.html", scope)
        cached = path.startswith("assets/")
        reply.headers["Cache-Control"] = "public, max-age=31536000, immutable" if cached else "no-cache"
        reply.headers.update(HEADERS)
        return reply


def static_app() -> Application:
    """Return the application that serves the page, or that says where it is missing."""
    if (STATIC / "index.html").is_file():
        return SinglePage(directory=STATIC, html=True)

    async def absent(scope: Scope, receive: Receive, send: Send) -> None:
        await HTMLResponse(ABSENT, 503, HEADERS)(scope, receive, send)

    return absent
