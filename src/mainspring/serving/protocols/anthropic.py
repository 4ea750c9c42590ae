"""The Anthropic protocol: `POST /v1/messages`, version 2023-06-01.

Its usage leaves out of `input_tokens` what was read from and written to a cache.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from mainspring.kernel.errors import Invalid, LimitReached, MainspringError
from mainspring.kernel.ports import JSON
from mainspring.serving.models import Answer, Message, Piece, Usage
from mainspring.serving.parts import cache_mark
from mainspring.serving.protocols.base import (
    Ask,
    Head,
    Parts,
    Problem,
    Share,
    Short,
    Telling,
    Text,
    Tokens,
    Tools,
    arguments,
    decode,
    given,
    is_image,
    plain,
    sse,
)

_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_UNSUPPORTED = ("container", "mcp_servers", "context_management", "fallbacks")
_THOUGHTS = ("thinking", "redacted_thinking")
Block = Mapping[str, Any]


class MessagesBody(Struct, kw_only=True):
    """The body of a request."""

    model: Short
    messages: Annotated[Parts, Meta(min_length=1)]
    max_tokens: Tokens | None = None
    system: Text | Parts = ""
    stop_sequences: Annotated[list[Short], Meta(max_length=16)] | None = None
    stream: bool = False
    temperature: Share | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=0, le=1000)] | None = None
    tools: Tools | None = None
    tool_choice: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None


class Messages:
    """`POST /v1/messages`."""

    passes = False

    def __init__(self, *, counts: bool = False) -> None:
        """With `counts` it is `POST /v1/messages/count_tokens`, which needs no limit."""
        self._counts = counts

    def decode(self, raw: bytes) -> Ask:
        """Return what a body asks. Raises Invalid."""
        body = decode(raw, MessagesBody, _UNSUPPORTED)
        if body.max_tokens is None and not self._counts:
            raise Invalid("max_tokens: Field required.", param="max_tokens")
        if (body.thinking or {}).get("type") == "enabled":
            hint = 'Leave it out, or send {"type": "adaptive"}; output_config.effort goes through.'
            raise Invalid("'thinking' with a budget is not supported.", hint=hint, param="thinking")
        messages = [*_system(body.system), *_messages(body.messages)]
        user = str((body.metadata or {}).get("user_id") or "")[:256]
        return Ask(model=body.model, messages=messages, options=_options(body), stream=body.stream, user=user)

    def whole(self, ask: Ask, head: Head, answer: Answer) -> dict[str, Any]:
        """Return the body of a whole answer."""
        content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
        for call in answer.tool_calls:
            name = call["function"]["name"]
            content.append({"type": "tool_use", "id": call["id"], "name": name, "input": arguments(call)})
        end = _end(answer.finish_reason, answer.stop_sequence)
        return {**_head(head), "content": content, **end, "usage": tokens(answer.usage)}

    def telling(self, ask: Ask, head: Head) -> Telling:
        """Return what tells a stream."""
        return _Telling(head)

    def error(self, failure: MainspringError) -> Problem:
        """Return an error."""
        return error(failure)


class _Telling:
    """A stream of blocks: the text's, then one for each tool call."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._open = ""
        """What the open block is: `text`, the index of a tool call, or empty for none."""
        self._blocks = 0

    def opened(self) -> bytes:
        begun = {**_head(self._head), "content": [], "stop_reason": None, "stop_sequence": None}
        # Clients keep what only the beginning tells, though the end knows better: better nothing than 0.
        usage = {**tokens(Usage()), "cache_creation": None}
        return _event("message_start", message={**begun, "usage": usage}) + _event("ping")

    def told(self, piece: Piece) -> bytes:
        made = b""
        if piece.text:
            made += self._block("text", {"type": "text", "text": ""})
            made += self._delta(type="text_delta", text=piece.text)
        for call in piece.tool_calls:
            function = call.get("function") or {}
            block = {"type": "tool_use", "id": call.get("id", ""), "name": function.get("name", ""), "input": {}}
            made += self._block(str(call.get("index", 0)), block)
            if function.get("arguments"):
                made += self._delta(type="input_json_delta", partial_json=function["arguments"])
        return made

    def ended(self, piece: Piece) -> bytes:
        end = _end(piece.finish_reason, piece.stop_sequence)
        last = _event("message_delta", delta=end, usage=tokens(piece.usage or Usage()))
        return self._closed() + last + _event("message_stop")

    def failed(self, failure: MainspringError) -> bytes:
        return sse(error(failure)[1], "error")

    def _block(self, name: str, block: dict[str, Any]) -> bytes:
        """Return what begins a block, where it is not the open one already."""
        if self._open == name:
            return b""
        closed = self._closed()
        self._open, self._blocks = name, self._blocks + 1
        return closed + _event("content_block_start", index=self._blocks - 1, content_block=block)

    def _delta(self, **delta: Any) -> bytes:
        return _event("content_block_delta", index=self._blocks - 1, delta=delta)

    def _closed(self) -> bytes:
        opened, self._open = self._open, ""
        return _event("content_block_stop", index=self._blocks - 1) if opened else b""


