"""OTLP over gRPC, through the exporter of OpenTelemetry itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

from mainspring.kernel import access, settings
from mainspring.kernel.errors import MissingExtra
from mainspring.kernel.platform import Platform
from mainspring.traces.grpc_intake import METHOD, grpc_server
from mainspring.workspace import Keys, Members, authenticate, first_start


@pytest.fixture
def key(bare_platform: Platform) -> str:
    first = first_start(bare_platform)
    assert first is not None
    return first.secret


@pytest.fixture
def port(bare_platform: Platform, key: str) -> Iterator[int]:
    with grpc_server(bare_platform, "127.0.0.1:0") as bound:
        yield bound


def exporter(port: int, key: str, compression=grpc.Compression.NoCompression) -> OTLPSpanExporter:
    headers = (("authorization", f"Bearer {key}"),) if key else ()
    return OTLPSpanExporter(f"127.0.0.1:{port}", insecure=True, headers=headers, timeout=60, compression=compression)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_real_exporter_is_served(bare_platform, port, key, compression):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter(port, key, compression)))
    with provider.get_tracer("t").start_as_current_span("chat gpt") as span:
        span.set_attribute("gen_ai.operation.name", "chat")
        span.set_attribute("gen_ai.request.model", "gpt")
    [stored] = bare_platform.spans.trace("default", f"{span.get_span_context().trace_id:032x}")
    assert (stored.name, stored.kind, stored.model) == ("chat gpt", "chat", "gpt")
    provider.shutdown()


def test_a_key_is_needed_and_must_be_allowed_to_write(bare_platform, port, key):
    with access.acting_as(authenticate(bare_platform, key)):
        Members(bare_platform).add("eve", "viewer")
        reader = Keys(bare_platform).create("eve").secret
    for wrong, code in (("", "UNAUTHENTICATED"), ("ms_no", "UNAUTHENTICATED"), (reader, "PERMISSION_DENIED")):
        sender = exporter(port, wrong)
        assert sender.export([]) is SpanExportResult.FAILURE
        sender.shutdown()
        metadata = [("authorization", f"Bearer {wrong}")] if wrong else []
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(METHOD)(b"", metadata=metadata, timeout=60)
        assert refused.value.code().name == code


def test_rejected_spans_have_reasons_and_bodies_are_bounded(bare_platform, key):
    flags = {"home": str(bare_platform.home), "otlp.max_bytes": "2000"}
    bare_platform.settings = settings.load(flags, environ={}, folder=bare_platform.home)
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"short", name="x")
    metadata = [("authorization", f"Bearer {key}")]
    with grpc_server(bare_platform, "127.0.0.1:0") as bound, grpc.insecure_channel(f"127.0.0.1:{bound}") as channel:
        call = channel.unary_unary(METHOD)
        answer = ExportTraceServiceResponse.FromString(call(request.SerializeToString(), metadata=metadata, timeout=60))
        assert answer.partial_success.rejected_spans == 1 and "trace id" in answer.partial_success.error_message
        for body, how, code in (
            (b"\xff\xff", {}, "INVALID_ARGUMENT"),
            (b"x" * 5000, {}, "RESOURCE_EXHAUSTED"),
            (b"0" * 1_000_000, {"compression": grpc.Compression.Gzip}, "RESOURCE_EXHAUSTED"),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                call(body, metadata=metadata, timeout=60, **how)
            assert refused.value.code().name == code


def test_nothing_is_served_unless_it_is_asked_for_and_the_extra_is_named(bare_platform, monkeypatch):
    with grpc_server(bare_platform) as bound:
        assert bound == 0
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(MissingExtra, match="extra 'grpc'"), grpc_server(bare_platform, "127.0.0.1:0"):
        pass


def test_nothing_is_received_of_somebody_without_a_key(bare_platform, key):
    bare_platform.settings = settings.load(
        {"home": str(bare_platform.home), "otlp.max_bytes": 1024}, environ={}, folder=bare_platform.home
    )
    with grpc_server(bare_platform, "127.0.0.1:0") as bound, grpc.insecure_channel(f"127.0.0.1:{bound}") as channel:
        call = channel.unary_unary(METHOD)
        for token, code in (("ms_no", grpc.StatusCode.UNAUTHENTICATED), (key, grpc.StatusCode.RESOURCE_EXHAUSTED)):
            with pytest.raises(grpc.RpcError) as refused:
                call(b"x" * 10_000, metadata=(("authorization", f"Bearer {token}"),), timeout=60)
            assert refused.value.code() is code
