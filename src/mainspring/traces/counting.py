"""Counting: the tokens that an answer or a span names, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.kernel.spans import Span
from mainspring.traces.tokens import Tokens

_CACHE_WRITE = ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens")
_MOST = 1 << 40
_NONE: Mapping[str, Any] = {}
_REASONING = ("gen_ai.usage.reasoning.output_tokens", "llm.token_count.completion_details.reasoning")
Each = tuple[int, int, int, int, int, int]
"""Picodollars for one token: input, cached, written for 5 minutes, for an hour, output, reasoning."""


def pico(tokens: Tokens, each: Each) -> int:
    """Return the picodollars of tokens."""
    fresh, read, short, long, said, thought = each
    sent, made = tokens.input_tokens, tokens.output_tokens
    hour = min(tokens.cache_write_1h_tokens, sent)
    write = min(tokens.cache_write_tokens, sent - hour)
    cached = min(tokens.cached_tokens, sent - hour - write)
    reasoning = min(tokens.reasoning_tokens, made)
    total = (sent - cached - write - hour) * fresh + cached * read + write * short + hour * long
    return total + (made - reasoning) * said + reasoning * thought


def openai_tokens(usage: Mapping[str, Any]) -> Tokens:
    """Return the tokens of OpenAI's `usage`, of chat completions and of responses.

    Some who speak its dialect, Gemini and Grok among them, leave what the model thought out of the output and count it
    in the total alone: it is billed as output.
    """
    inputs = _part(usage, "prompt_tokens_details", "input_tokens_details")
    outputs = _part(usage, "completion_tokens_details", "output_tokens_details")
    read = _count(usage, "prompt_tokens", "input_tokens")
    said = _count(usage, "completion_tokens", "output_tokens")
    beside = max(0, _count(usage, "total_tokens") - read - said)
    return Tokens(
        input_tokens=read,
        output_tokens=said + beside,
        cached_tokens=_count(inputs, "cached_tokens") if inputs else 0,
        cache_write_tokens=_count(inputs, "cache_write_tokens") if inputs else 0,
        reasoning_tokens=max(_count(outputs, "reasoning_tokens"), beside) if outputs else beside,
    )


def anthropic_tokens(usage: Mapping[str, Any]) -> Tokens:
    """Return the tokens of Anthropic's `usage`; a cache write that names no lifetime is one of 5 minutes."""
    lasting = _part(usage, "cache_creation")
    hour = _count(lasting, "ephemeral_1h_input_tokens")
    written = max(_count(usage, "cache_creation_input_tokens"), hour + _count(lasting, "ephemeral_5m_input_tokens"))
    read = _count(usage, "cache_read_input_tokens")
    return Tokens(
        input_tokens=_count(usage, "input_tokens") + written + read,
        output_tokens=_count(usage, "output_tokens"),
        cached_tokens=read,
        cache_write_tokens=written - hour,
        cache_write_1h_tokens=hour,
        reasoning_tokens=_count(_part(usage, "output_tokens_details"), "thinking_tokens"),
    )


def span_tokens(span: Span) -> Tokens:
    """Return the tokens that a span names, in its fields and in its OpenTelemetry attributes."""
    return Tokens(
        input_tokens=span.input_tokens or 0,
        output_tokens=span.output_tokens or 0,
        cached_tokens=span.cached_tokens or 0,
        cache_write_tokens=_count(span.attributes, *_CACHE_WRITE),
        cache_write_1h_tokens=_count(span.attributes, "mainspring.usage.cache_write_1h_tokens"),
        reasoning_tokens=_count(span.attributes, *_REASONING),
        images=_count(span.attributes, "mainspring.usage.images"),
    )


def span_attributes(tokens: Tokens) -> dict[str, int]:
    """Return the attributes that tell a span what its fields have no room for; `span_tokens` reads them back."""
    if not (tokens.cache_write_tokens or tokens.cache_write_1h_tokens or tokens.reasoning_tokens or tokens.images):
        return {}
    said = {
        _CACHE_WRITE[0]: tokens.cache_write_tokens,
        "mainspring.usage.cache_write_1h_tokens": tokens.cache_write_1h_tokens,
        _REASONING[0]: tokens.reasoning_tokens,
        "mainspring.usage.images": tokens.images,
    }
    return {name: count for name, count in said.items() if count}


def _part(usage: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        part = usage.get(name)
        if isinstance(part, dict):
            return part
    return _NONE


def _count(usage: Mapping[str, Any], *names: str) -> int:
    """Return the first whole number of these names; 0 where none says one."""
    for name in names:
        value = usage.get(name)
        if (type(value) is int or type(value) is float) and 0 <= value < _MOST:
            return int(value)
    return 0