def tokens(usage: Usage) -> dict[str, Any]:
    """Return the usage as Anthropic tells it: input that came from the cache, or went into it, stands apart."""
    hour, short, read = usage.cache_write_1h_tokens, usage.cache_write_tokens, usage.cached_tokens
    made = {
        "input_tokens": max(usage.input_tokens - read - short - hour, 0),
        "cache_creation_input_tokens": short + hour,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": hour},
        "output_tokens": usage.output_tokens,
    }
    thought = {"output_tokens_details": {"thinking_tokens": usage.reasoning_tokens}}
    return {**made, **thought} if usage.reasoning_tokens else made


def error(failure: MainspringError) -> Problem:
    """Return status, body and headers of an error."""
    status = 400 if isinstance(failure, Invalid) and failure.status == 422 else failure.status
    headers = {}
    if isinstance(failure, LimitReached) or status == 503:
        headers["retry-after"] = str(failure.details.get("retry_after", 1))
    kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")
    message = f"{failure.message} {failure.hint}".strip()
    return status, {"type": "error", "error": {"type": kind, "message": message}}, headers


def _event(kind: str, **parts: Any) -> bytes:
    return sse({"type": kind, **parts}, kind)


def _head(head: Head) -> dict[str, Any]:
    return {"id": f"msg_{head.trace_id}", "type": "message", "role": "assistant", "model": head.model}


def _end(reason: str, stop_sequence: str) -> dict[str, Any]:
    if stop_sequence:
        return {"stop_reason": "stop_sequence", "stop_sequence": stop_sequence}
    return {"stop_reason": _REASONS.get(reason, "end_turn"), "stop_sequence": None}


