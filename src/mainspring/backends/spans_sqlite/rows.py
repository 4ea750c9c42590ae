"""The rows of a batch, gathered table by table and written at its end, many to a statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring.backends.spans_sqlite import calls

_AT_ONCE = (40, 8)
"""Rows of a statement, as long as there are so many."""
_SPANS = (
    "INSERT INTO spans (id, project, span, parent, start_ns, end_ns, status, name, kind, environment, service, model, "
    "deployment, release, prompt, session, user, input_tokens, output_tokens, cost, says, body)"
)
_UPDATE_TRACE = """
    UPDATE traces SET start_ns = ?, end_ns = ?, name = ?, kind = ?, status = ?, environment = ?, service = ?,
        model = ?, deployment = ?, release = ?, prompt = ?, session = ?, user = ?, spans = ?, input_tokens = ?,
        output_tokens = ?, cost = ?, speaker = ?, input_preview = ?, output_preview = ?
    WHERE id = ?"""
_TRACES = (
    "INSERT INTO traces (start_ns, end_ns, name, kind, status, environment, service, model, deployment, release, "
    "prompt, session, user, spans, input_tokens, output_tokens, cost, speaker, input_preview, output_preview, id, "
    "project, trace)"
)
_statements: dict[tuple[str, int, int], str] = {}
_INSERT_TEXT = "INSERT INTO texts (rowid, text) VALUES (?, ?)"


class Rows:
    """What is written of a batch."""

    def __init__(self, last: int, counted: set[int], route: int) -> None:
        """`last` is the number of the last trace there was, the others are those of the kinds `COUNTED` and `ROUTE`."""
        self._last = last
        self.counted = counted
        self.route = route
        self.traces: list[tuple[Any, ...]] = []
        self.lines: list[tuple[Any, ...]] = []
        """Of traces that were there before."""
        self.spans: list[tuple[Any, ...]] = []
        self.texts: list[tuple[int, str]] = []
        self.calls: list[tuple[Any, ...] | None] = []
        self.gone: list[tuple[int, int, int]] = []
        """Calls that are there no more, or that are written anew."""
        self.marks: list[tuple[int, int, int, int]] = []
        """Calls that stay, and whose status is another."""

    def new(self) -> int:
        """Return the number of a new trace."""
        self._last += 1
        return self._last

    def write(self, connection: Any) -> None:
        """Write everything but the texts."""
        insert(connection, _TRACES, self.traces)
        connection.executemany(_UPDATE_TRACE, self.lines)
        insert(connection, _SPANS, self.spans)
        calls.forget(connection, self.gone)
        insert(connection, calls.INTO, [one for one in self.calls if one is not None])
        calls.mark(connection, self.marks)

    def write_texts(self, connection: Any) -> None:
        """Write the texts: last of all, since the index of words empties its memory at each other statement."""
        # In order, since it does so at each row that comes after a later one, and when several come at once, too.
        connection.executemany(_INSERT_TEXT, sorted(self.texts))


def insert(connection: Any, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows, many to a statement.

    Each statement hands the interpreter to other threads, which come with spans, and waits until it gets it back.
    """
    if not rows:
        return
    at = 0
    for size in _AT_ONCE:
        if len(rows) - at >= size:
            sql = _statement(into, len(rows[0]), size)
            while len(rows) - at >= size:
                values: list[Any] = []
                for row in rows[at : at + size]:
                    values += row
                connection.execute(sql, values)
                at += size
    if at < len(rows):
        connection.executemany(_statement(into, len(rows[0]), 1), rows[at:])


def _statement(into: str, columns: int, rows: int) -> str:
    """Return a statement that writes so many rows, the same text each time: it is found again by its text."""
    key = (into, columns, rows)
    if key not in _statements:
        marks = f"({', '.join('?' * columns)})"
        _statements[key] = f"{into} VALUES {', '.join([marks] * rows)}"
    return _statements[key]
