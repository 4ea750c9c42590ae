"""OTLP over HTTP: `POST /v1/traces`, and `/` for exporters that append nothing to their endpoint."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mainspring.kernel import access
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.platform import Platform
from mainspring.traces import otlp
from mainspring.traces.intake import Intake

_GRPC_CODES = {401: 16, 403: 7, 413: 8, 422: 3, 429: 8, 503: 14}
"""google.rpc.Code by HTTP status; 13 (internal) for others."""


def otlp_routes(platform: Platform) -> list[Route]:
    """Return the routes that take spans; whoever mounts them puts the Caller into `request.state.caller`."""
    intake = Intake(platform)
    limit = int(platform.settings["otlp.max_bytes"])

    async def traces(request: Request) -> Response:
        encoding: otlp.Encoding = "json" if "json" in request.headers.get("content-type", "") else "protobuf"
        media = otlp.JSON_TYPE if encoding == "json" else otlp.PROTOBUF
        try:
            caller: Caller = request.state.caller
            access.require(caller, "trace.write")
            otlp.encoding_of(request.headers.get("content-type", ""))
            body = await request.body()
            compression = request.headers.get("content-encoding", "")
            answer = await asyncio.to_thread(_store, intake, caller, body, encoding, compression, limit)
        except MainspringError as error:
            headers = {"Retry-After": str(error.details.get("retry_after", 2))} if error.status in (429, 503) else {}
            # A client gives up on 400 and repeats on 429 and 503: that is all that OTLP exporters look at.
            status = 400 if error.status == 422 else error.status
            text = otlp.failure(encoding, _GRPC_CODES.get(error.status, 13), f"{error.message} {error.hint}".strip())
            return Response(text, status, headers, media)
        return Response(answer, 200, media_type=media)

    return [Route(path, traces, methods=["POST"]) for path in ("/v1/traces", "/")]


def _store(intake: Intake, caller: Caller, body: bytes, encoding: otlp.Encoding, compression: str, limit: int) -> bytes:
    data = otlp.inflate(body, compression, limit)
    decoded = otlp.decode(data, encoding, project=caller.project, environment=caller.environment)
    intake.append(decoded.spans)
    return otlp.reply(encoding, decoded)
