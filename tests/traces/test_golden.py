"""What real instrumentation packages sent, as `scripts/golden/record.py` recorded it, and what is understood of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.kernel.access import ROLES, Caller
from mainspring.kernel.spans import Span
from mainspring.traces import Intake, logs, otlp, span_tokens
from mainspring.traces.otlp import RUNNING

FOLDER = Path(__file__).parent / "golden"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
RULES = {"role": "system", "parts": [{"type": "text", "content": "Be short."}]}
QUESTION = {"role": "user", "parts": [{"type": "text", "content": "How is the weather in Bern?"}]}
FINE = [{"type": "text", "content": "Fine weather."}]
CALL = [{"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Bern"}}]
SESSIONS = {"openinference", "traceloop", "langfuse", "langfuse_js", "vercel_5"}
"""Those whose package tells session and user on spans."""
SILENT = {"gen_ai_before"}
"""Those whose spans hold no messages."""
NO_TOOLS = {"gen_ai"}
"""Those whose spans hold no definitions of tools."""
LANGFUSE = ["langfuse", "langfuse_3", "langfuse_js"]
NO_PROVIDER = {*LANGFUSE, "mlflow"}
NO_CACHE = {"gen_ai", "gen_ai_before"}
NO_REASONING = {"gen_ai", "gen_ai_before", "mlflow", "vercel_7"}
CLAUDE = {"openinference", "openllmetry"}


def recorded(name: str) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text())["requests"]
    return requests


def spans(name: str) -> list[Span]:
    bodies = [json.dumps(each).encode() for each in recorded(name) if "resourceSpans" in each]
    decoded = [otlp.decode(body, "json", project="p") for body in bodies]
    assert [each.problem for each in decoded if each.problem] == []
    return [span for each in decoded for span in each.spans]


def model_calls(name: str, prefix: str = "gpt-canned") -> list[Span]:
    """Return the innermost calls of a model that were answered."""
    found = [s for s in spans(name) if s.kind == "chat" and s.model.startswith(prefix) and s.output_tokens is not None]
    return sorted(found, key=lambda span: span.start_ns)


def flat(message: dict[str, Any]) -> dict[str, Any]:
    parts = [{key: part[key] for key in sorted(part)} for part in message["parts"]]
    return {"role": message["role"], "parts": parts}


def same(messages: Any, *wanted: dict[str, Any]) -> bool:
    return [flat(message) for message in messages] == [flat(message) for message in wanted]


@pytest.mark.parametrize("name", NAMES)
def test_model_calls_are_understood(name):
    calls = model_calls(name)
    assert len(calls) >= 3
    # Some of Langfuse's clients do not say the instructions of a response with what was asked.
    without = 1 if name in ("langfuse_3", "langfuse_js") else 0
    asked = [same(span.input, RULES, QUESTION) for span in calls if name not in SILENT]
    assert asked.count(False) == without
    for span in calls:
        # Of a stream, Langfuse's client in JavaScript says the model that was asked for.
        assert span.model == "gpt-canned-2026" or (name == "langfuse_js" and span.ttft_ms)
        assert span.provider == ("" if name in NO_PROVIDER else "openai")
        assert span.service == ("unknown_service:python" if name in ("langfuse", "langfuse_3") else "golden")
        assert span.status in ("unset", "ok")
        assert (span.input_tokens, span.output_tokens) == (20, 9)
    if name not in NO_CACHE:
        assert max(span.cached_tokens or 0 for span in calls) == 8
    if name not in NO_REASONING:
        assert max(span_tokens(span).reasoning_tokens for span in calls) == 4
    if name not in SILENT:
        said = [flat(message)["parts"] for span in calls for message in span.output]
        assert said.count(CALL) == 1 and FINE in said


@pytest.mark.parametrize("name", sorted(set(NAMES) - SILENT - NO_TOOLS))
def test_tools_stand_under_one_name(name):
    [asked] = [span for span in model_calls(name) if flat(span.output[0])["parts"] == CALL]
    assert '"weather"' in json.dumps(asked.attributes["gen_ai.tool.definitions"])
    assert isinstance(asked.attributes["gen_ai.tool.definitions"], list)


@pytest.mark.parametrize("name", NAMES)
def test_errors_say_why(name):
    failed = [span for span in spans(name) if span.status == "error" and span.kind == "chat"]
    assert (failed and {span.model for span in failed} == {"broken"}) or name == "openinference"
    assert failed and all("the model is broken" in span.status_message for span in failed)


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_are_understood_and_hold_no_vectors(name):
    found = [span for span in spans(name) if span.kind == "embeddings"]
    if name in ("gen_ai_before", "langfuse_js"):
        assert found == []  # that version does not watch them, or calls them generations
        return
    assert found and all(span.model == "embed-canned" for span in found)
    assert "0.1" not in json.dumps([[span.input, span.output] for span in found])
    assert all("weather" in json.dumps(span.input) for span in found if span.input is not None)
    if name != "mlflow":
        assert max(span.input_tokens or 0 for span in found) == 6


@pytest.mark.parametrize("name", sorted(SESSIONS))
def test_sessions_and_users_are_found(name):
    calls = model_calls(name)
    assert {(span.session_id, span.user_id) for span in calls} == {("session-1", "user-1")}


@pytest.mark.parametrize("name", sorted(CLAUDE))
def test_anthropics_tokens_count_what_the_cache_gave_and_took(name):
    calls = [span for span in model_calls(name, "claude") if span.input is not None]
    assert len(calls) == 2
    for span in calls:
        tokens = span_tokens(span)
        assert (span.provider, tokens.input_tokens, tokens.output_tokens) == ("anthropic", 20, 9)
        assert (tokens.cached_tokens, tokens.cache_write_tokens) == (8, 2)
        assert same(span.input, RULES, QUESTION)
    called = {"type": "tool_call", "id": "toolu_1", "name": "weather", "arguments": {"city": "Bern"}}
    assert flat(calls[1].output[0])["parts"] == [called]


def test_kinds_around_calls_are_understood():
    kinds = {name: {span.name: span.kind for span in spans(name)} for name in ("traceloop", "langfuse", "mlflow")}
    assert kinds["traceloop"]["report.workflow"] == "chain" and kinds["traceloop"]["weather.tool"] == "execute_tool"
    assert kinds["langfuse"]["report"] == kinds["mlflow"]["report"] == "invoke_agent"
    assert {span.kind for span in spans("vercel_7")} >= {"invoke_agent", "execute_tool", "chat", "embeddings"}
    assert {span.kind for span in spans("vercel_5")} == {"chain", "chat", "execute_tool", "embeddings"}


@pytest.mark.parametrize("name", LANGFUSE)
def test_what_langfuse_is_told_by_hand_is_understood(name):
    found = {span.name: span for span in spans(name)}
    whole, seats = found["report"], "3" if name == "langfuse" else 3
    assert (whole.user_id, whole.session_id, whole.parent_id) == ("user-1", "session-1", "")
    wanted = ("name", "tags", "metadata.plan", "metadata.seats")
    told = {key: whole.attributes["langfuse.trace." + key] for key in wanted}
    assert told == {"name": "forecast", "tags": ["golden"], "metadata.plan": "free", "metadata.seats": seats}
    assert {one.parent_id for one in found.values()} == {"", whole.span_id}
    looked = found["look-up"]
    assert (looked.kind, looked.input, looked.output) == ("retrieval", "Bern", ["doc-1", "doc-2"])
    meta = {key: looked.attributes["langfuse.observation.metadata." + key] for key in ("index", "hits", "cached", "by")}
    assert meta == {"index": "geo", "hits": 2, "cached": True, "by": {"k": 5}}
    tool = found["weather"]
    assert (tool.kind, tool.input, tool.output) == ("execute_tool", {"city": "Bern"}, {"sky": "clear"})
    assert tool.attributes["langfuse.observation.level"] == "WARNING" and tool.status == "unset"
    written, tokens = found["write"], span_tokens(found["write"])
    assert same(written.output, {"role": "assistant", "parts": [{"type": "text", "content": "Clear sky."}]})
    assert (tokens.input_tokens, tokens.cached_tokens, tokens.output_tokens, tokens.reasoning_tokens) == (16, 4, 8, 2)
    assert (written.model, written.cost) == ("hand-1", 0.003) and (written.ttft_ms or 0) > 0
    for failed, why in (("send", "the mail bounced"), ("check", "it is not polite")):
        assert found[failed].status == "error" and found[failed].status_message.endswith(why)
    assert (found["check"].kind, found["shown"].kind) == ("guardrail", "span")


def test_the_first_piece_of_a_stream_is_timed_where_it_is_told():
    for name in ("langfuse", "langfuse_js", "vercel_5", "vercel_7"):
        assert any(span.ttft_ms and span.ttft_ms > 0 for span in spans(name)), name


def test_messages_that_came_as_logs_join_their_spans(platform):
    intake = Intake(platform)
    caller = Caller("dev", "k", "default", "", "developer", ROLES["developer"])
    for request in recorded("gen_ai_before"):
        body = json.dumps(request).encode()
        if "resourceLogs" in request:
            assert json.loads(logs.store(platform, intake, caller, body, "json")) == {}
        else:
            intake.receive(otlp.decode(body, "json", project="default").spans)
    assert logs.join(platform) > 0
    calls = [
        span for name in {s.trace_id for s in spans("gen_ai_before")} for span in platform.spans.trace("default", name)
    ]
    answered = sorted((s for s in calls if s.output is not None), key=lambda span: span.start_ns)
    assert len(answered) == 3 and all(same(span.input, RULES, QUESTION) for span in answered)
    assert [flat(span.output[0])["parts"] for span in answered] == [FINE, CALL, FINE]


def test_a_pending_span_of_logfire_is_the_running_span_itself():
    [request] = recorded("logfire")
    span = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    pending = {
        **span,
        "spanId": "1" * 16,
        "parentSpanId": span["spanId"],
        "attributes": [
            {"key": "logfire.span_type", "value": {"stringValue": "pending_span"}},
            {"key": "logfire.pending_parent_id", "value": {"stringValue": "2" * 16}},
        ],
    }
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [pending]}]}]}
    [found] = otlp.decode(json.dumps(body).encode(), "json", project="p").spans
    assert (found.span_id, found.parent_id, found.status) == (span["spanId"], "2" * 16, "running")
    assert RUNNING not in found.attributes


def test_no_recording_tells_of_the_machine():
    for name in NAMES:
        text = (FOLDER / f"{name}.json").read_text()
        assert len(text) < 60_000
        for word in ("/tmp/", "/root", "/home", "site-packages", "process.", "host.name"):
            assert word not in text, (name, word)
