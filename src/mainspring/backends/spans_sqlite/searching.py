"""How a search walks along the index of words: from its rarest word, in blocks, forwards where it reaches far back.

Walked backwards, the index goes through its own table of contents from the top again at each page that it passes, so
that a step far back along a word of millions of rows takes milliseconds. Forwards it takes microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

from mainspring.backends.spans_log.lines import query_words
from mainspring.backends.spans_log.words import words_of
from mainspring.backends.spans_sqlite.schema import SHIFT
from mainspring.kernel import access

_PROBED = 8
"""Rows that tell how far apart those of a word lie."""
_BLOCKS = (64, 256, 1_024)
"""Rows of the rarest word that are looked at together, the last number again and again."""
_NEAR = 6
"""A part of the store, as a shift: what arrived within the last sixty-fourth of it is near."""
_BEFORE = "SELECT rowid FROM texts WHERE texts MATCH ? AND rowid < ? ORDER BY rowid DESC"
_WITHIN = "SELECT rowid FROM texts WHERE texts MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid"

Row = tuple[int]


class _Term(NamedTuple):
    """A word of a query as the index is asked for it, and the words that the index divides it into."""

    sql: str
    plain: list[str]
    """Those that stand in the index as they are, which leaves out the beginning of one."""
    begins: bool


def match_words(query: str) -> list[str]:
    """Return the words of a query as quoted FTS5 terms."""
    return [f'"{word}"' + ("*" if begins else "") for word, begins in query_words(query)]


def holding(connection: Any, query: str, before: int) -> Iterator[int]:
    """Yield traces (rows) below `before`, last arrived first, whose spans together hold every word of the query."""
    terms = _terms(query)
    words = dict.fromkeys(word for term in terms for word in term.plain)
    # What begins so is asked for last: the index gathers all that does, each time.
    words |= dict.fromkeys(term.sql for term in terms if term.begins)
    newest = connection.execute("SELECT max(id) FROM traces").get or 0
    # Words that stand side by side are looked at one by one on the first page only: the next goes on from there.
    if len(terms) > 1 or (len(words) > 1 and before > newest):
        driver, first, more = _rarest(connection, list(words), before)
        if not first:
            return
        part = newest >> _NEAR
        if len(terms) > 1 or first[-1][0] < newest - part << SHIFT:
            walk = _Walk(connection, terms, driver, recent=newest - part)
            yield from walk.along(chain(first, more))
            return
    yield from _distinct(connection.execute(_BEFORE, (terms[0].sql, before << SHIFT)))


def _terms(query: str) -> list[_Term]:
    terms = []
    for word, begins in query_words(query):
        parts = words_of(word)
        plain = [f'"{part}"' for part in (parts[:-1] if begins else parts)]
        terms.append(_Term(f'"{word}"' + ("*" if begins else ""), plain, begins))
    return terms


def _distinct(rows: Iterable[Row]) -> Iterator[int]:
    """Yield the traces that rows of the index belong to, each once."""
    last = -1
    for (number,) in rows:
        if (trace := number >> SHIFT) != last:
            yield trace
            last = trace


def _rarest(connection: Any, words: list[str], before: int) -> tuple[str, list[Row], Iterator[Row]]:
    """Return the word whose rows lie furthest apart below `before`, the first of them, and those that follow."""
    rarest: tuple[str, list[Row], Iterator[Row]] = ("", [], iter(()))
    for word in words:
        rows = iter(connection.execute(_BEFORE, (word, before << SHIFT)))
        first = list(islice(rows, _PROBED))
        if len(first) < _PROBED:
            return word, first, rows
        if not rarest[1] or first[-1] < rarest[1][-1]:
            rarest = (word, first, rows)
    return rarest


class _Walk:
    """Goes along the rows of one word, the driver, and looks what else their traces hold.

    However frequent the others are, it takes as many steps as the driver has rows.
    """

    def __init__(self, connection: Any, terms: list[_Term], driver: str, recent: int) -> None:
        self._connection = connection
        self._terms = [term.sql for term in terms if term.sql != driver]
        self._driver = driver
        self._together = " AND ".join(dict.fromkeys((driver, *self._terms)))
        self._alone = len(terms) == 1
        self._recent = recent

    def along(self, rows: Iterable[Row]) -> Iterator[int]:
        """Yield the traces of rows of the driver that hold every term."""
        found, at = _distinct(rows), 0
        while block := list(islice(found, size := _BLOCKS[min(at, len(_BLOCKS) - 1)])):
            access.check_waited_for()
            at += 1
            low, high = block[-1], block[0]
            whole = {int(row) >> SHIFT for row in self._rows(self._together, low, high)}
            if not whole and len(block) == size and (following := self._passed_over(low, high)) < low:
                if following < 0:
                    return
                found = _distinct(self._connection.execute(_BEFORE, (self._driver, following + 1 << SHIFT)))
                continue
            yield from (trace for trace in block if trace in whole or self._scattered(trace))

    def _rows(self, term: str, low: int, high: int, more: str = "") -> list[int]:
        """Return the rows of a term in traces from `low` to `high`."""
        order = " DESC" if low >= self._recent else ""
        bounds = (low << SHIFT, (high + 1 << SHIFT) - 1)
        return [row for (row,) in self._connection.execute(f"{_WITHIN}{order}{more}", (term, *bounds))]

    def _passed_over(self, low: int, high: int) -> int:
        """Return the last trace below `low` that a term is in which is in none from `low` to `high`; -1 for none.

        It is `low` where each term is in one of those traces.
        """
        least = low
        for term in self._terms:
            if not self._rows(term, low, high, " LIMIT 1"):
                row = self._connection.execute(f"{_BEFORE} LIMIT 1", (term, low << SHIFT)).get
                least = min(least, -1 if row is None else int(row) >> SHIFT)
        return least

    def _scattered(self, trace: int) -> bool:
        """Tell whether a trace holds every term where no row of it holds all of them."""
        if self._alone:
            return False
        bounds = (trace << SHIFT, (trace + 1 << SHIFT) - 1)
        rows = self._connection.execute("SELECT rowid FROM texts WHERE rowid BETWEEN ? AND ? LIMIT 2", bounds)
        return len(rows.fetchall()) > 1 and all(self._rows(term, trace, trace, " LIMIT 1") for term in self._terms)
