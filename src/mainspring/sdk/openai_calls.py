"""What calls of the OpenAI client say, in OpenTelemetry GenAI's words."""

from __future__ import annotations

from typing import Any

from mainspring.sdk.active import Active
from mainspring.sdk.live import LiveSpan

_PARAMETERS = {
    "model": "gen_ai.request.model",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "stop": "gen_ai.request.stop_sequences",
    "stop_sequences": "gen_ai.request.stop_sequences",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
    "dimensions": "gen_ai.embeddings.dimension.count",
}


def parameters(span: LiveSpan, given: dict[str, Any], provider: str) -> None:
    """Note the parameters of a request."""
    said = {name: given[key] for key, name in _PARAMETERS.items() if _is_plain(given.get(key))}
    span.set(**{"gen_ai.provider.name": provider}, **said)
    tools = given.get("tools")
    if isinstance(tools, list | tuple) and tools and Active.capture:
        span.set(**{"gen_ai.tool.definitions": tools})


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) or (isinstance(value, list) and len(value) < 50)


def usage(span: LiveSpan, counts: Any) -> None:
    """Note the tokens of chat completions, embeddings or responses."""
    if counts is None:
        return
    inputs = _first(counts, "prompt_tokens_details", "input_tokens_details")
    outputs = _first(counts, "completion_tokens_details", "output_tokens_details")
    said = {
        "gen_ai.usage.input_tokens": _first(counts, "prompt_tokens", "input_tokens"),
        "gen_ai.usage.output_tokens": _first(counts, "completion_tokens", "output_tokens"),
        "gen_ai.usage.cache_read.input_tokens": _first(inputs, "cached_tokens"),
        "gen_ai.usage.reasoning.output_tokens": _first(outputs, "reasoning_tokens"),
    }
    span.set(**{name: count for name, count in said.items() if isinstance(count, int)})


def about(span: LiveSpan, result: Any) -> None:
    """Note the id and the model of an answer."""
    for name, key in (("gen_ai.response.id", "id"), ("gen_ai.response.model", "model")):
        value = getattr(result, key, None)
        if isinstance(value, str):
            span.set(**{name: value})


def _first(holder: Any, *names: str) -> Any:
    return next((value for name in names if (value := getattr(holder, name, None)) is not None), None)


class Chat:
    """`chat.completions.create` and `parse`."""

    kind = "chat"

    def asked(self, span: LiveSpan, given: dict[str, Any]) -> None:
        """Note what was asked."""
        parameters(span, given, "openai")
        if Active.capture:
            span.set_input(given.get("messages"))

    def answered(self, span: LiveSpan, result: Any) -> None:
        """Note what was answered."""
        about(span, result)
        usage(span, getattr(result, "usage", None))
        choices = getattr(result, "choices", None) or []
        messages = [
            {
                "role": choice.message.role,
                "content": choice.message.content,
                "tool_calls": [
                    _call(call.id, call.function.name, call.function.arguments)
                    for call in choice.message.tool_calls or []
                    if getattr(call, "function", None) is not None
                ],
                "finish_reason": choice.finish_reason,
            }
            for choice in choices
        ]
        _messages(span, messages)

    def collector(self, span: LiveSpan) -> Chunks:
        """Return what gathers a stream."""
        return Chunks(span)


class Chunks:
    """The pieces of a streamed chat completion."""

    def __init__(self, span: LiveSpan) -> None:
        self._span = span
        self._choices: dict[int, dict[str, Any]] = {}
        self._room = Active.limit
        self._last: Any = None

    def add(self, piece: Any) -> None:
        """Take one piece."""
        self._last = piece
        if getattr(piece, "usage", None) is not None:
            usage(self._span, piece.usage)
        for choice in getattr(piece, "choices", None) or []:
            empty: dict[str, Any] = {"role": "assistant", "content": [], "calls": {}, "finish_reason": None}
            held = self._choices.setdefault(choice.index, empty)
            held["finish_reason"] = choice.finish_reason or held["finish_reason"]
            if choice.delta is None:
                continue
            held["role"] = choice.delta.role or held["role"]
            self._take(held["content"], choice.delta.content)
            for call in choice.delta.tool_calls or []:
                known = held["calls"].setdefault(call.index, {"id": "", "name": "", "arguments": []})
                known["id"] = call.id or known["id"]
                if call.function is not None:
                    known["name"] = call.function.name or known["name"]
                    self._take(known["arguments"], call.function.arguments)

    def done(self) -> None:
        """Note the whole on the span."""
        if self._last is not None:
            about(self._span, self._last)
        messages = [
            {
                "role": held["role"],
                "content": "".join(held["content"]) or None,
                "tool_calls": [_call(c["id"], c["name"], "".join(c["arguments"])) for c in held["calls"].values()],
                "finish_reason": held["finish_reason"],
            }
            for _, held in sorted(self._choices.items())
        ]
        _messages(self._span, messages)

    def _take(self, into: list[str], text: str | None) -> None:
        if text and self._room > 0:
            self._room -= len(text)
            into.append(text)


