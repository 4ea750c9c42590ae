"""What a local model answers by every protocol: held to a schema, cut at its limit, and over its context."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from tests.serving.conftest import FixedEngine, eventually, last_span, register_model
from tests.serving.pooled import Pooled
from tests.serving.tiny_models import write_llama

from mainspring.backends.engine_llamacpp import EngineLimits, EnginePool
from mainspring.kernel.platform import Platform
from mainspring.serving.engine_metrics import add_engines
from mainspring.serving.totals import Totals

SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["cat", "dog"]}, "legs": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["kind", "legs"],
    "additionalProperties": False,
}
PROTOCOLS = ("chat", "completions", "responses", "messages")


@pytest.fixture
def pool(platform: Platform, fixed_engine: FixedEngine) -> Iterator[EnginePool]:
    """The platform's engines."""
    made = EnginePool(platform.files.path, limits=EngineLimits(threads=1, cache_mib=16))
    platform.engine_port = Pooled(made)
    yield made
    made.close()


@pytest.fixture
def model(platform: Platform, pool: EnginePool, tmp_path: Path) -> str:
    """A tiny llama that says ASCII."""
    return register_model(platform, "tiny", write_llama(tmp_path / "tiny.gguf", printable=True))


@pytest.fixture
def http(pool: EnginePool, gateway_url: str) -> Iterator[httpx.Client]:
    """Somebody with ann's key."""
    with httpx.Client(base_url=gateway_url, headers={"authorization": "Bearer ann"}, timeout=60) as made:
        yield made


def asked(protocol: str, model: str, text: str, tokens: int, schema: Any = None, *, stream: bool = False) -> Any:
    """Return the path and the body of a request."""
    body: dict[str, Any] = {"model": model, "temperature": 0, "stream": stream}
    messages = [{"role": "user", "content": text}]
    if protocol == "completions":
        return "/v1/completions", {**body, "prompt": text, "max_tokens": tokens}
    if protocol == "responses":
        shape = {"text": {"format": {"type": "json_schema", "name": "x", "schema": schema}}} if schema else {}
        return "/v1/responses", {**body, "input": text, "max_output_tokens": tokens, **shape}
    if protocol == "messages":
        shape = {"output_config": {"format": {"type": "json_schema", "schema": schema}}} if schema else {}
        return "/v1/messages", {**body, "messages": messages, "max_tokens": tokens, **shape}
    shape = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}
    return "/v1/chat/completions", {**body, "messages": messages, "max_tokens": tokens, **(shape if schema else {})}


def told(protocol: str, reply: dict[str, Any]) -> tuple[str, str]:
    """Return the text of an answer and why it ended."""
    if protocol == "responses":
        text = "".join(part["text"] for item in reply["output"] for part in item["content"])
        return text, (reply.get("incomplete_details") or {}).get("reason", reply["status"])
    if protocol == "messages":
        return "".join(part["text"] for part in reply["content"]), reply["stop_reason"]
    choice = reply["choices"][0]
    return choice.get("text") or choice["message"]["content"], choice["finish_reason"]


@pytest.mark.parametrize("protocol", ["chat", "responses", "messages"])
def test_an_answer_is_held_to_a_schema_and_says_where_it_was_cut(http: httpx.Client, model: str, protocol: str) -> None:
    path, body = asked(protocol, model, "A cat.", 100, SCHEMA)
    text, reason = told(protocol, http.post(path, json=body).raise_for_status().json())
    jsonschema.validate(json.loads(text), SCHEMA)
    assert reason in ("stop", "completed", "end_turn")
    path, body = asked(protocol, model, "A cat.", 5, SCHEMA)
    text, reason = told(protocol, http.post(path, json=body).raise_for_status().json())
    assert text.startswith("{")
    assert reason in ("length", "max_output_tokens", "max_tokens")


def test_any_json_object_is_one(http: httpx.Client, model: str) -> None:
    path, body = asked("chat", model, "A cat.", 5)
    text, reason = told("chat", http.post(path, json={**body, "response_format": {"type": "json_object"}}).json())
    assert (text[0], reason) == ("{", "length")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_request_over_the_context_is_told_both_numbers(
    http: httpx.Client, model: str, protocol: str, stream: bool
) -> None:
    path, body = asked(protocol, model, "word " * 300, 5, stream=stream)
    reply = http.post(path, json=body)
    error = reply.json()["error"]
    assert reply.status_code == 400
    assert "This model's context is 512 tokens; the request has 1" in error["message"]
    if protocol != "messages":
        assert error["code"] == "context_length_exceeded"


def test_the_prefix_cache_is_told_in_usage_traces_and_metrics(
    http: httpx.Client, model: str, platform: Platform, pool: EnginePool
) -> None:
    long = "a beginning that is long enough to be kept " * 4
    path, body = asked("chat", model, long, 2)
    http.post(path, json=body).raise_for_status()
    platform.spans.flush()
    assert last_span(platform).cached_tokens == 0
    usage = http.post(path, json=body).raise_for_status().json()["usage"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    assert 100 < cached < usage["prompt_tokens"]
    path, body = asked("messages", model, long, 2)
    usage = http.post(path, json=body).raise_for_status().json()["usage"]
    assert usage["cache_read_input_tokens"] > 100 > usage["input_tokens"]
    found = Totals()
    add_engines(platform, found)
    lines = found.render()
    assert 'mainspring_engine_generation_tokens_total{engine="' in lines
    eventually(lambda: pool.list()[0].running == 0)
    assert pool.list()[0].cached_tokens > 200
