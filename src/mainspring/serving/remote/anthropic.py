"""Anthropic's Messages towards a provider: requests in, answers and events back in what serving speaks inside.

Shapes follow the Messages API, version 2023-06-01.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from mainspring.kernel.errors import Invalid, Unavailable
from mainspring.kernel.ports import JSON
from mainspring.registry import Remote
from mainspring.serving.models import Message, Operation
from mainspring.traces import anthropic_tokens

MAX_TOKENS = 4096
"""The dialect demands a limit; this one where the client states none."""
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_EFFORT = {"none": "low", "minimal": "low"}
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
Block = dict[str, Any]


def request(remote: Remote, operation: Operation, body: Mapping[str, JSON]) -> tuple[str, dict[str, JSON]]:
    """Return the path and the body of a request. Raises Invalid for what the dialect cannot say."""
    if operation != "chat":
        raise Invalid(f"{remote.provider} answers chats only.", hint="Use /v1/chat/completions or /v1/messages.")
    for name in ("frequency_penalty", "presence_penalty"):
        if body.get(name):
            raise Invalid(f"{remote.provider} knows no '{name}'.", hint="Leave it out.", param=name)
    system, messages = _conversation(body["messages"])
    made: dict[str, JSON] = {"model": remote.model, "max_tokens": body.get("max_tokens", MAX_TOKENS)}
    made["messages"] = messages
    if system:
        made["system"] = system if any("cache_control" in block for block in system) else _joined(system)
    made |= {name: body[name] for name in ("temperature", "top_p", "top_k", "stream") if name in body}
    if stop := body.get("stop"):
        made["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    made |= _tools(body)
    config = _output(remote, body)
    return "/messages", {**made, "output_config": config} if config else made


def whole(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole answer as serving speaks it. Raises Unavailable for another shape."""
    blocks = reply.get("content")
    if not isinstance(blocks, list):
        raise Unavailable("The provider answered in another dialect than Anthropic's.", hint="Is its kind right?")
    text = "".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")
    message: Block = {"role": "assistant", "content": text}
    calls = [_called(block) for block in blocks if block.get("type") == "tool_use"]
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, **_ended(reply)}
    return {"choices": [choice], "usage": anthropic_tokens(reply.get("usage") or {})}