class Responses:
    """`responses.create` and `parse`."""

    kind = "chat"

    def asked(self, span: LiveSpan, given: dict[str, Any]) -> None:
        """Note what was asked."""
        parameters(span, given, "openai")
        if Active.capture:
            asked = given.get("input")
            span.set_input([{"role": "user", "content": asked}] if isinstance(asked, str) else asked)
            if isinstance(given.get("instructions"), str):
                span.set(**{"gen_ai.system_instructions": [{"type": "text", "content": given["instructions"]}]})

    def answered(self, span: LiveSpan, result: Any) -> None:
        """Note what was answered."""
        about(span, result)
        usage(span, getattr(result, "usage", None))
        texts: list[str] = []
        calls: list[dict[str, Any]] = []
        for item in getattr(result, "output", None) or []:
            if item.type == "message":
                texts += [part.text for part in item.content if getattr(part, "text", None)]
            elif item.type == "function_call":
                calls.append(_call(item.call_id, item.name, item.arguments))
        message = {"role": "assistant", "content": "".join(texts) or None, "tool_calls": calls}
        _messages(span, [{**message, "finish_reason": getattr(result, "status", None)}])
        problem = getattr(result, "error", None)
        if problem is not None:
            span.fail(str(getattr(problem, "message", problem)))

    def collector(self, span: LiveSpan) -> ResponseEvents:
        """Return what gathers a stream."""
        return ResponseEvents(self, span)


class ResponseEvents:
    """The events of a streamed response; the last of them holds the whole."""

    def __init__(self, call: Responses, span: LiveSpan) -> None:
        self._call, self._span, self._whole = call, span, None

    def add(self, piece: Any) -> None:
        """Take one event."""
        if getattr(piece, "response", None) is not None:
            self._whole = piece.response
        elif getattr(piece, "type", "") == "error":
            self._span.fail(str(getattr(piece, "message", "error")))

    def done(self) -> None:
        """Note the whole on the span."""
        if self._whole is not None:
            self._call.answered(self._span, self._whole)


class Embeddings:
    """`embeddings.create`; vectors are not kept."""

    kind = "embeddings"

    def asked(self, span: LiveSpan, given: dict[str, Any]) -> None:
        """Note what was asked."""
        parameters(span, given, "openai")
        if Active.capture:
            span.set_input(given.get("input"))

    def answered(self, span: LiveSpan, result: Any) -> None:
        """Note what was answered."""
        about(span, result)
        usage(span, getattr(result, "usage", None))

    def collector(self, span: LiveSpan) -> Chunks:
        """Return what gathers a stream; there is none."""
        return Chunks(span)


def _call(number: Any, name: Any, arguments: Any) -> dict[str, Any]:
    return {"id": number, "type": "function", "function": {"name": name, "arguments": arguments}}


def _messages(span: LiveSpan, messages: list[dict[str, Any]]) -> None:
    for message in messages:
        if not message["tool_calls"]:
            del message["tool_calls"]
    reasons = [message["finish_reason"] for message in messages if message["finish_reason"]]
    if reasons:
        span.set(**{"gen_ai.response.finish_reasons": reasons})
    if messages and Active.capture:
        span.set_output(messages)


METHODS: dict[str, Any] = {
    "chat.completions.create": Chat(),
    "chat.completions.parse": Chat(),
    "responses.create": Responses(),
    "responses.parse": Responses(),
    "embeddings.create": Embeddings(),
}
