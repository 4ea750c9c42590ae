"""Words of a query as conditions on the words that are stored with a span."""

from __future__ import annotations

from mainspring.backends.spans_log.lines import query_words
from mainspring.backends.spans_log.words import words_of


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
