"""However spans arrive: twice, in any order, from other clocks, before they have ended; and what logs say of them."""

from __future__ import annotations

import json
import time

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.testclient import TestClient

from mainspring.kernel import access
from mainspring.kernel.errors import Invalid, TooLarge
from mainspring.kernel.spans import Span
from mainspring.traces import Captures, Scores, Traces, otlp
from mainspring.traces.http import otlp_routes
from mainspring.traces.logs import join
from mainspring.traces.models import MaskRule
from mainspring.traces.skew import MOVED, TOLERATED_NS, settled

TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
JSON = {"content-type": "application/json"}
NOW = 1_790_000_000_000_000_000


@pytest.fixture
def client(platform):
    async def sign_in(request, call_next):
        role = request.headers.get("role", "developer")
        request.state.caller = access.Caller("dev", "k", "default", "staging", role, access.ROLES[role])
        return await call_next(request)

    app = Starlette(routes=otlp_routes(platform))
    app.add_middleware(BaseHTTPMiddleware, dispatch=sign_in)
    return TestClient(app)


def pair(key, value):
    kind = "boolValue" if isinstance(value, bool) else "doubleValue" if isinstance(value, float) else "stringValue"
    return {"key": key, "value": {kind: value}}


def spans(*fields):
    base = {"traceId": TRACE, "spanId": SPAN, "name": "n", "startTimeUnixNano": "5", "endTimeUnixNano": "9"}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{**base, **each} for each in fields]}]}]}).encode()


def started(at, attributes=()):
    pairs = [pair(otlp.RUNNING, True), *attributes]
    return {"startTimeUnixNano": str(at), "endTimeUnixNano": "0", "attributes": pairs}


def test_a_span_is_shown_while_it_runs_and_its_end_replaces_it(client, platform, clock):
    at = int(clock.moment.timestamp() * 1e9)
    client.post("/v1/traces", content=spans(started(at, [pair("input.value", "question")])), headers=JSON)
    [line] = Traces(platform).list_(status="running").items
    assert (line.status, line.duration_ms, line.input_preview) == ("running", 0.0, "question")
    assert Traces(platform).get(TRACE).spans[0].status == Traces(platform).get(TRACE).status == "running"
    assert Traces(platform).usage(by="", since=clock.moment) == []
    end = {"startTimeUnixNano": str(at), "endTimeUnixNano": str(at + 10**9), "status": {"code": 1}}
    for body in (spans(end), spans(started(at)), spans(end, started(at))):
        client.post("/v1/traces", content=body, headers=JSON)
        [line] = Traces(platform).list_().items
        assert (line.status, line.duration_ms, line.spans) == ("ok", 1000.0, 1)


def test_a_span_whose_end_never_comes_is_shown_as_unfinished(client, platform, clock):
    at = int(clock.moment.timestamp() * 1e9)
    client.post("/v1/traces", content=spans(started(at)), headers=JSON)
    assert Traces(platform).list_(status="unfinished").items == []
    clock.advance(minutes=61)
    assert Traces(platform).list_(status="running").items == []
    [line] = Traces(platform).list_(status="unfinished").items
    assert line.status == Traces(platform).get(TRACE).spans[0].status == "unfinished"


times = st.integers(1, (1 << 63) - 1) | st.integers(NOW - 10**13, NOW + 10**13)
arrived = st.lists(st.builds(lambda t, a, b: (t, min(a, b), max(a, b)), st.integers(1, 3), times, times), max_size=8)


