"""The SDK beside OpenTelemetry's: one tree, whoever began a span, and both kinds arrive."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider

import mainspring


@pytest.fixture
def tracer(sink):
    provider = TracerProvider()
    provider.add_span_processor(mainspring.otel_processor())
    return provider.get_tracer("test")


def test_spans_of_both_form_one_tree(sink, tracer):
    with tracer.start_as_current_span("otel root") as root:
        root.set_attribute("tags", ["a", "b"])
        with mainspring.span("ours"):
            with tracer.start_as_current_span("otel leaf"), mainspring.span("our leaf"):
                pass
            assert mainspring.current_trace_id() == f"{root.get_span_context().trace_id:032x}"
    found = sink.named()
    assert len({span.trace_id for span in found.values()}) == 1
    for child, parent in (("ours", "otel root"), ("otel leaf", "ours"), ("our leaf", "otel leaf")):
        assert found[child].parent_id == found[parent].span_id
    assert found["otel root"].attributes["tags"] == ["a", "b"] and found["otel root"].parent_id == ""
    assert trace.get_current_span(context.get_current()) is trace.INVALID_SPAN


def test_generators_leave_opentelemetrys_context_as_it_was(sink, tracer):
    @mainspring.trace(name="numbers")
    def numbers():
        with tracer.start_as_current_span("step"):
            pass
        yield 1

    run = numbers()
    next(run)
    assert trace.get_current_span() is trace.INVALID_SPAN
    list(run)
    found = sink.named()
    assert found["step"].parent_id == found["numbers"].span_id


def test_errors_and_events_of_opentelemetry_arrive(sink, tracer):
    with pytest.raises(ValueError, match="no"), tracer.start_as_current_span("fails"):
        raise ValueError("no")
    span = sink.one()
    assert span.status == "error" and span.events[0]["name"] == "exception" and span.service == "shop"


def test_init_joins_the_provider_that_is_set_and_an_instrumented_client_nests(server):
    code = f"""
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
import mainspring
mainspring.init({server.url!r}, "key", service="app")
mainspring.init({server.url!r}, "key", service="app")
with mainspring.span("ours"):
    with trace.get_tracer("instrumentation").start_as_current_span("theirs"):
        pass
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
    sent = [json.loads(body) for path, _, body in server.received if path == "/v1/traces"]
    spans = [
        span
        for body in sent
        for group in body["resourceSpans"]
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    ]
    [ours] = [span for span in spans if span["name"] == "ours"]
    [theirs] = [span for span in spans if span["name"] == "theirs"]
    assert theirs["parentSpanId"] == ours["spanId"] and theirs["traceId"] == ours["traceId"]


def test_numbers_that_json_has_no_word_for_spoil_no_batch(sink, tracer):
    with tracer.start_as_current_span("odd") as odd:
        for name, value in {"nan": float("nan"), "endless": float("inf"), "list": [1.5, float("-inf")]}.items():
            odd.set_attribute(name, value)
    with tracer.start_as_current_span("plain"):
        pass
    assert set(sink.named()) == {"odd", "plain"}


def test_the_instrumentation_that_made_a_span_is_named(sink):
    provider = TracerProvider()
    provider.add_span_processor(mainspring.otel_processor())
    for name, version in (("instrumentation.one", "1.2"), ("instrumentation.two", "")):
        with provider.get_tracer(name, version).start_as_current_span(name):
            pass
    found = sink.named()
    assert found["instrumentation.one"].resource["otel.scope.name"] == "instrumentation.one"
    assert found["instrumentation.one"].resource["otel.scope.version"] == "1.2"
    assert found["instrumentation.two"].resource["otel.scope.name"] == "instrumentation.two"


def test_memory_is_bounded_by_the_bytes_of_opentelemetrys_spans_too(server):
    server.gate.clear()
    assert mainspring.init(server.url, "key", interval=0.05, max_queue_bytes=1_000_000)
    provider = TracerProvider()
    provider.add_span_processor(mainspring.otel_processor())
    tracer = provider.get_tracer("test")
    try:
        for _ in range(100):
            with tracer.start_as_current_span("x") as span:
                span.set_attribute("gen_ai.input.messages", "y" * 60_000)
        assert mainspring.counters()["dropped"] > 50
    finally:
        server.gate.set()
        mainspring.shutdown(5)
