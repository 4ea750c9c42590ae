"""Scans: single spans that match a filter, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mainspring.backends.spans_log.attributes import MOST_SPANS, Matcher
from mainspring.backends.spans_log.codec import Packer, decode
from mainspring.backends.spans_log.words import Wanted
from mainspring.backends.spans_sqlite.bodies import Bodies
from mainspring.backends.spans_sqlite.schema import SHIFT
from mainspring.backends.spans_sqlite.searching import match_words
from mainspring.kernel import access
from mainspring.kernel.spans import Span, SpanFilter

_FEW = 5_000
"""Rows of the word index; of a word that has more, the next span is not far in order of time."""


def scanned(
    connection: Any, packer: Packer, condition: tuple[str, list[Any]], where: SpanFilter, limit: int
) -> Iterator[Span]:
    """Yield at most `limit` of the spans of the condition that pass the filter's words and attributes."""
    sql, values = condition
    matcher = Matcher(where.attributes) if where.attributes else None
    wanted = Wanted(where.query) if where.query else None
    source = "spans"
    if wanted is not None and (term := _rare(connection, where.query)):
        # The index knows the trace; which of its spans it is, the text itself tells.
        held = f"SELECT DISTINCT rowid >> {SHIFT} AS trace FROM texts WHERE texts MATCH ?"  # noqa: S608
        source = f"({held}) CROSS JOIN spans ON id BETWEEN trace << {SHIFT} AND (trace + 1 << {SHIFT}) - 1"
        values = [term, *values]
    found = connection.execute(
        f"SELECT id FROM {source} WHERE {sql} ORDER BY start_ns DESC, span DESC LIMIT ?",  # noqa: S608
        (*values, MOST_SPANS if matcher or wanted else limit),
    )
    bodies = Bodies(connection, packer)
    for (number,) in found:
        if limit < 1:
            return
        access.check_waited_for()
        line = bodies.line(number)
        if matcher is not None and not matcher.fits(line):
            continue
        span = decode(line)
        if wanted is None or wanted.fits(span):
            limit -= 1
            yield span


def _rare(connection: Any, query: str) -> str:
    """Return the word of a query that stands in few places, as the index is asked for it; empty where none does."""
    sql = "SELECT count(*) FROM (SELECT 1 FROM texts WHERE texts MATCH ? LIMIT ?)"
    counts = {term: connection.execute(sql, (term, _FEW)).get for term in match_words(query)}
    least = min(counts, key=lambda term: counts[term])
    return least if counts[least] < _FEW else ""