@given(arrived)
def test_no_span_comes_from_the_future_and_order_and_length_stay(given_spans):
    sent = [
        Span(trace_id=f"{trace:032x}", span_id=f"{n + 1:016x}", project="p", start_ns=start, end_ns=end)
        for n, (trace, start, end) in enumerate(given_spans)
    ]
    found = settled(sent, NOW)
    assert [(span.trace_id, span.span_id) for span in found] == [(span.trace_id, span.span_id) for span in sent]
    for before, after in zip(sent, found, strict=True):
        assert 0 < after.start_ns <= after.end_ns <= NOW + TOLERATED_NS
        moved = before.start_ns != after.start_ns or before.end_ns != after.end_ns
        assert (MOVED in after.attributes) == moved
    for trace in {span.trace_id for span in sent}:
        mine = [(b, a) for b, a in zip(sent, found, strict=True) if b.trace_id == trace and MOVED in a.attributes]
        whole = [(b, a) for b, a in mine if b.end_ns - b.start_ns == a.end_ns - a.start_ns]
        assert len({b.start_ns - a.start_ns for b, a in whole if a.start_ns != NOW}) <= 1


orders = st.permutations(["start", "end", "end", "child"])


@given(order=orders)
def test_any_order_of_arrival_ends_in_the_same_trace(order, tmp_path_factory):
    from mainspring.backends.spans_sqlite import SqliteSpans

    kinds = {
        "start": Span(trace_id=TRACE, span_id=SPAN, project="p", start_ns=NOW, end_ns=NOW, status="running"),
        "end": Span(trace_id=TRACE, span_id=SPAN, project="p", start_ns=NOW, end_ns=NOW + 9, status="ok", output="x"),
        "child": Span(trace_id=TRACE, span_id="1" * 16, parent_id=SPAN, project="p", start_ns=NOW + 1, end_ns=NOW + 2),
    }
    store = SqliteSpans(tmp_path_factory.mktemp("spans"))
    try:
        for kind in order:
            store.append([kinds[kind]])
        assert store.trace("p", TRACE) == [kinds["end"], kinds["child"]]
    finally:
        store.close()


def test_an_end_before_the_start_says_so():
    [span] = otlp.decode(spans({"startTimeUnixNano": "50", "endTimeUnixNano": "20"}), "json", project="p").spans
    assert (span.start_ns, span.end_ns) == (50, 50) and span.attributes["mainspring.clock.end_before_start_ns"] == 30


def test_each_rejected_span_has_its_reason():
    wrong = [{"traceId": "xyz"}, {}, {"startTimeUnixNano": "0"}, *[{"spanId": "0" * 16}] * 20]
    decoded = otlp.decode(spans(*wrong), "json", project="p")
    assert (len(decoded.spans), decoded.rejected) == (1, 22)
    assert "span 0: A span has the trace id 'xyz'" in decoded.problem
    assert "span 2: A span starts at 0 ns" in decoded.problem and decoded.problem.endswith("; and 12 more")


def test_zstd_is_inflated_within_the_limit(client, platform):
    packed = zstandard.compress(spans({}))
    assert client.post("/", content=packed, headers={**JSON, "content-encoding": "zstd"}).status_code == 200
    assert otlp.inflate(packed, "zstd", 10_000) == spans({})
    bomb = zstandard.compress(b"0" * 200_000_000)
    begun = time.process_time()
    with pytest.raises(TooLarge):
        otlp.inflate(bomb, "zstd", 1_000_000)
    assert time.process_time() >= begun
    for damaged in (bomb[:20], b"no zstd", packed[:-3]):
        with pytest.raises(Invalid):
            otlp.inflate(damaged, "zstd", 10_000_000_000)


def log(name, attributes=(), body=None, **fields):
    record = {"eventName": name, "traceId": TRACE, "spanId": SPAN, "timeUnixNano": "7", "attributes": list(attributes)}
    return {**record, **({"body": body} if body else {}), **fields}


def logs(*records):
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}).encode()


