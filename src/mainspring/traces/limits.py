"""Bounds on what one request may hold: attributes are data of strangers."""

from __future__ import annotations

from typing import Final

SPANS: Final = 50_000
"""Spans of one request."""
ATTRIBUTES: Final = 512
"""Attributes of one span, event or resource; flattened message lists take many."""
EVENTS: Final = 256
LINKS: Final = 128
DEPTH: Final = 16
ITEMS: Final = 10_000
"""Values in one attribute, nested ones included."""
NAME: Final = 512
"""Characters of a name, a key, a user or a session."""
REPEATED: Final = 128 << 20
"""Bytes of JSON that the resources of one request may come to in its spans: each span is stored with its own."""
TEXT: Final = 1_000_000
"""Characters of one text; what is longer is cut and says so."""


_MARK: Final = " […cut]"


def cut(text: str, limit: int = TEXT) -> str:
    """Return the text, cut to `limit` characters with a mark where it is longer."""
    return text if len(text) <= limit else text[: limit - len(_MARK)] + _MARK
