"""The lines of sessions, beside the traces: changed by what a batch adds and takes away, however long a session is."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

_HELD = """
    SELECT user, environment, first_ns, last_ns, traces, errors, input_tokens, output_tokens, cost FROM sessions
    WHERE project = ? AND session = ?"""
_DROP = "DELETE FROM sessions WHERE project = ? AND session = ?"
_PUT = "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_COUNT = """
    INSERT OR REPLACE INTO sessions
    SELECT project, session, max(user), max(environment), min(start_ns), max(end_ns), count(*),
        sum(status = 2), sum(input_tokens), sum(output_tokens), sum(cost)
    FROM traces WHERE project = ? AND session = ? AND session <> '' GROUP BY project, session"""
_NEW = ("", 0, (1 << 63) - 1, 0, 0, 0, 0, 0, 0.0)
"""The line of a session that nobody heard of before."""
_BOUNDS = ("user", "environment", "start_ns", "end_ns")


class Line(NamedTuple):
    """What a trace adds to the lines of its user and its session."""

    user: str
    start_ns: int
    status: int
    input_tokens: int
    output_tokens: int
    cost: float
    session: str
    environment: int
    end_ns: int


class Sessions:
    """Changes to the lines of a project's sessions, gathered over a batch."""

    def __init__(self, project: int) -> None:
        self._project = project
        self._came: dict[str, list[Line]] = defaultdict(list)
        self._left: dict[str, list[Line]] = defaultdict(list)

    def enter(self, line: Line) -> None:
        """Count a trace to its session, as it is now."""
        if line.session:
            self._came[line.session].append(line)

    def leave(self, line: Line) -> None:
        """Count a trace no longer to its session, as it was before."""
        if line.session:
            self._left[line.session].append(line)

    def write(self, connection: Any) -> None:
        """Bring the lines up to date; those of the traces must have been written."""
        for session in dict.fromkeys([*self._came, *self._left]):
            key = (self._project, session)
            held = connection.execute(_HELD, key).fetchone()
            now = _changed(held, self._came.get(session, []), self._left.get(session, []))
            if now is not None:
                connection.execute(_PUT, (*key, *now))
                continue
            # What set a bound is gone: only the traces that are left know the next one.
            connection.execute(_DROP, key)
            connection.execute(_COUNT, key)


def _changed(held: Any, came: list[Line], left: list[Line]) -> tuple[Any, ...] | None:
    """Return the line of a session after a change; None where all its traces have to be looked at."""
    if held is None and left:
        return None
    user, environment, first, last, *sums = held or _NEW
    now = (
        max([user, *(line.user for line in came)]),
        max([environment, *(line.environment for line in came)]),
        min([first, *(line.start_ns for line in came)]),
        max([last, *(line.end_ns for line in came)]),
    )
    bounds = [{getattr(line, name) for line in came} for name in _BOUNDS]
    for line in left:
        if any(getattr(line, _BOUNDS[at]) == bound and bound not in bounds[at] for at, bound in enumerate(now)):
            return None
    amounts: list[Any] = list(sums)
    for sign, lines in ((1, came), (-1, left)):
        for line in lines:
            counted = (1, line.status == 2, line.input_tokens, line.output_tokens, line.cost)
            amounts = [amount + sign * more for amount, more in zip(amounts, counted, strict=True)]
    return (*now, *amounts[:4], max(0.0, amounts[4])) if amounts[0] > 0 else None
