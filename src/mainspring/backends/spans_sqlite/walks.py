"""How a list finds its traces: along the rarest of what it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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
