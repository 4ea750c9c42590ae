"""Decoding: what a model server of the OpenAI dialect answers, for chats and for text completions alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.kernel.errors import Unavailable
from mainspring.serving.models import Usage
from mainspring.traces import openai_tokens


class Calls:
    """Tool calls that arrive in pieces, told apart by their index."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, Any]] = {}

    def add(self, piece: Mapping[str, Any]) -> None:
        """Take the next piece: the id and the name once, the arguments bit by bit."""
        call = self._calls.setdefault(
            int(piece.get("index", 0)), {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = piece.get("id") or call["id"]
        function = piece.get("function") or {}
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""

    def whole(self) -> list[Mapping[str, Any]]:
        """Return the calls in order."""
        return [self._calls[index] for index in sorted(self._calls)]


def whole(reply: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]], str]:
    """Return the text, the tool calls and the finish reason of a whole answer. Raises Unavailable for no answer."""
    if not reply.get("choices"):
        raise Unavailable("The engine sent no answer.", hint="Ask again.")
    choice = reply["choices"][0]
    message = choice.get("message") or {"content": choice.get("text")}
    return message.get("content") or "", list(message.get("tool_calls") or []), choice.get("finish_reason") or "stop"


def piece(event: Mapping[str, Any], calls: Calls) -> tuple[str, str]:
    """Return the text and the finish reason that an event of a stream brings, each possibly empty."""
    if not event.get("choices"):
        return "", ""
    choice = event["choices"][0]
    delta = choice.get("delta") or {"content": choice.get("text")}
    for call in delta.get("tool_calls") or ():
        calls.add(call)
    return delta.get("content") or "", choice.get("finish_reason") or ""


def usage(event: Mapping[str, Any]) -> Usage | None:
    """Return the tokens that an answer or an event names, or None."""
    found = event.get("usage")
    if not found:
        return None
    return openai_tokens(found)