def test_an_evaluation_becomes_a_score_once(client, platform):
    said = [
        pair("gen_ai.evaluation.name", "Answer Relevance"),
        pair("gen_ai.evaluation.score.value", 0.25),
        pair("gen_ai.evaluation.explanation", "off the point"),
    ]
    for _ in range(2):
        reply = client.post("/v1/logs", content=logs(log("gen_ai.evaluation.result", said)), headers=JSON)
        assert (reply.status_code, reply.json()) == (200, {})
    [score] = Scores(platform).list_().items
    assert (score.name, score.number, score.comment, score.source) == (
        "answer-relevance",
        0.25,
        "off the point",
        "model",
    )
    assert (score.trace_id, score.span_id, score.created_by) == (TRACE, SPAN, "dev")
    assert client.post("/v1/logs", content=logs(), headers={**JSON, "role": "viewer"}).status_code == 403


def test_messages_in_logs_join_their_span_whenever_it_comes(client, platform, clock):
    Captures(platform).set(mask=[MaskRule(fields=["input"])])
    content = {"kvlistValue": {"values": [pair("content", "mail ann@example.org")]}}
    message = {"kvlistValue": {"values": [pair("content", "done")]}}
    answer = {"kvlistValue": {"values": [{"key": "message", "value": message}]}}
    sent = logs(log("gen_ai.user.message", body=content), log("gen_ai.choice", body=answer, timeUnixNano="8"))
    assert client.post("/v1/logs", content=sent, headers=JSON).json() == {}
    assert join(platform) == 0
    client.post("/v1/traces", content=spans({}), headers=JSON)
    assert join(platform) == 1 and join(platform) == 0
    client.post("/v1/logs", content=sent, headers=JSON)
    late = {"kvlistValue": {"values": [pair("content", "and hurry")]}}
    client.post("/v1/logs", content=logs(log("gen_ai.user.message", body=late)), headers=JSON)
    assert join(platform) == 1
    [span] = platform.spans.trace("default", TRACE)
    said = [message["parts"][0]["content"] for message in span.input]
    assert said == ["mail [EMAIL]", "and hurry"] and {message["role"] for message in span.input} == {"user"}
    assert span.output == [{"role": "assistant", "parts": [{"type": "text", "content": "done"}]}]
    client.post("/v1/logs", content=logs(log("gen_ai.user.message", body=content, traceId="1" * 32)), headers=JSON)
    clock.advance(hours=2)
    assert join(platform) == 0
    client.post("/v1/traces", content=spans({"traceId": "1" * 32}), headers=JSON)
    assert join(platform) == 0


def test_logs_and_metrics_that_say_nothing_of_calls_are_answered_plainly(client):
    reply = client.post("/v1/logs", content=logs(log("x"), log("gen_ai.choice", spanId="")), headers=JSON).json()
    assert reply["partialSuccess"]["rejectedLogRecords"] == "2" and "'x'" in reply["partialSuccess"]["errorMessage"]
    assert client.post("/v1/logs", content=b"[]", headers=JSON).status_code == 400
    protobuf = {"content-type": "application/x-protobuf"}
    empty = ExportLogsServiceRequest().SerializeToString()
    assert client.post("/v1/logs", content=empty, headers=protobuf).status_code == 200
    request = ExportMetricsServiceRequest()
    points = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m").gauge.data_points
    points.add(as_int=1)
    points.add(as_int=2)
    answer = client.post("/v1/metrics", content=request.SerializeToString(), headers=protobuf)
    partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_data_points == 2 and "OTEL_METRICS_EXPORTER" in partial.error_message
    assert client.post("/v1/metrics", content=b"\xff", headers=protobuf).status_code == 400


def test_what_an_evaluation_says_is_masked_before_it_is_written(client, platform):
    said = [pair("gen_ai.evaluation.name", "tone"), pair("gen_ai.evaluation.score.value", 0.5),
            pair("gen_ai.evaluation.explanation", "It tells ann@example.org of it.")]  # fmt: skip
    Captures(platform).set(mask=[MaskRule(fields=["events.gen_ai.evaluation.*"])])
    assert client.post("/v1/logs", content=logs(log("gen_ai.evaluation.result", said)), headers=JSON).status_code == 200
    [score] = Scores(platform).list_().items
    assert (score.number, "ann@" in score.comment, "It tells" in score.comment) == (0.5, False, True)
