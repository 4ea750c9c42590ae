"""Decoding: what a model server of the OpenAI dialect answers, for chats and for text completions alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.kernel.errors import Unavailable
from mainspring.serving.models import Piece, Usage
from mainspring.traces import Tokens, openai_tokens

_NOTHING = Piece()


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


def whole(reply: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]], str, str]:
    """Return the text, the tool calls, the finish reason and the stop sequence of a whole answer.

    Raises Unavailable for no answer.
    """
    if not reply.get("choices"):
        raise Unavailable("The engine sent no answer.", hint="Ask again.")
    choice = reply["choices"][0]
    message = choice.get("message") or {"content": choice.get("text")}
    calls = list(message.get("tool_calls") or [])
    text = message.get("content") or message.get("refusal") or ""
    return text, calls, choice.get("finish_reason") or "stop", _stopped_by(choice)


def piece(event: Mapping[str, Any] | Piece) -> Piece:
    """Return what an event of a stream brings."""
    if isinstance(event, Piece):
        return event
    choices = event.get("choices")
    if not choices:
        return _NOTHING
    choice = choices[0]
    delta = choice.get("delta") or {"content": choice.get("text")}
    return Piece(
        text=delta.get("content") or delta.get("refusal") or "",
        tool_calls=delta.get("tool_calls") or (),
        finish_reason=choice.get("finish_reason") or "",
        stop_sequence=_stopped_by(choice),
    )


def deltas(calls: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return whole tool calls as the pieces of a stream."""
    return [{"index": index, **call} for index, call in enumerate(calls)]


def _stopped_by(choice: Mapping[str, Any]) -> str:
    found = choice.get("stop_reason")
    return found if isinstance(found, str) else ""


def usage(event: Mapping[str, Any] | Piece) -> Usage | None:
    """Return the tokens that an answer or an event names, or None."""
    if isinstance(event, Piece):
        return event.usage
    found = event.get("usage")
    if not found:
        return None
    return found if isinstance(found, Tokens) else openai_tokens(found)
