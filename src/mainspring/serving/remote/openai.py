"""The OpenAI dialect towards a provider: nearly what serving speaks inside."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from mainspring.kernel.errors import Invalid, Unavailable
from mainspring.kernel.ports import JSON
from mainspring.registry import Remote
from mainspring.serving.models import Message, Operation
from mainspring.serving.parts import without_mark

PATHS = {"chat": "/chat/completions", "text_completion": "/completions", "embeddings": "/embeddings"}
_OWN = ("openai.com", "azure.com")
"""Hosts whose newer models take `max_completion_tokens` only; everybody else knows the older name."""


def request(remote: Remote, operation: Operation, body: Mapping[str, JSON]) -> tuple[str, dict[str, JSON]]:
    """Return the path and the body of a request."""
    made: dict[str, JSON] = {"model": remote.model, **body}
    if "messages" in made:
        made["messages"] = [_message(message) for message in made["messages"]]
    if "tools" in made:
        made["tools"] = [without_mark(tool) for tool in made["tools"]]
    if operation == "chat" and "max_tokens" in made and _is_own(remote.url):
        made["max_completion_tokens"] = made.pop("max_tokens")
    return PATHS[operation], made


@lru_cache(1000)
def _is_own(url: str) -> bool:
    return (urlsplit(url).hostname or "").endswith(_OWN)


def whole(reply: dict[str, Any]) -> dict[str, Any]:
    """Return a whole answer as serving speaks it. Raises Unavailable for another shape."""
    if not isinstance(reply.get("choices"), list) or not reply["choices"]:
        raise Unavailable("The provider answered in another dialect than OpenAI's.", hint="Is its URL that of its /v1?")
    return reply


async def events(heard: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the events of an answer as serving speaks them. Raises Unavailable where it ends before its end."""
    finished = False
    async for event in heard:
        finished = finished or finishes(event)
        yield event
    ended(finished)


def finishes(event: Mapping[str, Any]) -> bool:
    """Tell whether an event says why the answer ends."""
    choices = event.get("choices")
    return bool(choices and choices[0].get("finish_reason"))


def ended(finished: bool) -> None:
    """Raise Unavailable where an answer ended before its end."""
    if not finished:
        raise Unavailable("The provider ended in the middle of an answer.", hint="Ask again.")


def _message(message: Message) -> Message:
    content = message.get("content")
    if message["role"] == "tool":
        message = {name: value for name, value in message.items() if name != "is_error"}
    if not isinstance(content, list):
        return message
    if message["role"] == "tool" and any(part["type"] != "text" for part in content):
        raise Invalid("A tool's result holds an image, which this provider does not read.", hint="Send its text.")
    return {**message, "content": [without_mark(part) for part in content]}
