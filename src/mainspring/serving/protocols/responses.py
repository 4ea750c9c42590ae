"""OpenAI's Responses: `POST /v1/responses`. Nothing is kept here, so the client sends the whole conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.kernel.ports import JSON
from mainspring.serving.decoding import Calls
from mainspring.serving.models import Answer, Message, Piece, Usage
from mainspring.serving.protocols import openai
from mainspring.serving.protocols.base import (
    Ask,
    Head,
    Notes,
    Parts,
    Problem,
    Share,
    Short,
    Telling,
    Text,
    Tokens,
    Tools,
    decode,
    given,
    is_image,
    plain,
    sse,
)

_UNSUPPORTED = ("background", "conversation", "prompt", "top_logprobs", "max_tool_calls", "context_management")
_TEXTS = ("input_text", "output_text", "text")
_ROLES = ("system", "developer", "user", "assistant")
_PLAIN = ("temperature", "top_p", "parallel_tool_calls", "service_tier", "prompt_cache_key")
_CODES = {"rate_limit_exceeded": "rate_limit_exceeded", "context_length_exceeded": "invalid_prompt"}
Item = Mapping[str, Any]


class ResponsesBody(Struct, kw_only=True):
    """The body of a request."""

    model: Short
    input: Text | Annotated[Parts, Meta(min_length=1)]
    instructions: Text | None = None
    max_output_tokens: Tokens | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Share | None = None
    stream: bool = False
    tools: Tools | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None
    previous_response_id: str | None = None
    truncation: str | None = None
    service_tier: Short | None = None
    prompt_cache_key: Short | None = None
    user: Short | None = None
    safety_identifier: Short | None = None
    metadata: Notes | None = None


class Responses:
    """`POST /v1/responses`."""

    passes = False

    def decode(self, raw: bytes) -> Ask:
        """Return what a body asks. Raises Invalid."""
        body = decode(raw, ResponsesBody, _UNSUPPORTED)
        if body.previous_response_id:
            raise Invalid(
                "Responses are not kept here, so there is none to go on from.",
                hint="Send the whole conversation as 'input', and leave 'previous_response_id' out.",
                param="previous_response_id",
            )
        if body.truncation not in (None, "disabled"):
            raise Invalid("Nothing is cut from the input.", hint="Set truncation to disabled.", param="truncation")
        messages: list[Message] = [{"role": "system", "content": body.instructions}] if body.instructions else []
        messages += [{"role": "user", "content": body.input}] if isinstance(body.input, str) else _messages(body.input)
        return Ask(
            model=body.model,
            messages=messages,
            options=_options(body),
            stream=body.stream,
            user=body.user or body.safety_identifier or "",
            metadata=body.metadata or {},
            echo=_echo(body),
        )

    def whole(self, ask: Ask, head: Head, answer: Answer) -> dict[str, Any]:
        """Return the body of a whole answer."""
        output = [_message(head, answer.text)] if answer.text or not answer.tool_calls else []
        output += [_call(head, index, call) for index, call in enumerate(answer.tool_calls)]
        return _ended(ask, head, output, answer.finish_reason, answer.usage)

    def telling(self, ask: Ask, head: Head) -> Telling:
        """Return what tells a stream."""
        return _Telling(ask, head)

    def error(self, failure: MainspringError) -> Problem:
        """Return an error."""
        return openai.error(failure)


class _Telling:
    """A stream of typed events, each with its number: the message's, then those of each tool call."""

    def __init__(self, ask: Ask, head: Head) -> None:
        self._ask, self._head = ask, head
        self._number = -1
        self._text: list[str] = []
        self._places: dict[int, int] = {}
        """By index of a tool call, the place of its item in the output."""
        self._calls = Calls()
        self._items = 0
        self._speaking = False
        self._output: list[dict[str, Any]] = []

    def opened(self) -> bytes:
        begun = _response(self._ask, self._head, "in_progress", [])
        return self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)

    def told(self, piece: Piece) -> bytes:
        made = b""
        if piece.text:
            made += self._begun() if not self._text else b""
            self._text.append(piece.text)
            made += self._part_event("response.output_text.delta", delta=piece.text, logprobs=[])
        for call in piece.tool_calls:
            made += self._called(call)
        return made

    def ended(self, piece: Piece) -> bytes:
        made = b"" if self._text or self._places else self._begun()
        made += self._said()
        for index, (place, call) in enumerate(zip(self._places.values(), self._calls.whole(), strict=True)):
            item = _call(self._head, index, call)
            known = {"item_id": item["id"], "output_index": place}
            told = {"arguments": item["arguments"], "name": item["name"]}
            made += self._event("response.function_call_arguments.done", **known, **told)
            made += self._event("response.output_item.done", output_index=place, item=item)
            self._output.append(item)
        whole = _ended(self._ask, self._head, self._output, piece.finish_reason, piece.usage or Usage())
        return made + self._event(f"response.{whole['status']}", response=whole)

    def failed(self, failure: MainspringError) -> bytes:
        code = openai.error(failure)[1]["error"]["code"]
        message = f"{failure.message} {failure.hint}".strip()
        said = {"code": _CODES.get(str(code), "server_error"), "message": message}
        broken = {**_response(self._ask, self._head, "failed", self._output), "error": said}
        return self._event("response.failed", response=broken)

    def _begun(self) -> bytes:
        """Return what begins the message."""
        self._speaking, self._place, self._items = True, self._items, self._items + 1
        item = {**_message(self._head, ""), "status": "in_progress", "content": []}
        added = self._event("response.output_item.added", output_index=self._place, item=item)
        return added + self._part_event("response.content_part.added", part=_said(""))

    def _said(self) -> bytes:
        """Return what ends the message, where there is one that goes on."""
        if not self._speaking:
            return b""
        self._speaking = False
        text = "".join(self._text)
        item = _message(self._head, text)
        self._output.insert(self._place, item)
        made = self._part_event("response.output_text.done", text=text, logprobs=[])
        made += self._part_event("response.content_part.done", part=_said(text))
        return made + self._event("response.output_item.done", output_index=self._place, item=item)

    def _called(self, call: Mapping[str, Any]) -> bytes:
        index, made = int(call.get("index", 0)), b""
        self._calls.add(call)
        if index not in self._places:
            self._places[index], self._items = self._items, self._items + 1
            whole = self._calls.whole()[-1]
            begun = {**_call(self._head, index, whole), "arguments": "", "status": "in_progress"}
            made = self._event("response.output_item.added", output_index=self._places[index], item=begun)
        text = (call.get("function") or {}).get("arguments")
        if not text:
            return made
        known = {"item_id": f"fc_{self._head.trace_id}_{index}", "output_index": self._places[index]}
        return made + self._event("response.function_call_arguments.delta", **known, delta=text)

    def _part_event(self, kind: str, **parts: Any) -> bytes:
        known = {"item_id": f"msg_{self._head.trace_id}", "output_index": self._place, "content_index": 0}
        return self._event(kind, **known, **parts)

    def _event(self, kind: str, **parts: Any) -> bytes:
        self._number += 1
        return sse({"type": kind, "sequence_number": self._number, **parts}, kind)


