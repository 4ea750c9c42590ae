"""The shape of a text: how long it may be, and which JSON schema it has to fit."""

from __future__ import annotations

import json

from mainspring.safety.detectors import detector, hold_all
from mainspring.safety.fitting import fits
from mainspring.safety.models import Hit, Rule

BYTES_A_TOKEN = 4


@detector("length", hold=lambda text, start, rule: len(text))
def find_length(text: str, start: int, rule: Rule) -> list[Hit]:
    """A text that is too long, in characters or in tokens of about four bytes."""
    if rule.max_chars and len(text) > rule.max_chars:
        return [Hit(detector="length", kind="chars", start=start, end=start)]
    if rule.max_tokens and tokens(text) > rule.max_tokens:
        return [Hit(detector="length", kind="tokens", start=start, end=start)]
    return []


def tokens(text: str) -> int:
    """Return about how many tokens a text has, which no model's tokenizer is asked for."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return -(-size // BYTES_A_TOKEN)


@detector("schema", hold=hold_all)
def find_schema(text: str, start: int, rule: Rule) -> list[Hit]:
    """An answer that is no JSON, or none that is valid for the rule's schema."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return [Hit(detector="schema", kind="json", start=0, end=len(text))]
    if fits(json.dumps(rule.json_schema), value):
        return []
    return [Hit(detector="schema", kind="schema", start=0, end=len(text))]
