"""OTLP over HTTP: `POST /v1/traces`, `/` for exporters that append nothing to their endpoint, and Langfuse's own path.

`/v1/logs` takes what says something of spans, `/v1/metrics` nothing: both answer so that no exporter repeats itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mainspring.kernel import access
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.platform import Platform
from mainspring.traces import logs, otlp
from mainspring.traces.intake import Intake
from mainspring.traces.models import nanoseconds
from mainspring.traces.skew import settled

LANGFUSE = "/api/public/otel/v1/traces"
"""Where clients of Langfuse send their spans; on this path their keys come by HTTP's basic scheme."""
GRPC_CODES = {401: 16, 403: 7, 413: 8, 422: 3, 429: 8, 503: 14}
"""google.rpc.Code by HTTP status; 13 (internal) for others."""
Store = Callable[[Caller, bytes, otlp.Encoding], bytes]
"""Stores an inflated body and returns the answer's body."""


def otlp_routes(platform: Platform) -> list[Route]:
    """Return the routes that take spans; whoever mounts them puts the Caller into `request.state.caller`."""
    intake = Intake(platform)

    def traces(caller: Caller, data: bytes, encoding: otlp.Encoding) -> bytes:
        return store_traces(platform, intake, caller, data, encoding)

    def events(caller: Caller, data: bytes, encoding: otlp.Encoding) -> bytes:
        return logs.store(platform, intake, caller, data, encoding)

    def metrics(caller: Caller, data: bytes, encoding: otlp.Encoding) -> bytes:
        return logs.no_metrics(data, encoding)

    stores: dict[str, Store] = dict.fromkeys(("/v1/traces", "/", LANGFUSE), traces)
    stores |= {"/v1/logs": events, "/v1/metrics": metrics}
    limit = int(platform.settings["otlp.max_bytes"])
    return [Route(path, _endpoint(store, limit), methods=["POST"]) for path, store in stores.items()]


def store_traces(
    platform: Platform, intake: Intake, caller: Caller, data: bytes, encoding: otlp.Encoding = "protobuf"
) -> bytes:
    """Store the spans of an inflated request durably, and return the body of the answer."""
    decoded = otlp.decode(data, encoding, project=caller.project, environment=caller.environment)
    intake.receive(settled(decoded.spans, nanoseconds(platform.clock.now())))
    return otlp.reply(encoding, decoded)


def _endpoint(store: Store, limit: int) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        encoding: otlp.Encoding = "json" if "json" in request.headers.get("content-type", "") else "protobuf"
        media = otlp.JSON_TYPE if encoding == "json" else otlp.PROTOBUF
        try:
            caller: Caller = request.state.caller
            access.require(caller, "trace.write")
            otlp.encoding_of(request.headers.get("content-type", ""))
            body = await request.body()
            compression = request.headers.get("content-encoding", "")

            def stored() -> bytes:
                return store(caller, otlp.inflate(body, compression, limit), encoding)

            answer = await asyncio.to_thread(stored)
        except MainspringError as error:
            headers = {"Retry-After": str(error.details.get("retry_after", 2))} if error.status in (429, 503) else {}
            # A client gives up on 400 and repeats on 429 and 503: that is all that OTLP exporters look at.
            status = 400 if error.status == 422 else error.status
            text = otlp.failure(encoding, GRPC_CODES.get(error.status, 13), f"{error.message} {error.hint}".strip())
            return Response(text, status, headers, media)
        return Response(answer, 200, media_type=media)

    return endpoint