def tokens(usage: Usage) -> dict[str, Any]:
    """Return the usage; input includes what was cached."""
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": written},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _response(ask: Ask, head: Head, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"resp_{head.trace_id}",
        "object": "response",
        "created_at": head.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": head.model,
        "output": output,
        "previous_response_id": None,
        "store": False,
        "truncation": "disabled",
        "usage": None,
        **ask.echo,
    }


def _ended(ask: Ask, head: Head, output: list[dict[str, Any]], reason: str, usage: Usage) -> dict[str, Any]:
    why = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reason)
    whole = _response(ask, head, "incomplete" if why else "completed", output)
    return {**whole, "incomplete_details": {"reason": why} if why else None, "usage": tokens(usage)}


def _message(head: Head, text: str) -> dict[str, Any]:
    known = {"id": f"msg_{head.trace_id}", "type": "message", "role": "assistant", "status": "completed"}
    return {**known, "content": [_said(text)]}


def _said(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _call(head: Head, index: int, call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {
        "id": f"fc_{head.trace_id}_{index}",
        "type": "function_call",
        "status": "completed",
        "call_id": call["id"],
        "name": function["name"],
        "arguments": function["arguments"],
    }


def _echo(body: ResponsesBody) -> dict[str, JSON]:
    names = ("instructions", "max_output_tokens", "temperature", "top_p", "service_tier", "user")
    return {
        **{name: getattr(body, name) for name in names},
        "metadata": body.metadata or {},
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "reasoning": {"effort": (body.reasoning or {}).get("effort"), "summary": None},
        "text": body.text or {"format": {"type": "text"}},
        "tool_choice": body.tool_choice or "auto",
        "tools": body.tools or [],
    }


def _options(body: ResponsesBody) -> dict[str, JSON]:
    made = given(body, _PLAIN)
    if body.max_output_tokens:
        made["max_tokens"] = body.max_output_tokens
    if body.tools:
        made["tools"] = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(body.tools)]
    if isinstance(body.tool_choice, dict):
        if body.tool_choice.get("type") != "function":
            raise Invalid("tool_choice names no function.", hint="Name a function.", param="tool_choice")
        made["tool_choice"] = {"type": "function", "function": {"name": str(body.tool_choice.get("name", ""))}}
    elif body.tool_choice:
        made["tool_choice"] = body.tool_choice
    text = body.text or {}
    wanted = text.get("format") or {"type": "text"}
    if wanted.get("type") == "json_schema":
        schema = {name: wanted[name] for name in ("name", "description", "schema", "strict") if name in wanted}
        made["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif wanted.get("type") != "text":
        made["response_format"] = {"type": str(wanted.get("type"))}
    if text.get("verbosity"):
        made["verbosity"] = str(text["verbosity"])
    if effort := (body.reasoning or {}).get("effort"):
        made["reasoning_effort"] = str(effort)
    return made


def _tool(tool: Item, where: str) -> dict[str, Any]:
    if tool.get("type") != "function":
        hint = "Send tools of type function."
        raise Invalid(f"{where} is a tool of the vendor's own.", hint=hint, param=where)
    names = ("name", "description", "parameters", "strict")
    return {"type": "function", "function": {name: tool[name] for name in names if tool.get(name) is not None}}


def _messages(items: Sequence[Item]) -> list[Message]:
    made: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        where, kind = f"input[{index}]", item.get("type", "message")
        if kind == "message":
            role = item.get("role")
            if role not in _ROLES:
                raise Invalid(f"{where}.role is {role!r}.", hint=f"One of {', '.join(_ROLES)}.", param=f"{where}.role")
            content = _content(item.get("content"), f"{where}.content")
            made.append({"role": "system" if role == "developer" else role, "content": content})
        elif kind == "function_call":
            function = {"name": str(item.get("name", "")), "arguments": str(item.get("arguments", ""))}
            call = {"id": str(item.get("call_id", "")), "type": "function", "function": function}
            if not made or made[-1]["role"] != "assistant":
                made.append({"role": "assistant", "content": ""})
            made[-1].setdefault("tool_calls", []).append(call)
        elif kind == "function_call_output":
            content = _content(item.get("output"), f"{where}.output")
            made.append({"role": "tool", "tool_call_id": str(item.get("call_id", "")), "content": content})
        elif kind != "reasoning":
            hint = "Send messages, function calls and their outputs."
            raise Invalid(f"{where} is of the type {kind!r}, which is not supported.", hint=hint, param=where)
    return list(made)


def _content(content: Any, where: str) -> str | list[dict[str, JSON]]:
    if isinstance(content, str):
        return content
    return plain([_part(part, where) for part in (content if isinstance(content, list) else [None])])


def _part(part: Any, where: str) -> dict[str, JSON]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind in _TEXTS and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if kind == "refusal":
        return {"type": "text", "text": str(part.get("refusal", ""))}
    if kind == "input_image" and is_image(part.get("image_url")):
        detail = {"detail": part["detail"]} if part.get("detail") in ("auto", "low", "high") else {}
        return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
    hint = "Send parts of type input_text or input_image."
    raise Invalid(f"{where} is neither text nor an image.", hint=hint, param=where)
