"""Bodies: what the spans of a trace say, those that came together compressed together.

A group is a row with a body and the rows without one that follow it in the same trace: line n of its body is the JSON
of the span n rows after the first, empty where that span is there no more. So what is said again and again within a
trace, as every call of an agent repeats the talk before it, takes its room once. A group never reaches beyond its
trace: whoever erases a trace erases whole groups. Its words stand in the index under the row of its first span.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from mainspring.backends.spans_log.codec import Packer, decode, searchable
from mainspring.backends.spans_log.lines import RUNNING
from mainspring.backends.spans_sqlite.schema import SHIFT
from mainspring.backends.spans_sqlite.totals import Short
from mainspring.kernel.spans import Span

Fresh = tuple[Short, Span, bytes]
"""A span that is to be written: its short columns, itself, its JSON."""

MOST_SPANS = 64
MOST_BYTES = 256 << 10
"""Of JSON; what is read of a trace to show one span of it."""
_KEPT = 512
_OF_TRACE = "SELECT id, body FROM spans WHERE id BETWEEN ? AND ? AND length(body) > 0 ORDER BY id"
_GROUP = "SELECT id, body FROM spans WHERE id BETWEEN ? AND ? AND length(body) > 0 ORDER BY id DESC LIMIT 1"

_ONE = """
    SELECT one.id, held.id, held.body FROM spans AS one JOIN spans AS held
    ON held.id = (SELECT id FROM spans WHERE id BETWEEN ?4 AND one.id AND length(body) > 0 ORDER BY id DESC LIMIT 1)
    WHERE one.id BETWEEN ?1 AND ?2 AND one.span = ?3"""


class Bodies:
    """Reads bodies through one connection; made for one question, since it remembers what it read."""

    def __init__(self, connection: Any, packer: Packer) -> None:
        self._connection = connection
        self._packer = packer
        self._near: dict[int, bytes] = {}

    def lines(self, row: int) -> Iterator[tuple[int, bytes]]:
        """Yield number and JSON of each span of the trace at `row`."""
        for first, body in self._connection.execute(_OF_TRACE, bounds(row)):
            yield from self._divided(first, body)

    def line(self, number: int) -> bytes:
        """Return the JSON of the span with this number."""
        near = self._near.get(number)
        if near is not None:
            return near
        first, body = self._connection.execute(_GROUP, (number >> SHIFT << SHIFT, number)).fetchone()
        group = dict(self._divided(first, body))
        if len(group) > 1:
            if len(self._near) > _KEPT:
                self._near.clear()
            self._near |= group
        return group[number]

    def of_span(self, row: int, span: bytes) -> bytes | None:
        """Return the JSON of the span of the trace at `row` that has this id, or None."""
        found = self._connection.execute(_ONE, (*bounds(row), span, row << SHIFT)).fetchone()
        return None if found is None else dict(self._divided(*found[1:]))[found[0]]

    def take_out(self, numbers: Collection[int]) -> list[tuple[int, str]]:
        """Remove spans of one trace, and pack those that were in a group with them anew; return the texts to index."""
        texts = []
        left = set(numbers)
        while left:
            first, body = self._connection.execute(_GROUP, (min(left) >> SHIFT << SHIFT, min(left))).fetchone()
            group = dict(self._divided(first, body))
            kept = {number: line for number, line in group.items() if number not in left}
            for number in left & group.keys():
                self._connection.execute("DELETE FROM spans WHERE id = ?", (number,))
            left -= group.keys()
            self._connection.execute("DELETE FROM texts WHERE rowid = ?", (first,))
            if kept:
                begin = min(kept)
                packed = self._packer.pack(joined([kept.get(n, b"") for n in range(begin, max(kept) + 1)]))
                self._connection.execute("UPDATE spans SET body = ? WHERE id = ?", (packed, begin))
                texts.append((begin, searchable(*map(decode, kept.values()))))
        return texts

    def _divided(self, first: int, body: bytes) -> Iterator[tuple[int, bytes]]:
        for number, line in enumerate(self._packer.expand(body).split(b"\n"), first):
            if line:
                yield number, line


def joined(lines: Sequence[bytes]) -> bytes:
    """Return a body, not compressed yet, of the JSON of spans."""
    return b"\n".join(lines)


def divided(fresh: Iterable[Fresh]) -> Iterator[list[Fresh]]:
    """Yield spans of one trace, in order of their numbers, group by group; one that runs stays alone: its end comes."""
    group: list[Fresh] = []
    size = 0
    for one in fresh:
        short, _, payload = one
        alone = short.status == RUNNING
        if group and (alone or len(group) >= MOST_SPANS or size + len(payload) > MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(one)
        size = MOST_BYTES if alone else size + len(payload)
    if group:
        yield group


def bounds(row: int) -> tuple[int, int]:
    """Return the first and the last number that a span of the trace at `row` can have."""
    return row << SHIFT, (row + 1 << SHIFT) - 1
