"""OTLP over gRPC (the extra `grpc`): the same intake behind `otlp.grpc_port`, for exporters that speak nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from mainspring.kernel import access
from mainspring.kernel.errors import MainspringError, MissingExtra, Unauthenticated
from mainspring.kernel.platform import Platform
from mainspring.traces.http import GRPC_CODES, store_traces
from mainspring.traces.intake import Intake
from mainspring.workspace.keys import authenticate

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_THREADS = 8
_WAITING = 64
"""Requests that may wait for a thread; more are told to come again."""
_AGAIN = 14
"""UNAVAILABLE, the code on which exporters try again."""


@contextmanager
def grpc_server(platform: Platform, address: str = "") -> Iterator[int]:
    """Serve while the block runs, where `otlp.grpc_port` says so; yield the port, or 0 where nothing is served.

    Raises MissingExtra where grpcio is not installed, Unavailable's like where the port is taken.
    """
    port = int(platform.settings["otlp.grpc_port"])
    if not port and not address:
        yield 0
        return
    try:
        import grpc
    except ModuleNotFoundError:
        raise MissingExtra.of("grpc", "OTLP over gRPC") from None
    limit = int(platform.settings["otlp.max_bytes"])
    server = grpc.server(
        ThreadPoolExecutor(_THREADS, thread_name_prefix="otlp-grpc"),
        options=[("grpc.max_receive_message_length", limit)],
        maximum_concurrent_rpcs=_THREADS + _WAITING,
    )
    server.add_generic_rpc_handlers((_handler(grpc, platform),))
    bound = server.add_insecure_port(address or f"{platform.settings['host']}:{port}")
    server.start()
    try:
        yield bound
    finally:
        server.stop(grace=5).wait()


def _handler(grpc: Any, platform: Platform) -> Any:
    intake = Intake(platform)
    codes = {code.value[0]: code for code in grpc.StatusCode}

    def export(messages: Iterator[bytes], context: Any) -> bytes:
        # A message is received when it is asked for: not before it is known whose it is.
        try:
            caller = _caller(platform, {str(key).lower(): str(value) for key, value in context.invocation_metadata()})
            access.require(caller, "trace.write")
            return store_traces(platform, intake, caller, next(messages, b""))
        except MainspringError as error:
            number = _AGAIN if error.status in (429, 503) else GRPC_CODES.get(error.status, 13)
            context.abort(codes[number], f"{error.message} {error.hint}".strip())
            raise

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            return grpc.stream_unary_rpc_method_handler(export) if details.method == METHOD else None

    return Handler()


def _caller(platform: Platform, metadata: dict[str, str]) -> access.Caller:
    scheme, _, token = metadata.get("authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else metadata.get("x-api-key", "")
    if not token:
        raise Unauthenticated("No API key was sent.", hint="Send 'authorization: Bearer ms_…' as metadata.")
    wanted = {name: metadata.get(f"x-mainspring-{name}", "") for name in ("project", "environment")}
    return authenticate(platform, token, **wanted)