def _options(body: MessagesBody) -> dict[str, JSON]:
    made = given(body, ("max_tokens", "temperature", "top_p", "top_k"))
    if body.stop_sequences:
        made["stop"] = body.stop_sequences
    if body.tools:
        made["tools"] = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(body.tools)]
    if choice := body.tool_choice:
        kind = choice.get("type")
        if kind != "tool" and kind not in _CHOICES:
            hint = f"One of {', '.join(_CHOICES)} or tool."
            raise Invalid(f"tool_choice.type is {kind!r}.", hint=hint, param="tool_choice")
        named = {"type": "function", "function": {"name": str(choice.get("name", ""))}}
        made["tool_choice"] = named if kind == "tool" else _CHOICES[str(kind)]
        if choice.get("disable_parallel_tool_use"):
            made["parallel_tool_calls"] = False
    config = body.output_config or {}
    if wanted := config.get("format"):
        if wanted.get("type") != "json_schema" or not isinstance(wanted.get("schema"), dict):
            raise Invalid("output_config.format is no json_schema with a schema.", param="output_config")
        schema = {"name": "answer", "schema": wanted["schema"], "strict": True}
        made["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {**made, "reasoning_effort": str(config["effort"])[:16]} if config.get("effort") else made


def _tool(tool: Block, where: str) -> dict[str, Any]:
    if tool.get("type", "custom") != "custom" or not tool.get("name"):
        hint = "Send tools with a name and an input_schema."
        raise Invalid(f"{where} is a tool of the vendor's own.", hint=hint, param=where)
    function = {"name": str(tool["name"]), "parameters": tool.get("input_schema") or {"type": "object"}}
    if tool.get("description"):
        function["description"] = str(tool["description"])
    if tool.get("strict") is not None:
        function["strict"] = bool(tool["strict"])
    return {"type": "function", "function": function, **cache_mark(tool)}


def _system(system: str | Sequence[Block]) -> list[Message]:
    if not system:
        return []
    content = system if isinstance(system, str) else plain([_text(block, "system") for block in system])
    return [{"role": "system", "content": content}]


def _messages(messages: Sequence[Block]) -> Iterator[Message]:
    for index, message in enumerate(messages):
        where, role = f"messages[{index}]", message.get("role")
        content = message.get("content")
        if role not in ("user", "assistant"):
            raise Invalid(f"{where}.role is {role!r}.", hint="One of user, assistant.", param=f"{where}.role")
        if isinstance(content, str):
            yield {"role": role, "content": content}
        elif isinstance(content, list) and all(isinstance(block, dict) for block in content):
            yield from (_user if role == "user" else _assistant)(content, f"{where}.content")
        else:
            raise Invalid(f"{where}.content is neither text nor blocks.", param=f"{where}.content")


def _user(blocks: Sequence[Block], where: str) -> Iterator[Message]:
    for block in blocks:
        if block.get("type") == "tool_result":
            content = block.get("content") or ""
            told = content if isinstance(content, str) else plain([_part(part, where) for part in content])
            failed = {"is_error": True} if block.get("is_error") else {}
            yield {"role": "tool", "tool_call_id": str(block.get("tool_use_id", "")), "content": told, **failed}
    said = [_part(block, where) for block in blocks if block.get("type") != "tool_result"]
    if said:
        yield {"role": "user", "content": plain(said)}


def _assistant(blocks: Sequence[Block], where: str) -> Iterator[Message]:
    said, calls = [], []
    for block in blocks:
        if block.get("type") == "tool_use":
            text = json.dumps(block.get("input") or {}, ensure_ascii=False)
            function = {"name": str(block.get("name", "")), "arguments": text}
            calls.append({"id": str(block.get("id", "")), "type": "function", "function": function})
        elif block.get("type") not in _THOUGHTS:
            said.append(_text(block, where))
    content = plain(said)
    yield (
        {"role": "assistant", "content": content, "tool_calls": calls}
        if calls
        else {
            "role": "assistant",
            "content": content,
        }
    )


def _text(block: Any, where: str) -> dict[str, JSON]:
    if not isinstance(block, Mapping) or block.get("type") != "text" or not isinstance(block.get("text"), str):
        raise Invalid(f"{where} holds what is no text.", hint="Send blocks of type text.", param=where)
    return {"type": "text", "text": block["text"], **cache_mark(block)}


def _part(block: Any, where: str) -> dict[str, JSON]:
    if not isinstance(block, Mapping) or block.get("type") != "image":
        return _text(block, where)
    source = block.get("source") or {}
    url = source.get("url")
    if source.get("type") == "base64":
        url = f"data:{source.get('media_type')};base64,{source.get('data')}"
    if not is_image(url):
        raise Invalid(f"{where} holds an image without data.", hint="Send it in base64, or by its URL.", param=where)
    return {"type": "image_url", "image_url": {"url": url}, **cache_mark(block)}
