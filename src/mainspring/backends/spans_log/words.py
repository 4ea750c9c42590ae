"""The words of a text: those that the embedded store finds, made by the same tokenizer."""

from __future__ import annotations

import threading
from typing import Any

import apsw
import apsw.fts5

from mainspring.backends.spans_log.codec import searchable
from mainspring.backends.spans_log.lines import query_words
from mainspring.kernel.spans import Span

_local = threading.local()


def words_of(text: str) -> list[str]:
    """Return the words of a text: case and accents are left away, what is no letter or digit divides."""
    if not hasattr(_local, "tokenize"):
        connection = apsw.Connection(":memory:")
        _local.tokenize = connection.fts5_tokenizer("unicode61", ["remove_diacritics", "2"])
    tokenize: Any = _local.tokenize
    data = text.encode("utf-8", "replace")
    found: list[str] = tokenize(data, apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False)
    return found


def stored(text: str) -> str:
    """Return the words in one text: a space before and after each."""
    return f" {' '.join(words_of(text))} "


class Wanted:
    """Tells whether every word of a query stands in a span itself."""

    def __init__(self, query: str) -> None:
        """Raises Invalid where the query has no word, or more than 16."""
        # What the tokenizer divides, such as an e-mail address, must stand together.
        terms = [(words_of(word), begins) for word, begins in query_words(query)]
        self._needles = [f" {' '.join(parts)}" + ("" if begins else " ") for parts, begins in terms if parts]

    def fits(self, span: Span) -> bool:
        """Tell it of a span."""
        text = stored(searchable(span))
        return all(needle in text for needle in self._needles)
