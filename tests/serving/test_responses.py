"""OpenAI's responses, completions and embeddings through the official client, over vendors of both dialects."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel
from tests.serving.conftest import Upstream, last_span
from tests.serving.vendor import Vendor

from mainspring.kernel.platform import Platform
from mainspring.registry import Models, Providers, Releases
from mainspring.safety import Rule
from mainspring.safety.service import Guards

CALLS = [
    {"id": "call_1", "name": "weather", "input": {"city": "Oslo"}},
    {"id": "call_2", "name": "clock", "input": {"zone": "UTC"}},
]
TOOLS: Any = [
    {"type": "function", "name": name, "description": "Tells it.", "parameters": {"type": "object"}, "strict": False}
    for name in ("weather", "clock")
]
BOTH = pytest.mark.parametrize("model", ["acme/big", "anth/big"])


class Place(BaseModel):
    city: str


@BOTH
def test_an_answer(client: OpenAI, platform: Platform, providers: Providers, vendor: Vendor, model: str) -> None:
    answer = client.responses.create(
        model=model, input="Say hi", instructions="Be brief.", max_output_tokens=9, metadata={"session_id": "s1"}
    )
    assert (answer.object, answer.status, answer.output_text) == ("response", "completed", "Hello there.")
    used = answer.usage
    assert (used.input_tokens, used.input_tokens_details.cached_tokens, used.total_tokens) == (100, 60, 140)
    assert used.output_tokens_details.reasoning_tokens == 25
    assert (answer.instructions, answer.max_output_tokens, answer.store) == ("Be brief.", 9, False)
    body = vendor.bodies[-1]
    assert body["max_tokens"] == 9
    assert "Be brief." in json.dumps(body)
    span = last_span(platform)
    assert (span.session_id, span.input_tokens, span.output_tokens) == ("s1", 100, 40)


@BOTH
def test_a_stream_of_typed_events(client: OpenAI, providers: Providers, vendor: Vendor, model: str) -> None:
    vendor.tool_calls = CALLS
    events = list(client.responses.create(model=model, input="Say hi", tools=TOOLS, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert (kinds[:2], kinds[-1]) == (["response.created", "response.in_progress"], "response.completed")
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == ["Hello", " there", "."]
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert [item.id for item in done] == [event.item.id for event in events if event.type.endswith("item.added")]
    with client.responses.stream(model=model, input="Say hi", tools=TOOLS) as stream:
        final = stream.get_final_response()
    assert final.output_text == "Hello there."
    told = [(item.call_id, item.name, json.loads(item.arguments)) for item in final.output[1:]]
    assert told == [(call["id"], call["name"], call["input"]) for call in CALLS]
    assert final.usage.input_tokens == 100


@BOTH
def test_tools_and_their_outputs(client: OpenAI, providers: Providers, vendor: Vendor, model: str) -> None:
    vendor.tool_calls, vendor.words = CALLS, []
    choice = {"type": "function", "name": "weather"}
    answer = client.responses.create(model=model, input="Say hi", tools=TOOLS, tool_choice=choice)
    assert [item.type for item in answer.output] == ["function_call", "function_call"]
    items: Any = [{"role": "user", "content": "Say hi"}, *answer.output]
    items += [{"type": "function_call_output", "call_id": call["id"], "output": "fine"} for call in CALLS]
    client.responses.create(model=model, input=items, tools=TOOLS)
    body = vendor.bodies[-1]
    if model == "anth/big":
        assert vendor.bodies[0]["tool_choice"] == {"type": "tool", "name": "weather"}
        assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result", "tool_result"]
    else:
        assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "tool"]
        assert len(body["messages"][1]["tool_calls"]) == 2


@BOTH
def test_schemas_and_images(client: OpenAI, providers: Providers, vendor: Vendor, model: str) -> None:
    vendor.words = ['{"city": ', '"Oslo"}']
    content: Any = [
        {"type": "input_text", "text": "Where?"},
        {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low"},
    ]
    asked = [{"role": "user", "content": content}]
    parsed = client.responses.parse(model=model, input=asked, text_format=Place, reasoning={"effort": "low"})
    assert parsed.output_parsed == Place(city="Oslo")
    body = vendor.bodies[-1]
    if model == "anth/big":
        assert body["output_config"]["format"]["schema"]["required"] == ["city"]
        assert (body["output_config"]["effort"], body["messages"][0]["content"][1]["type"]) == ("low", "image")
    else:
        assert body["response_format"]["json_schema"]["schema"]["required"] == ["city"]
        assert body["reasoning_effort"] == "low"
        assert body["messages"][0]["content"][1]["image_url"]["detail"] == "low"


def test_an_answer_that_was_cut_is_incomplete(client: OpenAI, providers: Providers, vendor: Vendor) -> None:
    vendor.reason = "length"
    answer = client.responses.create(model="acme/big", input="Say hi")
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert list(client.responses.create(model="acme/big", input="Hi", stream=True))[-1].type == "response.incomplete"


@BOTH
def test_a_stream_that_fails_says_so(client: OpenAI, providers: Providers, vendor: Vendor, model: str) -> None:
    vendor.break_after = 2
    events = list(client.responses.create(model=model, input="Say hi", stream=True))
    assert events[-1].type == "response.failed"
    assert "out of memory" in events[-1].response.error.message


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content"),
    ],
)
def test_what_is_not_supported_is_refused(
    client: OpenAI, providers: Providers, vendor: Vendor, wrong: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**{"model": "acme/big", "input": "Say hi", **wrong})
    assert caught.value.param == param
    assert vendor.requests == []


def test_the_async_client_and_a_local_model(gateway_url: str, upstream: Upstream, small_model: str) -> None:
    async def ask() -> str:
        async with AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key="ann", max_retries=0) as client:
            answer = await client.responses.create(model=small_model, input="Say hi")
            events = [event async for event in await client.responses.create(model=small_model, input="x", stream=True)]
            return f"{answer.output_text} {events[-1].response.output_text}"

    assert asyncio.run(ask()) == "Hello there. Hello there."


@pytest.mark.parametrize("stream", [False, True])
def test_text_completions_of_a_provider(client: OpenAI, providers: Providers, vendor: Vendor, stream: bool) -> None:
    made: Any = client.completions.create(model="acme/big", prompt="Once", max_tokens=5, stream=stream)
    text = "".join(chunk.choices[0].text for chunk in made if chunk.choices) if stream else made.choices[0].text
    assert (text, vendor.bodies[0]["prompt"], vendor.requests[0][0]) == ("Hello there.", "Once", "/v1/completions")
    with pytest.raises(openai.BadRequestError, match="chats only"):
        client.completions.create(model="anth/big", prompt="Once", stream=stream)


def test_embeddings_of_a_provider(
    client: OpenAI, platform: Platform, providers: Providers, vendor: Vendor, small_model: str
) -> None:
    Models(platform).connect("vectors", "acme", "big")
    Guards(platform).create("house", [Rule(detector="pii", on="input", action="mask")])
    release = Releases(platform).create("vectors", model="model/vectors", guard="guard/house", parameters={"seed": 1})
    made = client.embeddings.create(
        model=release.ref, input=["a cat", "bob@example.org"], dimensions=4, encoding_format="float"
    )
    assert [row.embedding for row in made.data] == [[0.5] * 4] * 2
    assert vendor.bodies[-1] == {
        "model": "big", "input": ["a cat", "[EMAIL]"], "dimensions": 4, "encoding_format": "float"
    }  # fmt: skip
    span = last_span(platform)
    assert (span.kind, span.input_tokens, span.release, span.status) == ("embeddings", 9, release.ref, "ok")
    for model in ("anth/big", small_model):
        with pytest.raises(openai.BadRequestError, match="makes no embeddings"):
            client.embeddings.create(model=model, input="a cat")
