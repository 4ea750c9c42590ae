"""Parts: what a message holds, text alone or text with images, and what a local engine takes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON
from mainspring.serving.models import Message

_REMOTE_ONLY = ("reasoning_effort", "verbosity", "service_tier", "prompt_cache_key")
"""Options that mean nothing to a local engine."""


def cache_mark(part: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return Anthropic's mark for a cache as it may go on: nothing in it but how long the cache is to last."""
    mark = part.get("cache_control")
    if not isinstance(mark, Mapping) or mark.get("type") != "ephemeral":
        return {}
    lasting = {"ttl": mark["ttl"]} if mark.get("ttl") in ("5m", "1h") else {}
    return {"cache_control": {"type": "ephemeral", **lasting}}


def without_mark(part: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a part, or a tool, for a server that knows no marks for a cache."""
    return {name: value for name, value in part.items() if name != "cache_control"}


def text_of(message: Message) -> str:
    """Return a message's text."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part["text"]) for part in content if part["type"] == "text")
    return str(content or "")


def text_only(messages: Sequence[Message]) -> list[Message]:
    """Return messages for a model that reads text. Raises Invalid for an image."""
    made: list[Message] = []
    for index, message in enumerate(messages):
        content = message.get("content")
        if isinstance(content, list) and any(part["type"] != "text" for part in content):
            hint = "Send text, or ask a provider's model."
            raise Invalid("This model reads no images.", hint=hint, param=f"messages[{index}].content")
        made.append({**message, "content": text_of(message)} if isinstance(content, list) else message)
    return made


def local(options: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the options that mean something to a local engine."""
    kept = {name: value for name, value in options.items() if name not in _REMOTE_ONLY}
    if "tools" in kept:
        kept["tools"] = [without_mark(tool) for tool in kept["tools"]]
    return kept


def with_images(message: Message, asked: Message) -> Message:
    """Return a message that a prompt made of the text of `asked`, with the images that this came with."""
    content = asked.get("content")
    images = [part for part in content if part["type"] != "text"] if isinstance(content, list) else []
    return {**message, "content": [{"type": "text", "text": message["content"]}, *images]} if images else message
