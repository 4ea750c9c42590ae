"""Models of providers behind the gateway: asked in the vendor's dialect, told in the client's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from tests.serving.conftest import last_span
from tests.serving.vendor import KEY, Vendor

from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import ChatRequest
from mainspring.registry import Models, Providers, Releases
from mainspring.safety import Rule
from mainspring.safety.service import Guards
from mainspring.serving.chat import EngineChat
from mainspring.serving.service import Deployments
from mainspring.workspace import Environments

HI: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hi"}]
CALLS = [
    {"id": "call_1", "name": "weather", "input": {"city": "Oslo"}},
    {"id": "call_2", "name": "clock", "input": {"zone": "UTC"}},
]
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "description": "Tells it.", "parameters": {"type": "object"}}}
    for name in ("weather", "clock")
]
BOTH = pytest.mark.parametrize("model", ["acme/big", "anth/big"])


def whole(client: OpenAI, **asked: Any) -> Any:
    return client.chat.completions.create(**{"messages": HI, **asked})


def streamed(client: OpenAI, **asked: Any) -> list[Any]:
    made = {"messages": HI, "stream_options": {"include_usage": True}, **asked}
    return list(client.chat.completions.create(**made, stream=True))


@BOTH
def test_an_answer_its_usage_and_its_trace(
    client: OpenAI, platform: Platform, providers: Providers, vendor: Vendor, model: str
) -> None:
    answer = whole(client, model=model, max_tokens=9, temperature=0.5, stop=["END"], seed=3)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Hello there.", "stop")
    used = answer.usage
    assert (used.prompt_tokens, used.completion_tokens) == (100, 40)
    assert used.prompt_tokens_details.cached_tokens == 60
    assert used.completion_tokens_details.reasoning_tokens == 25
    path, headers, body = vendor.requests[-1]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("big", 9, 0.5)
    if model == "anth/big":
        assert (path, headers["x-api-key"], headers["anthropic-version"]) == ("/v1/messages", KEY, "2023-06-01")
        assert (body["system"], body["messages"]) == ("Be brief.", [{"role": "user", "content": "Say hi"}])
        assert (body["stop_sequences"], "seed" in body) == (["END"], False)
    else:
        assert (path, headers["authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
        assert (body["messages"], body["stop"], body["seed"]) == (HI, ["END"], 3)
    span = last_span(platform)
    assert (span.model, span.provider) == (model, model.split("/", maxsplit=1)[0])
    assert (span.input_tokens, span.output_tokens, span.cached_tokens) == (100, 40, 60)
    assert span.attributes["gen_ai.usage.reasoning.output_tokens"] == 25
    assert span.attributes["gen_ai.request.model"] == "big"
    assert span.attributes.get("gen_ai.usage.cache_creation.input_tokens") == (6 if model == "anth/big" else None)


@BOTH
def test_a_stream(client: OpenAI, platform: Platform, providers: Providers, model: str) -> None:
    chunks = streamed(client, model=model)
    assert [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content] == [
        "Hello", " there", "."
    ]  # fmt: skip
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.prompt_tokens_details.cached_tokens) == (100, 60)
    span = last_span(platform)
    assert (span.output_tokens, span.output[0]["parts"][0]["content"]) == (40, "Hello there.")
    assert span.ttft_ms is not None


@BOTH
def test_tools_go_both_ways(client: OpenAI, providers: Providers, vendor: Vendor, model: str) -> None:
    vendor.tool_calls, vendor.words = CALLS, []
    choice = whole(client, model=model, tools=TOOLS, tool_choice="required", parallel_tool_calls=False).choices[0]
    assert choice.finish_reason == "tool_calls"
    told = [(c.id, c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls]
    assert told == [(call["id"], call["name"], call["input"]) for call in CALLS]
    pieces: dict[int, list[Any]] = {}
    for chunk in streamed(client, model=model, tools=TOOLS):
        for piece in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            pieces.setdefault(piece.index, []).append(piece)
    assert [[p.id for p in parts if p.id] for parts in pieces.values()] == [["call_1"], ["call_2"]]
    assert len(pieces[0]) == 3, "the arguments come as they are made"
    assert json.loads("".join(piece.function.arguments for piece in pieces[0])) == {"city": "Oslo"}
    turn = [*HI, choice.message.model_dump(exclude_none=True)]
    turn += [{"role": "tool", "tool_call_id": call["id"], "content": "fine"} for call in CALLS]
    whole(client, model=model, messages=turn, tools=TOOLS)
    body = vendor.bodies[-1]
    if model == "anth/big":
        assert body["tools"][0] == {"name": "weather", "description": "Tells it.", "input_schema": {"type": "object"}}
        assert vendor.bodies[0]["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
        used, results = (message["content"] for message in body["messages"][1:])
        assert [(block["type"], block["input"]) for block in used] == [("tool_use", c["input"]) for c in CALLS]
        assert [(block["type"], block["tool_use_id"]) for block in results] == [
            ("tool_result", "call_1"), ("tool_result", "call_2")
        ]  # fmt: skip
    else:
        assert (body["tools"], [m["role"] for m in body["messages"][-2:]]) == (TOOLS, ["tool", "tool"])


@BOTH
def test_schemas_and_images_go_through(client: OpenAI, providers: Providers, vendor: Vendor, model: str) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    shape = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema, "strict": True}}
    pictures = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        {"type": "image_url", "image_url": {"url": "https://pictures.example.org/cat.png"}},
    ]
    whole(client, model=model, messages=[{"role": "user", "content": pictures}], response_format=shape)
    body = vendor.bodies[-1]
    content = body["messages"][0]["content"]
    if model == "anth/big":
        assert body["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
        assert [block.get("source") for block in content] == [
            None,
            {"type": "base64", "media_type": "image/png", "data": "aGk="},
            {"type": "url", "url": "https://pictures.example.org/cat.png"},
        ]
    else:
        assert (body["response_format"], content) == (shape, pictures)


def test_a_local_model_refuses_images(client: OpenAI, small_model: str) -> None:
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]
    with pytest.raises(openai.BadRequestError, match="reads no images") as caught:
        whole(client, model=small_model, messages=[{"role": "user", "content": picture}])
    assert caught.value.param == "messages[0].content"


@BOTH
@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (400, openai.BadRequestError),
        (401, openai.InternalServerError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
def test_errors_of_the_vendor(
    client: OpenAI, providers: Providers, vendor: Vendor, model: str, status: int, problem: type[openai.APIStatusError]
) -> None:
    vendor.fail = (status, {"type": "error", "error": {"type": "x", "message": f"no luck with {KEY}"}})
    vendor.fail_headers = {"retry-after": "7"}
    for ask in (whole, streamed):
        with pytest.raises(problem, match="no luck with \\[secret\\]") as caught:
            ask(client, model=model)
        if status == 429:
            assert caught.value.response.headers["retry-after"] == "7"


def test_a_request_over_the_context_is_named(client: OpenAI, providers: Providers, vendor: Vendor) -> None:
    vendor.fail = (400, {"error": {"message": "prompt is too long: 9 tokens > 8 maximum"}})
    with pytest.raises(openai.BadRequestError) as caught:
        whole(client, model="anth/big")
    assert caught.value.code == "context_length_exceeded"


@BOTH
@pytest.mark.parametrize("how", ["break_after", "die_after"])
def test_a_stream_that_fails_ends_with_an_error(
    client: OpenAI, platform: Platform, providers: Providers, vendor: Vendor, model: str, how: str
) -> None:
    setattr(vendor, how, 2)
    heard = []
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(model=model, messages=HI, stream=True):
            heard.append(chunk.choices[0].delta.content or "")
    assert "".join(heard) == "Hello there"
    assert last_span(platform).status == "error"


@BOTH
@pytest.mark.parametrize("hold", [0, 1])
def test_a_client_that_leaves_ends_the_call_at_the_vendor(
    client: OpenAI, gateway_url: str, providers: Providers, vendor: Vendor, model: str, hold: int
) -> None:
    vendor.hold_after = hold

    async def leave() -> None:
        async with AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key="ann", max_retries=0) as asking:
            if hold:
                async with await asking.chat.completions.create(model=model, messages=HI, stream=True) as chunks:
                    async for _ in chunks:
                        return
            asked = asyncio.ensure_future(asking.chat.completions.create(model=model, messages=HI))
            while not vendor.requests:
                await asyncio.sleep(0.01)
            asked.cancel()
            await asyncio.wait({asked})

    asyncio.run(leave())
    assert vendor.left.wait(60)


@pytest.mark.parametrize(
    ("stream", "hold", "patience"),
    [(True, 0, "first_token_seconds"), (True, 1, "between_seconds"), (False, 0, "total_seconds")],
)
def test_each_phase_has_its_patience(
    client: OpenAI, providers: Providers, vendor: Vendor, stream: bool, hold: int, patience: str
) -> None:
    providers.update("acme", **{patience: 1.0})  # time enough to reach the vendor, who must see us leave
    vendor.hold_after = hold
    with pytest.raises(openai.APIError, match="in time"):
        (streamed if stream else whole)(client, model="acme/big")
    assert vendor.left.wait(60)


def test_a_vendor_that_is_not_there(client: OpenAI, providers: Providers) -> None:
    providers.create("gone", "http://127.0.0.1:9")
    with pytest.raises(openai.InternalServerError, match="gone does not answer"):
        whole(client, model="gone/big")


def test_a_release_pins_a_model_of_a_provider(
    client: OpenAI, platform: Platform, providers: Providers, vendor: Vendor
) -> None:
    Models(platform).connect("gpt", "acme", "org/Big-1:free")
    Guards(platform).create("house", [Rule(detector="pii", on="both", action="mask")])
    release = Releases(platform).create("docs", model="model/gpt", guard="guard/house", parameters={"max_tokens": 5})
    Environments(platform).create("production")
    Deployments(platform).create("docs", release.ref)
    asked = {"model": "docs", "messages": [{"role": "user", "content": "I am bob@example.org"}]}
    asking = ChatRequest(model="docs", messages=asked["messages"])
    reply = EngineChat(platform).complete(asking)
    assert (reply.text, reply.input_tokens) == ("Hello there.", 100)
    vendor.words = ["Write to ", "bob@exa", "mple.org", " today."]
    text = "".join(c.choices[0].delta.content or "" for c in streamed(client, **asked)[:-1])
    assert text == "Write to [EMAIL] today."
    body = vendor.bodies[-1]
    assert (body["model"], body["max_tokens"]) == ("org/Big-1:free", 5)
    assert body["messages"][0]["content"] == "I am [EMAIL]"
    providers.update("acme", api_key="another")
    with pytest.raises(openai.InternalServerError, match="answered 401"):
        whole(client, model=release.ref)


def test_who_may_ask_a_provider_directly(gateway_url: str, client: OpenAI, providers: Providers) -> None:
    with pytest.raises(openai.PermissionDeniedError):
        whole(OpenAI(base_url=f"{gateway_url}/v1", api_key="vic", max_retries=0), model="acme/big")
    with pytest.raises(openai.NotFoundError):
        whole(client, model="nobody/big")


def test_an_images_text_cannot_pass_a_guard(client: OpenAI, platform: Platform, providers: Providers) -> None:
    Models(platform).connect("gpt", "acme", "big")
    Guards(platform).create("house", [Rule(detector="pii", on="input", action="block")])
    release = Releases(platform).create("docs", model="model/gpt", guard="guard/house").ref
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    with pytest.raises(openai.BadRequestError, match="cannot judge an image"):
        whole(client, model=release, messages=[{"role": "user", "content": [picture]}])
    cut = [{"type": "text", "text": part, "cache_control": {"type": "ephemeral"}} for part in ("bob@exa", "mple.org")]
    with pytest.raises(openai.BadRequestError) as caught:
        whole(client, model=release, messages=[{"role": "user", "content": cut}])
    assert caught.value.code == "content_filter"
