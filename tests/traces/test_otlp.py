"""OTLP in: protobuf and JSON, dialects, limits, partial success."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import zlib

import msgspec
import pytest
import zstandard
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from mainspring.kernel.errors import Invalid, TooLarge
from mainspring.traces import otlp

TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def any_value(value):
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": k, "value": any_value(v)} for k, v in value.items()]}}
    return {"stringValue": value}


def pairs(attributes):
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def request(*attributes, **span):
    spans = [
        {
            "traceId": TRACE,
            "spanId": f"{int(SPAN, 16) + n:016x}",
            "name": "chat gpt",
            "startTimeUnixNano": "1790000000000000000",
            "endTimeUnixNano": "1790000000500000000",
            "attributes": pairs(each),
            **span,
        }
        for n, each in enumerate(attributes or [{}])
    ]
    resource = {"attributes": pairs({"service.name": "shop"})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "lib"}, "spans": spans}]}]}


def decode(document):
    return otlp.decode(json.dumps(document).encode(), "json", project="p", environment="e")


def only(attributes, **span):
    [found] = decode(request(attributes, **span)).spans
    return found


def text(role, content, **rest):
    return {"role": role, "parts": [{"type": "text", "content": content}], **rest}


def test_a_span_keeps_its_identity_times_and_resource():
    span = only(
        {"x": 1, "deep": {"a": [1, 2.5, True, "t"]}},
        parentSpanId="00f067aa0ba902b7",
        status={"code": 2, "message": "no"},
    )
    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE, SPAN, "00f067aa0ba902b7")
    assert (span.project, span.environment, span.service, span.status, span.status_message) == (
        "p",
        "e",
        "shop",
        "error",
        "no",
    )
    assert (span.start_ns, span.end_ns) == (1790000000000000000, 1790000000500000000)
    assert span.attributes == {"x": 1, "deep": {"a": [1, 2.5, True, "t"]}}
    assert span.resource == {"service.name": "shop", "otel.scope.name": "lib"}


def test_protobuf_says_the_same_as_json():
    attributes = {"gen_ai.operation.name": "chat", "n": 7, "f": 0.5, "l": ["a", {"b": False}]}
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = group.scope_spans.add()
    scope.scope.name = "lib"
    span = scope.spans.add(
        trace_id=bytes.fromhex(TRACE),
        span_id=bytes.fromhex(SPAN),
        name="chat gpt",
        start_time_unix_nano=1790000000000000000,
        end_time_unix_nano=1790000000500000000,
    )
    span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
    span.attributes.add(key="n").value.int_value = 7
    span.attributes.add(key="f").value.double_value = 0.5
    values = span.attributes.add(key="l").value.array_value.values
    values.add().string_value = "a"
    values.add().kvlist_value.values.add(key="b").value.bool_value = False
    decoded = otlp.decode(message.SerializeToString(), "protobuf", project="p", environment="e")
    assert decoded.spans == [only(attributes)]


DIALECTS = {
    "otel now": {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "gpt",
        "gen_ai.response.model": "gpt-1",
        "gen_ai.conversation.id": "s1",
        "user.id": "u1",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.input.messages": json.dumps([text("user", "hi")]),
        "gen_ai.output.messages": json.dumps([text("assistant", "hello", finish_reason="stop")]),
    },
    "otel before": {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "acme",
        "gen_ai.response.model": "gpt-1",
        "session.id": "s1",
        "enduser.id": "u1",
        "gen_ai.usage.prompt_tokens": 12,
        "gen_ai.usage.completion_tokens": 5,
        "gen_ai.usage.cache_read_input_tokens": 4,
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": "hi",
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": "hello",
        "gen_ai.completion.0.finish_reason": "stop",
    },
    "openinference": {
        "openinference.span.kind": "LLM",
        "llm.provider": "acme",
        "llm.model_name": "gpt-1",
        "session.id": "s1",
        "user.id": "u1",
        "llm.token_count.prompt": 12,
        "llm.token_count.completion": 5,
        "llm.token_count.prompt_details.cache_read": 4,
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "hi",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.contents.0.message_content.type": "text",
        "llm.output_messages.0.message.contents.0.message_content.text": "hello",
        "llm.output_messages.0.message.finish_reason": "stop",
        "input.value": '{"messages": [{"role": "user", "content": "hi"}]}',
        "input.mime_type": "application/json",
    },
    "vercel": {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.provider": "acme",
        "ai.model.id": "gpt-1",
        "ai.telemetry.metadata.sessionId": "s1",
        "ai.telemetry.metadata.userId": "u1",
        "ai.usage.promptTokens": 12,
        "ai.usage.completionTokens": 5,
        "ai.usage.cachedInputTokens": 4,
        "ai.prompt.messages": json.dumps([{"role": "user", "content": [{"type": "text", "text": "hi"}]}]),
        "ai.response.text": "hello",
    },
    "mlflow": {
        "mlflow.spanType": '"CHAT_MODEL"',
        "gen_ai.provider.name": "acme",
        "llm.model_name": "gpt-1",
        "mlflow.trace.session": "s1",
        "mlflow.trace.user": "u1",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "mlflow.spanInputs": '{"messages": [{"role": "user", "content": "hi"}]}',
        "mlflow.spanOutputs": '"hello"',
    },
    "langfuse": {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": "gpt-1",
        "gen_ai.system": "acme",
        "langfuse.session.id": "s1",
        "langfuse.user.id": "u1",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "langfuse.observation.input": "hi",
        "langfuse.observation.output": "hello",
    },
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_says_the_same(dialect):
    span = only(DIALECTS[dialect])
    assert (span.kind, span.provider, span.model, span.session_id, span.user_id) == (
        "chat",
        "acme",
        "gpt-1",
        "s1",
        "u1",
    )
    assert (span.input_tokens, span.output_tokens, span.cached_tokens) == (12, 5, 4)
    assert span.input == [text("user", "hi")]
    assert span.output[0]["parts"] == [{"type": "text", "content": "hello"}]
    assert not {key for key in span.attributes if key not in ("gen_ai.request.model",)}


def test_messages_in_events_are_read_and_do_not_stay():
    events = [
        {"name": "gen_ai.system.message", "attributes": pairs({"content": "be short"})},
        {"name": "gen_ai.user.message", "attributes": pairs({"content": "hi"})},
        {
            "name": "gen_ai.choice",
            "attributes": pairs({"index": 0, "message": json.dumps({"role": "assistant", "content": "yo"})}),
        },
        {"name": "exception", "attributes": pairs({"exception.type": "E"}), "timeUnixNano": "5"},
    ]
    span = only({"gen_ai.operation.name": "chat"}, events=events)
    assert span.input == [text("system", "be short"), text("user", "hi")]
    assert span.output == [text("assistant", "yo")]
    assert span.events == [{"name": "exception", "time_ns": 5, "attributes": {"exception.type": "E"}}]


def test_instructions_come_first_and_tools_keep_their_calls():
    span = only(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "rules"}]),
            "gen_ai.input.messages": json.dumps([{"role": "user", "content": "hi"}]),
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "find",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"q": 1}',
        }
    )
    assert [message["role"] for message in span.input] == ["system", "user"]
    call = {"type": "tool_call", "id": "c1", "name": "find", "arguments": {"q": 1}}
    assert span.output == [{"role": "assistant", "parts": [call]}]


def test_other_kinds_keep_their_values_as_they_are():
    tool = only({"openinference.span.kind": "TOOL", "input.value": '{"q": 1}', "output.value": "42"})
    assert (tool.kind, tool.input, tool.output) == ("execute_tool", {"q": 1}, "42")
    search = only(
        {
            "openinference.span.kind": "RETRIEVER",
            "input.value": "why",
            "retrieval.documents.0.document.content": "because",
            "retrieval.documents.10.document.content": "last",
            "retrieval.documents.2.document.content": "middle",
        }
    )
    assert [item["document"]["content"] for item in search.output] == ["because", "middle", "last"]
    embedded = only({"openinference.span.kind": "EMBEDDING", "embedding.embeddings.0.embedding.text": "a"})
    assert embedded.input == ["a"]


def test_a_bad_span_is_rejected_alone_and_said_so():
    document = request({}, {}, {})
    spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans[0]["traceId"] = "0" * 32
    spans[2]["startTimeUnixNano"] = "-5"
    decoded = decode(document)
    assert (len(decoded.spans), decoded.rejected) == (1, 2) and "trace id" in decoded.problem
    answer = json.loads(otlp.reply("json", decoded))
    assert answer["partialSuccess"]["rejectedSpans"] == "2"
    assert ExportTraceServiceResponse.FromString(otlp.reply("protobuf", decoded)).partial_success.rejected_spans == 2
    assert json.loads(otlp.reply("json", decode(request({})))) == {}


def test_an_end_before_the_start_becomes_the_start():
    assert only({}, endTimeUnixNano="5").end_ns == 1790000000000000000


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"resourceSpans": 5}', b"\xff\xfe", b'"\\ud800"'])
def test_a_body_that_is_no_request_is_refused(body):
    with pytest.raises(Invalid):
        otlp.decode(body, "json", project="p")
    with pytest.raises(Invalid):
        otlp.decode(b"\xff" * 9, "protobuf", project="p")


def test_size_depth_and_number_are_bounded():
    deep: object = "end"
    for _ in range(40):
        deep = [deep]
    span = only({"long": "x" * 2_000_000, "deep": deep, **{f"k{n}": n for n in range(2000)}})
    assert len(span.attributes["long"]) == 1_000_000 and len(span.attributes) == 513
    assert span.attributes["otel.dropped_attributes_count"] == 2002 - 512
    bomb = gzip.compress(b"0" * 10_000_000)
    with pytest.raises(TooLarge):
        otlp.inflate(bomb, "gzip", 1_000_000)
    with pytest.raises(Invalid):
        otlp.inflate(bomb[:50], "gzip", 1_000_000)
    with pytest.raises(Invalid):
        otlp.inflate(b"not gzip", "gzip", 100)
    with pytest.raises(Invalid):
        otlp.inflate(b"", "br", 100)
    assert otlp.inflate(zlib.compress(b"ok"), "deflate", 100) == otlp.inflate(b"ok", "", 100) == b"ok"


def test_what_langfuse_calls_an_error_is_one_though_its_status_is_unset():
    said = {"langfuse.observation.level": "ERROR", "langfuse.observation.status_message": "no answer"}
    assert (only(said).status, only(said).status_message) == ("error", "no answer")
    assert only({"langfuse.observation.level": "WARNING"}).status == "unset"


def test_an_error_is_a_status_message():
    assert json.loads(otlp.failure("json", 8, "too much")) == {"code": 8, "message": "too much"}
    assert otlp.failure("protobuf", 14, "x" * 200)[:4] == b"\x08\x0e\x12\xc8"


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=10,
)
known = sorted({key for attributes in DIALECTS.values() for key in attributes})


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(known) | st.text(max_size=12), values, max_size=6), values)
def test_no_attribute_breaks_a_request(attributes, odd):
    document = request({})
    span = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span["attributes"] = [
        {"key": key, "value": {"stringValue": json.dumps(value)} if number % 2 else {"stringValue": value}}
        for number, (key, value) in enumerate(attributes.items())
    ] + [{"key": "odd", "value": odd}]
    try:
        decoded = decode(document)
    except Invalid:
        return
    for found in decoded.spans:
        msgspec.json.encode(found)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), values)
def test_no_body_breaks_the_server(body, document):
    for data, encoding in (
        (body, "protobuf"),
        (body, "json"),
        (json.dumps({"resourceSpans": document}).encode(), "json"),
    ):
        with contextlib.suppress(Invalid):
            otlp.decode(data, encoding, project="p")
    for name in ("gzip", "deflate"):
        with contextlib.suppress(Invalid):
            otlp.inflate(body, name, 1000)


def test_a_body_of_several_gzip_members_is_read_to_its_end():
    first, second = json.dumps(request({"n": 1})).encode(), b" " * 50
    several = gzip.compress(first) + gzip.compress(second)
    assert otlp.inflate(several, "gzip", 10_000) == first + second
    with pytest.raises(TooLarge):
        otlp.inflate(several, "gzip", len(first) + 10)
    for damaged in (several[:-3], several + b"more", gzip.compress(b"x") * 65):
        with pytest.raises(Invalid):
            otlp.inflate(damaged, "gzip", 10_000)
    with pytest.raises(Invalid, match="goes on"):
        otlp.inflate(zstandard.compress(first) + zstandard.compress(second), "zstd", 10_000)


def test_a_resource_that_is_no_otlp_is_refused_and_breaks_nothing():
    for value in ({"intValue": "many"}, {"doubleValue": []}, {"intValue": []}):
        document = request({})
        document["resourceSpans"][0]["resource"]["attributes"] = [{"key": "a", "value": value}]
        with pytest.raises(Invalid, match="resource"):
            otlp.decode(json.dumps(document).encode(), "json", project="p")


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_a_large_resource_of_many_spans_is_refused_before_it_fills_the_memory(encoding):
    document = request(*[{}] * 140)
    document["resourceSpans"][0]["resource"]["attributes"] += pairs({"note": "x" * 1_000_000})
    body = json.dumps(document).encode()
    if encoding == "protobuf":
        for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            for name in ("traceId", "spanId"):
                span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
        body = json_format.ParseDict(document, ExportTraceServiceRequest()).SerializeToString()
    with pytest.raises(TooLarge, match="resources"):
        otlp.decode(body, encoding, project="p")
