"""The gateway as the official OpenAI client sees it, over a server whose behaviour is chosen."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.serving.conftest import FixedEngine, Upstream, eventually
from tests.serving.leaving import leave

from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter

HI: Any = [{"role": "user", "content": "Say hi"}]


def spans_of(platform: Platform) -> list[Span]:
    platform.spans.flush()
    return list(platform.spans.scan("default", SpanFilter(), limit=100))


def test_a_whole_answer_and_its_trace(client: OpenAI, platform: Platform, small_model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=small_model,
        messages=HI,
        max_tokens=20,
        temperature=0.5,
        user="user-7",
        metadata={"session_id": "s-1", "page": "help"},
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == "Hello there."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == small_model
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 3, 10)
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 2
    [span] = spans_of(platform)
    assert span.trace_id == raw.headers["x-mainspring-trace-id"]
    assert (span.model, span.kind, span.status, span.project) == (small_model, "chat", "ok", "default")
    assert (span.session_id, span.user_id, span.environment) == ("s-1", "user-7", "production")
    assert (span.input_tokens, span.output_tokens, span.cached_tokens) == (7, 3, 2)
    assert span.input == [{"role": "user", "parts": [{"type": "text", "content": "Say hi"}]}]
    assert span.output[0]["parts"] == [{"type": "text", "content": "Hello there."}]
    assert span.attributes["gen_ai.request.temperature"] == 0.5
    assert span.attributes["mainspring.metadata.page"] == "help"
    assert span.attributes["mainspring.member"] == "ann"


def test_a_stream_with_usage(client: OpenAI, platform: Platform, small_model: str) -> None:
    stream = client.chat.completions.create(
        model=small_model, messages=HI, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello there."
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3
    assert len({chunk.id for chunk in chunks}) == 1
    [span] = spans_of(platform)
    assert span.ttft_ms is not None
    assert span.output[0]["parts"] == [{"type": "text", "content": "Hello there."}]


def test_without_asking_a_stream_tells_no_usage(client: OpenAI, small_model: str) -> None:
    chunks = list(client.chat.completions.create(model=small_model, messages=HI, stream=True))
    assert all(chunk.usage is None for chunk in chunks)


def test_the_trace_is_on_disk_before_the_last_byte(
    client: OpenAI, platform: Platform, small_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(platform.spans, "append", full)
    with pytest.raises(openai.InternalServerError, match="trace could not be written"):
        client.chat.completions.create(model=small_model, messages=HI)
    with pytest.raises(openai.APIError, match="trace could not be written"):
        list(client.chat.completions.create(model=small_model, messages=HI, stream=True))


@pytest.mark.parametrize("stream", [False, True])
def test_text_completions(client: OpenAI, upstream: Upstream, small_model: str, stream: bool) -> None:
    made: Any = client.completions.create(model=small_model, prompt="Once", max_tokens=5, stream=stream)
    text = "".join(chunk.choices[0].text for chunk in made) if stream else made.choices[0].text
    assert text == "Hello there."
    assert upstream.bodies[0]["prompt"] == "Once"


def test_tool_calls_and_schemas_go_through(client: OpenAI, upstream: Upstream, small_model: str) -> None:
    function = {"name": "weather", "arguments": '{"city": "Oslo"}'}
    upstream.tool_calls = [{"id": "call_1", "type": "function", "function": function}]
    upstream.words = []
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    answer = client.chat.completions.create(model=small_model, messages=HI, tools=tools)
    calls: Any = answer.choices[0].message.tool_calls
    assert (calls[0].id, calls[0].function.name, calls[0].function.arguments) == ("call_1", *function.values())
    deltas = [
        c.choices[0].delta
        for c in client.chat.completions.create(model=small_model, messages=HI, tools=tools, stream=True)
    ]
    streamed: Any = [delta.tool_calls[0] for delta in deltas if delta.tool_calls]
    assert streamed[0].index == 0
    assert "".join(piece.function.arguments for piece in streamed) == function["arguments"]
    shape: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    client.chat.completions.create(model=small_model, messages=HI, response_format=shape)
    assert upstream.bodies[-1]["response_format"] == shape


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": HI, "max_tokens": 0}, "max_tokens"),
        ({"messages": HI, "temperature": 9}, "temperature"),
        ({"messages": HI, "n": 2}, "n"),
        ({"messages": HI, "logprobs": True}, "logprobs"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
    ],
)
def test_a_wrong_request_names_the_parameter(
    gateway_url: str, small_model: str, body: dict[str, Any], param: str
) -> None:
    status, reply = post(f"{gateway_url}/v1/chat/completions", {"model": small_model, **body})
    assert status == 400
    assert reply["error"]["type"] == "invalid_request_error"
    assert reply["error"]["param"] == param


def post(url: str, body: Any, key: str = "ann") -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize("raw", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(gateway_url: str, raw: bytes) -> None:
    assert post(f"{gateway_url}/v1/chat/completions", raw)[0] == 400


def test_who_may_ask(gateway_url: str, small_model: str) -> None:
    url = f"{gateway_url}/v1"
    with pytest.raises(openai.AuthenticationError):
        OpenAI(base_url=url, api_key="nobody").models.list()
    with pytest.raises(openai.PermissionDeniedError):
        OpenAI(base_url=url, api_key="vic").chat.completions.create(model=small_model, messages=HI)


def test_an_unknown_model_is_not_found(client: OpenAI, small_model: str) -> None:
    for name in ("nothing", "model/nothing", "release/none@1"):
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model=name, messages=HI)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="dataset/rows", messages=HI)


def test_models_are_listed(client: OpenAI, platform: Platform, small_model: str) -> None:
    assert [model.id for model in client.models.list()] == [small_model]
    assert client.models.retrieve(small_model).owned_by == "mainspring"


def test_an_overflow_of_the_context_is_named(client: OpenAI, upstream: Upstream, small_model: str) -> None:
    error = {"type": "exceed_context_size_error", "n_prompt_tokens": 3000, "n_ctx": 2048, "message": "too long"}
    upstream.fail = (400, {"error": error})
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=small_model, messages=HI, stream=stream)
        assert caught.value.code == "context_length_exceeded"
        assert "2048" in caught.value.message


def test_an_engine_that_dies_is_asked_again_before_anything_was_sent(
    client: OpenAI, upstream: Upstream, fixed_engine: FixedEngine, small_model: str
) -> None:
    upstream.deaths = 2
    assert client.chat.completions.create(model=small_model, messages=HI).choices[0].message.content == "Hello there."
    assert fixed_engine.asked == 3
    upstream.deaths = 1
    assert len(list(client.chat.completions.create(model=small_model, messages=HI, stream=True))) > 3


def test_an_engine_that_dies_in_mid_stream_ends_it_with_an_error(
    client: OpenAI, platform: Platform, upstream: Upstream, small_model: str
) -> None:
    upstream.die_after = 2
    heard = []
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(model=small_model, messages=HI, stream=True):
            heard.append(chunk.choices[0].delta.content)
    assert "".join(text or "" for text in heard) == "Hello there"
    [span] = spans_of(platform)
    assert span.status == "error"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_the_generation(
    client: OpenAI, platform: Platform, upstream: Upstream, small_model: str, stream: bool
) -> None:
    upstream.hold = True
    if stream:
        with client.chat.completions.create(model=small_model, messages=HI, stream=True) as chunks:
            next(iter(chunks))
    else:
        leave(client, {"model": small_model, "messages": HI}, when=lambda: upstream.bodies)
    assert upstream.cancelled.wait(60)
    eventually(lambda: [span.status_message for span in spans_of(platform)] == ["the client went away"])


def test_too_many_at_once_are_told_to_come_back(platform: Platform, client: OpenAI) -> None:
    # Covered where the queue is small; here the shape of the answer matters.
    from mainspring.kernel.errors import LimitReached
    from mainspring.serving.protocols.openai import error

    status, body, headers = error(LimitReached("Too many.", retry_after=2))
    assert (status, body["error"]["type"], headers["retry-after"]) == (429, "rate_limit_error", "2")


def test_a_trace_that_is_given_is_continued(gateway_url: str, platform: Platform, small_model: str) -> None:
    client = OpenAI(base_url=f"{gateway_url}/v1", api_key="ann")
    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
    client.chat.completions.create(model=small_model, messages=HI, extra_headers={"traceparent": parent})
    [span] = spans_of(platform)
    assert (span.trace_id, span.parent_id) == ("ab" * 16, "cd" * 8)
