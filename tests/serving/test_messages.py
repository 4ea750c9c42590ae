"""Anthropic's messages through Anthropic's own client: over vendors of both dialects and over a local model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic
from tests.serving.conftest import Upstream, last_span
from tests.serving.vendor import ANTHROPIC_USAGE, KEY, Vendor

from mainspring.kernel.platform import Platform
from mainspring.registry import Providers
from mainspring.serving.metering import Limits, Usages

HI: Any = [{"role": "user", "content": "Say hi"}]
CALLS = [
    {"id": "call_1", "name": "weather", "input": {"city": "Oslo"}},
    {"id": "call_2", "name": "clock", "input": {"zone": "UTC"}},
]
TOOLS: Any = [
    {"name": name, "description": "Tells it.", "input_schema": {"type": "object"}} for name in ("weather", "clock")
]
BOTH = pytest.mark.parametrize("model", ["acme/big", "anth/big"])
MARK = {"type": "ephemeral", "ttl": "1h"}


@pytest.fixture
def claude(gateway_url: str) -> Iterator[Anthropic]:
    """Anthropic's client, with ann's key."""
    with Anthropic(base_url=gateway_url, api_key="ann", max_retries=0) as made:
        yield made


def whole(claude: Anthropic, model: str, **asked: Any) -> Any:
    return claude.messages.create(**{"model": model, "max_tokens": 50, "messages": HI, **asked})


def streamed(claude: Anthropic, model: str, **asked: Any) -> list[Any]:
    return list(whole(claude, model, stream=True, **asked))


def test_the_double_speaks_as_the_vendor_does(vendor: Vendor) -> None:
    with Anthropic(base_url=vendor.url, api_key=KEY, max_retries=0) as direct:
        assert whole(direct, "big").content[0].text == "Hello there."
        vendor.tool_calls = CALLS
        with direct.messages.stream(model="big", max_tokens=5, messages=HI) as stream:
            final = stream.get_final_message()
        assert [block.type for block in final.content] == ["text", "tool_use", "tool_use"]
        assert final.content[1].input == {"city": "Oslo"}
        assert (final.usage.output_tokens, final.usage.cache_read_input_tokens) == (40, 60)
        vendor.break_after = 1
        with pytest.raises(anthropic.APIStatusError, match="out of memory"):
            streamed(direct, "big")


@BOTH
def test_an_answer(claude: Anthropic, platform: Platform, providers: Providers, vendor: Vendor, model: str) -> None:
    system = [{"type": "text", "text": "Be brief.", "cache_control": MARK}]
    asked: Any = {"system": system, "stop_sequences": ["END"], "metadata": {"user_id": "u7"}}
    answer = whole(claude, model, **asked, extra_body={"temperature": 0.5})
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    assert [(block.type, block.text) for block in answer.content] == [("text", "Hello there.")]
    used = answer.usage
    assert (used.input_tokens, used.cache_read_input_tokens, used.output_tokens) == (
        (30, 60, 40) if model == "anth/big" else (40, 60, 40)
    )
    assert used.output_tokens_details.thinking_tokens == 25
    body = vendor.bodies[-1]
    assert body["temperature"] == 0.5
    if model == "anth/big":
        assert used.cache_creation.ephemeral_1h_input_tokens == 4
        assert used.cache_creation_input_tokens == ANTHROPIC_USAGE["cache_creation_input_tokens"]
        assert (body["system"], body["stop_sequences"]) == (system, ["END"])
    else:
        assert body["messages"][0] == {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
        assert (body["stop"], body["max_tokens"]) == (["END"], 50)
    span = last_span(platform)
    assert (span.input_tokens, span.cached_tokens, span.user_id, span.kind) == (100, 60, "u7", "chat")


@BOTH
def test_a_stream(claude: Anthropic, providers: Providers, vendor: Vendor, model: str) -> None:
    vendor.tool_calls = CALLS
    events = streamed(claude, model, tools=TOOLS)
    kinds = [event.type for event in events]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 3
    texts = [event.delta.text for event in events if getattr(getattr(event, "delta", None), "type", "") == "text_delta"]
    assert texts == ["Hello", " there", "."]
    with claude.messages.stream(model=model, max_tokens=50, messages=HI, tools=TOOLS) as stream:
        final = stream.get_final_message()
    assert final.stop_reason == "tool_use"
    assert [(block.id, block.name, block.input) for block in final.content[1:]] == [tuple(c.values()) for c in CALLS]
    used = final.usage
    assert (used.input_tokens, used.cache_read_input_tokens) == (30 if model == "anth/big" else 40, 60)
    assert (used.cache_creation_input_tokens, used.cache_creation) == (10 if model == "anth/big" else 0, None)


@BOTH
def test_tools_and_their_results(claude: Anthropic, providers: Providers, vendor: Vendor, model: str) -> None:
    vendor.tool_calls, vendor.words = CALLS, []
    choice = {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}
    answer = whole(claude, model, tools=TOOLS, tool_choice=choice)
    assert [(b.type, b.id, b.input) for b in answer.content] == [("tool_use", c["id"], c["input"]) for c in CALLS]
    results = [
        {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "rain"}]},
        {"type": "tool_result", "tool_use_id": "call_2", "content": "no clock", "is_error": True},
        {"type": "text", "text": "Go on."},
    ]
    turn = [*HI, {"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    whole(claude, model, messages=turn, tools=TOOLS)
    first, last = vendor.bodies[0], vendor.bodies[-1]
    if model == "anth/big":
        assert (first["tools"], first["tool_choice"]) == (TOOLS, choice)
        used, told, said = (message["content"] for message in last["messages"][1:])
        assert [block["input"] for block in used] == [call["input"] for call in CALLS]
        assert [(block["content"], block.get("is_error")) for block in told] == [("rain", None), ("no clock", True)]
        assert said == "Go on."
    else:
        assert first["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
        assert first["parallel_tool_calls"] is False
        assert [message["role"] for message in last["messages"]] == ["user", "assistant", "tool", "tool", "user"]
        assert last["messages"][3] == {"role": "tool", "tool_call_id": "call_2", "content": "no clock"}
        made = [call["function"] for call in last["messages"][1]["tool_calls"]]
        assert [json.loads(function["arguments"]) for function in made] == [call["input"] for call in CALLS]


@BOTH
def test_images_and_schemas_go_through(claude: Anthropic, providers: Providers, vendor: Vendor, model: str) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    content = [{"type": "text", "text": "Where?"}, image]
    wanted = {"format": {"type": "json_schema", "schema": schema}, "effort": "low"}
    whole(claude, model, messages=[{"role": "user", "content": content}], output_config=wanted)
    body = vendor.bodies[-1]
    if model == "anth/big":
        assert (body["messages"][0]["content"], body["output_config"]) == (content, wanted)
    else:
        assert body["messages"][0]["content"][1]["image_url"]["url"] == "data:image/png;base64,aGk="
        assert (body["response_format"]["json_schema"]["schema"], body["reasoning_effort"]) == (schema, "low")


@BOTH
def test_a_stop_sequence_and_a_limit_are_named(
    claude: Anthropic, providers: Providers, vendor: Vendor, model: str
) -> None:
    vendor.reason = "length"
    assert whole(claude, model).stop_reason == "max_tokens"
    if model == "anth/big":
        vendor.reason = "END"
        assert (whole(claude, model).stop_sequence, streamed(claude, model)[-2].delta.stop_sequence) == ("END", "END")


def test_a_local_model_answers(claude: Anthropic, upstream: Upstream, small_model: str) -> None:
    answer = whole(claude, small_model, system="Be brief.")
    assert (answer.content[0].text, answer.usage.input_tokens) == ("Hello there.", 5)
    assert upstream.bodies[-1]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert streamed(claude, small_model)[-1].type == "message_stop"


def test_tokens_are_counted_beforehand(claude: Anthropic, providers: Providers, vendor: Vendor) -> None:
    assert claude.messages.count_tokens(model="anth/big", messages=HI, system="Be brief.").input_tokens == 17
    assert "max_tokens" not in vendor.bodies[-1]
    with pytest.raises(anthropic.BadRequestError, match="Nobody counts"):
        claude.messages.count_tokens(model="acme/big", messages=HI)


def test_counting_tokens_is_a_request_too(
    claude: Anthropic, platform: Platform, providers: Providers, vendor: Vendor
) -> None:
    Limits(platform).set(2, measure="requests", per="day")
    for _ in range(2):
        claude.messages.count_tokens(model="anth/big", messages=HI)
    with pytest.raises(anthropic.RateLimitError):
        claude.messages.count_tokens(model="anth/big", messages=HI)
    assert len(vendor.bodies) == 2
    [row] = Usages(platform).report(by="")
    assert (row.requests, row.input_tokens, row.unpriced) == (2, 0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_tokens": 0},
        {"temperature": 2},
        {"messages": []},
        {"messages": [{"role": "wizard", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"container": "c1"},
    ],
)
def test_a_wrong_request_is_refused_in_the_protocols_shape(
    claude: Anthropic, providers: Providers, vendor: Vendor, wrong: dict[str, Any]
) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        whole(claude, "anth/big", extra_body=wrong)
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    assert vendor.requests == []


@BOTH
@pytest.mark.parametrize(
    ("status", "problem", "kind"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (529, anthropic.InternalServerError, "api_error"),
    ],
)
def test_errors_of_the_vendor(
    claude: Anthropic, providers: Providers, vendor: Vendor, model: str, status: int, problem: Any, kind: str
) -> None:
    vendor.fail = (status, {"type": "error", "error": {"type": "x", "message": "no luck"}})
    for ask in (whole, streamed):
        with pytest.raises(problem, match="no luck") as caught:
            ask(claude, model)
        assert caught.value.body["error"]["type"] == kind


@BOTH
def test_a_stream_that_fails_ends_with_an_error(
    claude: Anthropic, providers: Providers, vendor: Vendor, model: str
) -> None:
    vendor.break_after = 2
    heard = []
    with pytest.raises(anthropic.APIStatusError, match="out of memory"):
        for event in whole(claude, model, stream=True):
            heard.append(event.type)
    assert heard.count("content_block_delta") == 2


@BOTH
def test_the_async_client_and_one_that_leaves(
    gateway_url: str, providers: Providers, vendor: Vendor, model: str
) -> None:
    async def ask() -> None:
        async with AsyncAnthropic(base_url=gateway_url, api_key="ann", max_retries=0) as claude:
            asked: Any = {"model": model, "max_tokens": 5, "messages": HI}
            answer = await claude.messages.create(**asked)
            assert answer.content[0].text == "Hello there."
            vendor.hold_after = 1
            async with claude.messages.stream(**asked) as stream:
                async for text in stream.text_stream:
                    assert text == "Hello"
                    return

    asyncio.run(ask())
    assert vendor.left.wait(60)


def test_who_may_ask(gateway_url: str, providers: Providers) -> None:
    for key, problem in (("nobody", anthropic.AuthenticationError), ("vic", anthropic.PermissionDeniedError)):
        with pytest.raises(problem):
            whole(Anthropic(base_url=gateway_url, api_key=key, max_retries=0), "anth/big")
