"""What calls of the Anthropic client say, in OpenTelemetry GenAI's words."""

from __future__ import annotations

import json
from typing import Any

from mainspring.sdk.active import Active
from mainspring.sdk.live import LiveSpan
from mainspring.sdk.openai_calls import about, parameters


class Messages:
    """`messages.create` and `messages.stream`."""

    kind = "chat"

    def asked(self, span: LiveSpan, given: dict[str, Any]) -> None:
        """Note what was asked."""
        parameters(span, given, "anthropic")
        if not Active.capture:
            return
        messages = given.get("messages")
        if isinstance(messages, list | tuple):
            span.set_input([_message(message) for message in messages])
        system = given.get("system")
        if isinstance(system, str | list):
            span.set(**{"gen_ai.system_instructions": _parts(system)})

    def answered(self, span: LiveSpan, result: Any) -> None:
        """Note what was answered."""
        about(span, result)
        usage(span, getattr(result, "usage", None))
        content = getattr(result, "content", None)
        if content is not None:
            _answer(span, [_part(block) for block in content], getattr(result, "stop_reason", None))

    def collector(self, span: LiveSpan) -> Events:
        """Return what gathers a stream."""
        return Events(span)


class Events:
    """The events of a streamed message."""

    def __init__(self, span: LiveSpan) -> None:
        self._span = span
        self._blocks: dict[int, tuple[dict[str, Any], list[str]]] = {}
        self._counts: dict[str, int] = {}
        self._reason: Any = None
        self._room = Active.limit

    def add(self, piece: Any) -> None:
        """Take one event."""
        kind = getattr(piece, "type", "")
        if kind == "message_start":
            about(self._span, piece.message)
            self._count(piece.message.usage)
        elif kind == "content_block_start":
            self._blocks[piece.index] = (_part(piece.content_block), [])
        elif kind == "content_block_delta" and piece.index in self._blocks:
            delta = piece.delta
            text = next(
                (said for name in ("text", "partial_json", "thinking") if (said := getattr(delta, name, None))), ""
            )
            if self._room > 0:
                self._room -= len(text)
                self._blocks[piece.index][1].append(text)
        elif kind == "message_delta":
            self._reason = piece.delta.stop_reason or self._reason
            self._count(piece.usage)

    def done(self) -> None:
        """Note the whole on the span."""
        parts = []
        for _, (part, texts) in sorted(self._blocks.items()):
            text = "".join(texts)
            if part["type"] == "tool_call":
                part["arguments"] = _read(text) if text else part["arguments"]
            elif text:
                part["content"] = text
            parts.append(part)
        _usage(self._span, self._counts)
        if parts:
            _answer(self._span, parts, self._reason)

    def _count(self, counts: Any) -> None:
        self._counts |= _counts(counts)


_NAMES = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def usage(span: LiveSpan, counts: Any) -> None:
    """Note the tokens of an answer."""
    _usage(span, _counts(counts))


def _counts(counts: Any) -> dict[str, int]:
    return {name: count for name in _NAMES if isinstance(count := getattr(counts, name, None), int)}


def _usage(span: LiveSpan, counts: dict[str, int]) -> None:
    """Note tokens: Anthropic's input leaves out what a cache gave or took, OpenTelemetry's counts it."""
    if not counts:
        return
    read, written = counts.get("cache_read_input_tokens", 0), counts.get("cache_creation_input_tokens", 0)
    said = {
        "gen_ai.usage.input_tokens": counts.get("input_tokens", 0) + read + written,
        "gen_ai.usage.output_tokens": counts.get("output_tokens", 0),
    }
    said |= {"gen_ai.usage.cache_read.input_tokens": read} if read else {}
    said |= {"gen_ai.usage.cache_creation.input_tokens": written} if written else {}
    span.set(**said)


def _answer(span: LiveSpan, parts: list[dict[str, Any]], reason: Any) -> None:
    if isinstance(reason, str):
        span.set(**{"gen_ai.response.finish_reasons": [reason]})
    if Active.capture:
        span.set_output([{"role": "assistant", "parts": parts, "finish_reason": reason}])


def _message(message: Any) -> dict[str, Any]:
    return {"role": str(_of(message, "role") or "user"), "parts": _parts(_of(message, "content"))}


def _parts(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    return [_part(block) for block in content] if isinstance(content, list | tuple) else []


def _part(block: Any) -> dict[str, Any]:
    """Return a content block, of a request or an answer, as a part of a message."""
    kind = str(_of(block, "type") or "text")
    if kind == "tool_use":
        return {
            "type": "tool_call",
            "id": _of(block, "id"),
            "name": _of(block, "name"),
            "arguments": _of(block, "input"),
        }
    if kind == "tool_result":
        return {"type": "tool_call_response", "id": _of(block, "tool_use_id"), "result": _of(block, "content")}
    if kind == "thinking":
        return {"type": "reasoning", "content": _of(block, "thinking")}
    text = _of(block, "text")
    return {"type": kind, "content": text if isinstance(text, str) else f"[{kind}]"}


def _of(block: Any, name: str) -> Any:
    return block.get(name) if isinstance(block, dict) else getattr(block, name, None)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


METHODS: dict[str, Any] = {"messages.create": Messages(), "messages.stream": Messages()}
