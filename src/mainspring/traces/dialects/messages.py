"""Messages: every dialect's way of writing a conversation, as `[{role, parts: [{type, content}]}]`."""

from __future__ import annotations

from typing import Any, Final

import msgspec


def parsed(value: Any) -> Any:
    """Return what a JSON text says, or the text itself where it is none or deeper than anything sensible."""
    if not isinstance(value, str) or value[:1] not in ("{", "[", '"'):
        return value
    try:
        found = _decode(value)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return value
    # What opens less often than that cannot be deeper, which is told without walking through it.
    if value.count("{") + value.count("[") <= _DEEPEST or _shallow(found, _DEEPEST):
        return found
    return value


def scalar(value: str) -> Any:
    """Return what a JSON text says, also where it is a number or a word; the text itself where it is none."""
    if len(value) > _NUMBER or value[:1] in ("{", "[", '"'):
        return parsed(value)
    try:
        return msgspec.json.decode(value, type=bool | float | int | None)
    except (msgspec.DecodeError, ValueError):
        return value


_NUMBER = 16
"""Characters of a number that every reader of JSON knows exactly."""
_DEEPEST: Final = 32
_decode = msgspec.json.decode


def _shallow(value: Any, depth: int) -> bool:
    if isinstance(value, dict | list):
        below = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_shallow(item, depth - 1) for item in below)
    return True


def conversation(value: Any, role: str) -> Any:
    """Return messages where the value is any form of them, the value itself where it is not.

    `role` is who says a plain text, or a message without a role.
    """
    if type(value) is list and value and _plain(value):
        return value
    if isinstance(value, str):
        return [{"role": role, "parts": [{"type": "text", "content": value}]}] if value else None
    if isinstance(value, dict):
        inner = value.get("messages")
        if isinstance(inner, list):
            return conversation(inner, role)
        if "object" in value or "choices" in value:
            return _reply(value, role)
        if "input" in value and "model" in value:
            return _request(value, role)
        return [message(value, role)] if _is_message(value) else value
    if isinstance(value, list) and value and all(isinstance(item, dict) and "toolCallId" in item for item in value):
        return [{"role": role, "parts": [_call(item) for item in value]}]
    if isinstance(value, list) and value and all(_is_message(item) or isinstance(item, str) for item in value):
        return [message(item if isinstance(item, dict) else {"content": item}, role) for item in value]
    return value


def _request(value: dict[str, Any], role: str) -> Any:
    """Return what a request of OpenAI's responses asks."""
    rules = conversation(value.get("instructions") or None, "system")
    asked = conversation(value["input"], role)
    return [*(rules if isinstance(rules, list) else []), *asked] if isinstance(asked, list) else value


def _reply(value: dict[str, Any], role: str) -> Any:
    """Return what an answer of OpenAI's chat completions or responses says."""
    if isinstance(value.get("choices"), list):
        kept = [
            {"finish_reason": choice.get("finish_reason"), "message": choice["message"]}
            for choice in value["choices"]
            if isinstance(choice, dict) and isinstance(choice.get("message"), dict)
        ]
        return [_bare(message(choice, role)) for choice in kept] or value
    if isinstance(value.get("output"), list):
        said = [item for item in value["output"] if isinstance(item, dict) and _is_message(item)]
        return [_bare(message(item, role)) for item in said] or value
    return value


def _bare(value: dict[str, Any]) -> dict[str, Any]:
    """Return a message without the fields that every answer carries and nobody filled."""
    return {key: item for key, item in value.items() if item is not None and key in ("role", "parts", "finish_reason")}


def message(value: dict[str, Any], role: str) -> dict[str, Any]:
    """Return one message: what is said as parts, other fields as they are."""
    inner = value.get("message")
    if isinstance(inner, dict):
        value = {**{key: item for key, item in value.items() if key != "message"}, **inner}
    rest = {key: item for key, item in value.items() if key not in _SPOKEN}
    parts = [*_content(value.get("parts")), *_content(value.get("content")), *_content(value.get("contents"))]
    for call in value.get("tool_calls") or []:
        parts.append(_call(call))
    return {"role": str(value.get("role") or role), "parts": parts, **rest}


def spoken(value: Any) -> bool:
    """Tell whether a value is a list of messages beyond doubt: each says who speaks."""
    if not isinstance(value, list):
        return False
    for item in value:
        if not isinstance(item, dict):
            return False
        if "role" not in item and not (isinstance(item.get("message"), dict) and "role" in item["message"]):
            return False
    return True


def _plain(messages: list[Any]) -> bool:
    """Tell whether messages are what they are to become, as those of OpenTelemetry's conventions are."""
    for one in messages:
        if type(one) is not dict or type(one.get("parts")) is not list or not isinstance(one.get("role"), str):
            return False
        if not one["role"] or "message" in one or "content" in one or "contents" in one or "tool_calls" in one:
            return False
        if "toolCallId" in one:
            return False
        for part in one["parts"]:
            if type(part) is not dict or "type" not in part or "content" not in part or "message_content" in part:
                return False
    return True


_SPOKEN = ("role", "parts", "content", "contents", "tool_calls")


_SAID = ("parts", "content", "contents", "tool_calls")


def _is_message(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    for name in _SAID:
        if name in value:
            return True
    return isinstance(value.get("message"), dict)


def _content(value: Any) -> list[dict[str, Any]]:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [{"type": "text", "content": value}]
    if isinstance(value, list):
        return [part for item in value for part in _content(item)]
    if isinstance(value, dict):
        inner = value.get("message_content")
        if isinstance(inner, dict):
            value = inner
        if "type" in value and "content" in value:
            return [value]
        if value == {"type": "tool_use"}:
            return []  # OpenInference says the call itself among the tool calls
        if value.get("type") in (None, "text", "input_text", "output_text") and isinstance(value.get("text"), str):
            return [{"type": "text", "content": value["text"]}]
        return [value if "type" in value else {"type": "json", "content": value}]
    return [{"type": "text", "content": str(value)}]


def _call(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {"type": "tool_call", "content": value}
    inner = value.get("tool_call")
    if isinstance(inner, dict):
        value = inner
    function = value.get("function")
    named = function if isinstance(function, dict) else value
    return {
        "type": "tool_call",
        "id": value.get("id", value.get("toolCallId", "")),
        "name": named.get("name", value.get("toolName", "")),
        "arguments": parsed(named.get("arguments", value.get("input", value.get("args")))),
    }
