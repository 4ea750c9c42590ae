"""Tokens: what one call used, in the one normal form that prices, budgets and reports are computed from.

Input includes what was read from a cache and what was written to one; output includes reasoning. The vendors differ:
Anthropic's `input_tokens` exclude both, OpenAI's include the cached ones. Here they are made alike, once.
"""

from __future__ import annotations

from msgspec import Struct


class Tokens(Struct, frozen=True):
    """Tokens of one call, and what else of it has a price."""

    input_tokens: int = 0
    """All of the input, cached or not."""
    output_tokens: int = 0
    """All of the output, reasoning included."""
    cached_tokens: int = 0
    """Of the input: read from a cache."""
    cache_write_tokens: int = 0
    """Of the input: written to a cache that lasts 5 minutes."""
    cache_write_1h_tokens: int = 0
    """Of the input: written to a cache that lasts an hour."""
    reasoning_tokens: int = 0
    """Of the output: thought, not said."""
    images: int = 0

    @property
    def total(self) -> int:
        """Input and output."""
        return self.input_tokens + self.output_tokens
