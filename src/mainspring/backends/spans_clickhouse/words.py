"""The words of a text: those that the embedded store finds, made by the same tokenizer."""

from __future__ import annotations

import threading
from typing import Any

import apsw
import apsw.fts5

from mainspring.backends.spans_log.lines import query_words

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
    """Return the words as they are stored: a space before and after each."""
    return f" {' '.join(words_of(text))} "


def tests(query: str) -> list[tuple[str, dict[str, str]]]:
    """Return for each word of a query a condition on `words`, and its values.

    What the tokenizer divides, such as an e-mail address, must stand together.
    """
    found = []
    for number, (word, begins) in enumerate(query_words(query)):
        parts = words_of(word)
        whole = parts[:-1] if begins else parts
        values = {f"has{number}_{place}": part for place, part in enumerate(whole)}
        sql = [f"hasToken(words, {{{name}:String}})" for name in values]
        if begins or len(parts) != 1:
            sql.append(f"position(words, {{text{number}:String}}) > 0")
            values[f"text{number}"] = " " + " ".join(parts) + ("" if begins else " ")
        found.append((" AND ".join(sql), values))
    return found
