"""Providers that answer oddly: what they leave out, claim or say beside the answer costs nobody else."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.serving.conftest import last_span
from tests.serving.vendor import Vendor

from mainspring.kernel.platform import Platform
from mainspring.registry import Models, Providers, Releases
from mainspring.safety import Rule
from mainspring.safety.service import Guards
from mainspring.serving.metering import Meter, Usages
from mainspring.serving.metering.models import Need, Payer
from mainspring.serving.metering.reckoning import amounts
from mainspring.traces import Prices, Tokens
from mainspring.workspace import first_start

HI: Any = [{"role": "user", "content": "Say hi " * 50}]
ADDRESS = "eve@example.org"


class Says:
    """Answers what a test put into it."""

    def __init__(self, server: Any) -> None:
        self.whole: dict[str, Any] = {}
        self.events: list[Any] = []
        self.bodies: list[dict[str, Any]] = []
        server.app = self.app

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as an ASGI application."""
        raw = b""
        while (message := await receive()).get("more_body"):
            raw += message["body"]
        self.bodies.append(json.loads(raw + message["body"]))
        streams = bool(self.bodies[-1].get("stream"))
        kind = b"text/event-stream" if streams else b"application/json"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        told = "".join(f"data: {json.dumps(event)}\n\n" for event in self.events) if streams else json.dumps(self.whole)
        await send({"type": "http.response.body", "body": told.encode()})


@pytest.fixture
def says(providers: Providers, vendor_server: Any) -> Says:
    return Says(vendor_server)


def test_an_answer_without_usage_is_not_free(client: OpenAI, platform: Platform, says: Says) -> None:
    message = {"role": "assistant", "content": "word " * 300}
    says.whole = {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
    client.chat.completions.create(model="acme/big", messages=HI)
    span = last_span(platform)
    assert (span.input_tokens or 0) >= 100
    assert span.output_tokens == 500
    assert span.attributes["mainspring.usage.estimated"] is True


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_is_told(client: OpenAI, platform: Platform, says: Says, stream: bool) -> None:
    refused = {"content": None, "refusal": "I cannot help."}
    says.whole = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **refused}}]}
    says.events = [
        *({"choices": [{"index": 0, "delta": {"refusal": part}}]} for part in ("I cannot", " help.")),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    made: Any = client.chat.completions.create(model="acme/big", messages=HI, stream=stream)
    pieces = [chunk.choices[0].delta.content or "" for chunk in made] if stream else [made.choices[0].message.content]
    assert "".join(pieces) == "I cannot help."
    assert last_span(platform).output[0]["parts"] == [{"type": "text", "content": "I cannot help."}]
    part = {"type": "refusal", "refusal": "I cannot help."}
    before: Any = [{"role": "assistant", "content": said} for said in (None, [part])]
    client.chat.completions.create(model="acme/big", messages=[{**before[0], "refusal": part["refusal"]}, before[1]])
    assert [message["content"] for message in says.bodies[-1]["messages"]] == ["I cannot help."] * 2


def test_vectors_without_usage_are_not_free(client: OpenAI, platform: Platform, says: Says) -> None:
    says.whole = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]}
    client.embeddings.create(model="acme/big", input="word " * 300, encoding_format="float")
    span = last_span(platform)
    assert (span.input_tokens or 0) >= 500
    assert not span.output_tokens


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": [{"index": 0, "delta": {"content": ["x"]}}]},
        {"choices": {"a": 1}},
        {"choices": ["x"]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": "z"}]}}]},
    ],
)
def test_an_odd_event_ends_a_stream_with_an_error(client: OpenAI, says: Says, odd: dict[str, Any]) -> None:
    says.events = [{"choices": [{"index": 0, "delta": {"content": "hi"}}]}, odd]
    with pytest.raises(openai.APIError, match="The server failed"):
        list(client.chat.completions.create(model="acme/big", messages=HI, stream=True))


@pytest.mark.parametrize("name", ["acme/big\r\nx-evil: 1", "acme/größer", "acme/\u6a21", "acme/\x00"])
@pytest.mark.parametrize("stream", [False, True])
def test_any_name_of_a_model_can_be_told_in_a_header(
    client: OpenAI, vendor: Vendor, providers: Providers, name: str, stream: bool
) -> None:
    made = client.chat.completions.with_raw_response.create(model=name, messages=HI, stream=stream)
    assert made.status_code == 200
    assert "x-evil" not in made.headers
    assert made.headers["x-mainspring-model"].isascii()


def guarded(platform: Platform, *rules: dict[str, Any]) -> str:
    Models(platform).connect("big", "acme", "big")
    Guards(platform).create("house", [Rule(**rule) for rule in rules])
    return Releases(platform).create("guarded", model="model/big", guard="guard/house").ref


def test_a_guard_lets_no_call_of_another_kind_through(client: OpenAI, platform: Platform, says: Says) -> None:
    release = guarded(platform, {"detector": "pii", "on": "output", "action": "mask"})
    calls = [
        {"id": "c1", "type": "custom", "custom": {"name": "write", "input": f"To {ADDRESS}"}},
        {
            "id": "c2",
            "type": "function",
            "function": {"name": "f", "arguments": "{}", "thought": ADDRESS},
            "extra_content": {"note": ADDRESS},
        },
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    says.whole = {"choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}]}
    made = client.chat.completions.with_raw_response.create(model=release, messages=HI)
    assert ADDRESS not in made.text
    assert ADDRESS not in str(last_span(platform))


def test_a_guard_reads_what_a_provider_gets_beside_the_messages(client: OpenAI, platform: Platform, says: Says) -> None:
    release = guarded(platform, {"detector": "pii", "on": "input", "action": "mask"})
    message = {"role": "assistant", "content": "Hi"}
    says.whole = {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
    choice: Any = {"type": "function", "function": {"name": ADDRESS}}
    more = dict.fromkeys(("prompt_cache_key", "service_tier", "verbosity", "reasoning_effort"), ADDRESS)
    client.chat.completions.create(
        model=release, messages=HI, stop=[ADDRESS, "END"], tool_choice=choice, extra_body=more
    )
    assert ADDRESS not in json.dumps(says.bodies)
    assert says.bodies[-1]["stop"] == ["[EMAIL]", "END"]


def test_no_claim_of_a_provider_keeps_usage_from_being_written(platform: Platform) -> None:
    first_start(platform)
    price = Prices(platform).set("acme/big", input_per_million=1e9, output_per_million=1e9)
    meter = Meter(platform, flush_seconds=0)
    try:
        payer = Payer("default", "production", "k", "ann", "", "acme/big", "acme")
        for number in range(20):
            claimed = Tokens(input_tokens=(1 << 40) - 1, output_tokens=(1 << 40) - 1)
            meter.settle(meter.reserve(str(number), payer, Need(requests=1)), amounts(claimed, price, "acme"))
        meter.flush()
    finally:
        meter.close()
    [row] = Usages(platform).report(by="")
    assert row.requests == 20
