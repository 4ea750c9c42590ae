"""Bounds on what one request may hold: attributes are data of strangers."""

from __future__ import annotations

SPANS = 50_000
"""Spans of one request."""
ATTRIBUTES = 512
"""Attributes of one span, event or resource; flattened message lists take many."""
EVENTS = 256
LINKS = 128
DEPTH = 16
ITEMS = 10_000
"""Values in one attribute, nested ones included."""
NAME = 512
"""Characters of a name, a key, a user or a session."""
TEXT = 1_000_000
"""Characters of one text; what is longer is cut and says so."""


_MARK = " […cut]"


def cut(text: str, limit: int = TEXT) -> str:
    """Return the text, cut to `limit` characters with a mark where it is longer."""
    return text if len(text) <= limit else text[: limit - len(_MARK)] + _MARK
