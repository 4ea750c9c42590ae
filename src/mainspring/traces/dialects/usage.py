"""Counts that a dialect packs into one JSON object: OpenAI's usage as it came, Langfuse's details, MLflow's."""

from __future__ import annotations

from typing import Any

from mainspring.traces.counting import openai_tokens
from mainspring.traces.tokens import Tokens


def packed(usage: Any) -> Tokens | None:
    """Return the tokens of a usage object; None where it is none."""
    if not isinstance(usage, dict):
        return None
    if "prompt_tokens" in usage or "input_tokens_details" in usage:
        return openai_tokens(usage)
    cached = _sum(usage, "cache_read_input_tokens", "input_cached_tokens", "input_cache_read")
    written = _sum(usage, "cache_creation_input_tokens", "input_cache_creation")
    reasoning = _sum(usage, "output_reasoning_tokens", "output_reasoning")
    if "input_tokens" in usage:
        return Tokens(_sum(usage, "input_tokens"), _sum(usage, "output_tokens"), cached, written, 0, reasoning)
    # Langfuse counts apart what was cached or thought; here the whole holds its parts.
    return Tokens(
        _sum(usage, "input") + cached + written, _sum(usage, "output") + reasoning, cached, written, 0, reasoning
    )


def _sum(usage: dict[str, Any], *names: str) -> int:
    found: list[Any] = [usage.get(name) for name in names]
    return int(sum(value for value in found if type(value) in (int, float) and 0 <= value < 1 << 40))
