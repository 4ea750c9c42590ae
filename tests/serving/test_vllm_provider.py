"""A provider that answers as vLLM does: no key, usage and fields that are null, reasons to stop that are numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from tests.serving.conftest import Served, last_span

from mainspring.kernel import settings
from mainspring.kernel.platform import Platform
from mainspring.registry import Providers

HI: Any = [{"role": "user", "content": "Say hi"}]
USAGE = {"prompt_tokens": 9, "total_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": None}
OVER = (
    "This model's maximum context length is 16 tokens. However, you requested 99 tokens in the messages. Please reduce "
    "the length of the messages."
)


async def vllm(scope: Any, receive: Any, send: Any) -> None:
    """Answer as vLLM's server does, in the shapes of its protocol."""
    request = Request(scope, receive)
    if scope["path"] == "/v1/models":
        card = {"id": "qwen", "object": "model", "owned_by": "vllm", "root": "/models/qwen", "max_model_len": 16}
        await JSONResponse({"object": "list", "data": [card]})(scope, receive, send)
        return
    body = await request.json()
    if body["messages"][-1]["content"] == "long":
        error = {"object": "error", "message": OVER, "type": "BadRequestError", "param": None, "code": 400}
        await JSONResponse(error, 400)(scope, receive, send)
    elif body.get("stream"):
        await StreamingResponse(events(), media_type="text/event-stream")(scope, receive, send)
    else:
        message = {"role": "assistant", "content": "Hi.", "refusal": None, "tool_calls": [], "reasoning_content": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop", "stop_reason": 151643}
        whole = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "qwen", "choices": [choice]}
        more = {"usage": USAGE, "prompt_logprobs": None, "kv_transfer_params": None, "service_tier": None}
        await JSONResponse({**whole, **more})(scope, receive, send)


def events() -> Iterator[str]:
    """Yield the events of a stream."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "qwen"}
    yield chunk({**head, "choices": [choice({"role": "assistant", "content": ""})], "prompt_token_ids": None})
    for word in ("Hi", "."):
        yield chunk({**head, "choices": [choice({"content": word, "reasoning_content": None})], "usage": None})
    yield chunk({**head, "choices": [{**choice({"content": ""}), "finish_reason": "stop", "stop_reason": 151643}]})
    yield chunk({**head, "choices": [], "usage": USAGE})
    yield "data: [DONE]\n\n"


def choice(delta: dict[str, Any]) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None, "token_ids": None}


def chunk(event: dict[str, Any]) -> str:
    return f"data: {json.dumps(event)}\n\n"


@pytest.fixture
def model(platform: Platform, vendor_server: Served) -> str:
    """The model as a key may name it."""
    vendor_server.app = vllm
    flags = {"home": str(platform.home), "targets.allow_private": True}
    platform.settings = settings.load(flags, environ={}, folder=platform.home)
    made = Providers(platform)
    made.create("vllm", f"{vendor_server.url}/v1", kind="openai")
    assert made.check("vllm").models == ["qwen"]
    return "vllm/qwen"


def test_whole_streamed_and_by_its_usage(model: str, client: OpenAI, platform: Platform) -> None:
    answer = client.chat.completions.create(model=model, messages=HI)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Hi.", "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (9, 3)
    assert last_span(platform).cached_tokens == 0
    pieces = list(
        client.chat.completions.create(model=model, messages=HI, stream=True, stream_options={"include_usage": True})
    )
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == "Hi."
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens == 3


def test_its_errors_are_told_in_its_words(model: str, client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="maximum context length is 16 tokens"):
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "long"}])