async def events(heard: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the events of an answer as serving speaks them. Raises Unavailable where it ends before its end."""
    used: dict[str, Any] = {}
    places: dict[int, int] = {}
    async for event in heard:
        kind = event.get("type")
        if kind == "message_start":
            used |= _given(event["message"].get("usage"))
        elif kind == "content_block_start":
            block = event["content_block"]
            if block.get("type") == "tool_use":
                at = places[event["index"]] = len(places)
                given = json.dumps(block["input"]) if block.get("input") else ""
                call = {"index": at, "id": block.get("id", ""), "type": "function"}
                yield _delta(tool_calls=[{**call, "function": {"name": block.get("name", ""), "arguments": given}}])
            elif block.get("text"):
                yield _delta(content=block["text"])
        elif kind == "content_block_delta":
            part = event["delta"]
            if part.get("type") == "text_delta":
                yield _delta(content=part["text"])
            elif part.get("type") == "input_json_delta" and part.get("partial_json"):
                at = places.get(event["index"], 0)
                yield _delta(tool_calls=[{"index": at, "function": {"arguments": part["partial_json"]}}])
        elif kind == "message_delta":
            used |= _given(event.get("usage"))
            yield {"choices": [{"index": 0, "delta": {}, **_ended(event["delta"])}], "usage": anthropic_tokens(used)}
        elif kind == "message_stop":
            return
    raise Unavailable("The provider ended in the middle of an answer.", hint="Ask again.")


def _given(found: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (found or {}).items() if value is not None}


def _ended(found: Mapping[str, Any]) -> dict[str, Any]:
    reason = _REASONS.get(str(found.get("stop_reason")), "stop")
    return {"finish_reason": reason, "stop_reason": found.get("stop_sequence")}


def _delta(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def _called(block: Mapping[str, Any]) -> Block:
    arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
    return {
        "id": str(block.get("id", "")),
        "type": "function",
        "function": {"name": str(block.get("name", "")), "arguments": arguments},
    }


def _conversation(messages: Sequence[Message]) -> tuple[list[Block], list[Block]]:
    """Return the system's blocks, and the messages; the results of one turn's tools stand in one message."""
    system: list[Block] = []
    told: list[Block] = []
    for message in messages:
        role = message["role"]
        if role == "system":
            system += _blocks(message.get("content"))
        elif role == "tool":
            content = message.get("content")
            result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id", "")}
            result["content"] = content if isinstance(content, str) else _blocks(content)
            if message.get("is_error"):
                result["is_error"] = True
            if told and told[-1]["role"] == "user" and isinstance(told[-1]["content"], list):
                told[-1]["content"].append(result)
            else:
                told.append({"role": "user", "content": [result]})
        elif role == "assistant" and message.get("tool_calls"):
            told.append(
                {"role": role, "content": [*_blocks(message.get("content")), *map(_use, message["tool_calls"])]}
            )
        else:
            content = message.get("content")
            told.append({"role": role, "content": content if isinstance(content, str) else _blocks(content)})
    return system, told


def _blocks(content: Any) -> list[Block]:
    if isinstance(content, str) or content is None:
        return [{"type": "text", "text": content}] if content else []
    return [_image(part) if part["type"] == "image_url" else dict(part) for part in content]


def _image(part: Mapping[str, Any]) -> Block:
    url = str(part["image_url"]["url"])
    source = {"type": "url", "url": url}
    if url.startswith("data:"):
        kind, _, data = url.removeprefix("data:").partition(";base64,")
        source = {"type": "base64", "media_type": kind, "data": data}
    kept = {"cache_control": part["cache_control"]} if "cache_control" in part else {}
    return {"type": "image", "source": source, **kept}


def _use(call: Mapping[str, Any]) -> Block:
    function = call["function"]
    try:
        given = json.loads(function.get("arguments") or "{}")
    except ValueError:
        raise Invalid("The arguments of a tool call in the messages are no JSON.", param="messages") from None
    return {"type": "tool_use", "id": call.get("id", ""), "name": function.get("name", ""), "input": given}


def _joined(blocks: Sequence[Block]) -> str:
    return "\n\n".join(str(block.get("text", "")) for block in blocks)


def _tools(body: Mapping[str, JSON]) -> dict[str, JSON]:
    made: dict[str, JSON] = {}
    if body.get("tools"):
        made["tools"] = [_tool(tool) for tool in body["tools"]]
        choice = body.get("tool_choice", "auto")
        if isinstance(choice, Mapping):
            made["tool_choice"] = {"type": "tool", "name": (choice.get("function") or {}).get("name", "")}
        else:
            made["tool_choice"] = {"type": _CHOICES.get(str(choice), "auto")}
        if body.get("parallel_tool_calls") is False and made["tool_choice"]["type"] != "none":
            made["tool_choice"]["disable_parallel_tool_use"] = True
    return made


def _tool(tool: Mapping[str, Any]) -> Block:
    function = tool.get("function") or {}
    made: Block = {"name": function.get("name", ""), "input_schema": function.get("parameters") or {"type": "object"}}
    if function.get("description"):
        made["description"] = function["description"]
    if function.get("strict") is not None:
        made["strict"] = function["strict"]
    return {**made, "cache_control": tool["cache_control"]} if "cache_control" in tool else made


def _output(remote: Remote, body: Mapping[str, JSON]) -> dict[str, JSON]:
    made: dict[str, JSON] = {}
    wanted = body.get("response_format") or {"type": "text"}
    if wanted["type"] == "json_schema":
        made["format"] = {"type": "json_schema", "schema": (wanted.get("json_schema") or {}).get("schema") or {}}
    elif wanted["type"] != "text":
        hint = "Give a json_schema."
        raise Invalid(f"{remote.provider} answers JSON by a schema only.", hint=hint, param="response_format")
    if effort := body.get("reasoning_effort"):
        made["effort"] = _EFFORT.get(str(effort), effort)
    return made
