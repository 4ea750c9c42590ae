"""How a list finds its traces: along the rarest of what it asks for, or along the words that it searches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mainspring.backends.spans_log.lines import query_words
from mainspring.backends.spans_sqlite.schema import SHIFT

_LOOKS = (1_000, 10_000, 100_000)
"""Rows of an index that are counted to find the rarest value, in turns: as long as all of them have more."""


class Equal(NamedTuple):
    """A column that has an index of its own, and the value that it must have."""

    column: str
    value: Any

    @property
    def sql(self) -> str:
        """The test as SQL, with one mark; it repeats what the index leaves out, without which it is not used."""
        return f"{self.column} = ? AND {self.column} <> {repr('') if isinstance(self.value, str) else 0}"


def rarest_first(connection: Any, project: int, tests: Sequence[Equal], bounds: Sequence[tuple[str, int]]) -> list[str]:
    """Return the SQL of each test, so that the index of the rarest value is the one that is walked along.

    `bounds` are the tests of the start, which is the next column of every index. SQLite keeps no counts here, and
    would take any of the indexes: that of a value that half of the traces have as soon as that of one that ten have.
    """
    if len(tests) < 2:
        return [test.sql for test in tests]
    within = "".join(f" AND {sql}" for sql, _ in bounds)
    for most in _LOOKS:
        counts = [
            connection.execute(
                f"SELECT count(*) FROM (SELECT 1 FROM traces WHERE project = ? AND {test.sql}{within} LIMIT {most})",  # noqa: S608
                (project, test.value, *(value for _, value in bounds)),
            ).get
            for test in tests
        ]
        if min(counts) < most:
            break
    chosen = counts.index(min(counts))
    # A plus before a column keeps its index out of the choice.
    return [test.sql if at == chosen else f"+{test.column} = ?" for at, test in enumerate(tests)]


def holding(connection: Any, query: str, before: int) -> Iterator[int]:
    """Yield traces (rows) below `before`, last arrived first, whose spans together hold every word of the query."""
    terms = match_words(query)
    if len(terms) > 1:
        yield from _all_of(connection, terms, before)
        return
    last = before
    sql = "SELECT rowid FROM texts WHERE texts MATCH ? AND rowid < ? ORDER BY rowid DESC"
    for (span,) in connection.execute(sql, (terms[0], before << SHIFT)):
        if (row := int(span) >> SHIFT) != last:
            yield row
            last = row


def _all_of(connection: Any, terms: Sequence[str], before: int) -> Iterator[int]:
    """Ask each term for its next trace at or below the best candidate until all agree.

    So a search for a rare word beside a frequent one takes as many steps as the rare one has traces.
    """
    sql = "SELECT rowid FROM texts WHERE texts MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT 1"
    while True:
        agreed, candidate = 0, before - 1
        while agreed < len(terms):
            for term in terms:
                found = connection.execute(sql, (term, candidate + 1 << SHIFT)).get
                if found is None:
                    return
                row = int(found) >> SHIFT
                agreed, candidate = (agreed + 1, candidate) if row == candidate else (1, row)
                if agreed >= len(terms):
                    break
        yield candidate
        before = candidate


def match_words(query: str) -> list[str]:
    """Return the words of a query as quoted FTS5 terms."""
    return [f'"{word}"' + ("*" if begins else "") for word, begins in query_words(query)]
