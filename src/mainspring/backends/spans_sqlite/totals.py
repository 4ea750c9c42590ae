"""Totals beside the traces: by hour, by user and by session, changed by what a batch adds and takes away."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from mainspring.backends.spans_log.lines import HOUR_NS, RUNNING, bucket
from mainspring.backends.spans_sqlite.sessions import Line, Sessions

_NEVER = (1 << 63) - 1
_ADD_HOUR = """
    INSERT INTO hours VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET spans = spans + excluded.spans, errors = errors + excluded.errors,
        roots = roots + excluded.roots, input_tokens = input_tokens + excluded.input_tokens,
        output_tokens = output_tokens + excluded.output_tokens, cost = max(0, cost + excluded.cost),
        duration_ns = duration_ns + excluded.duration_ns"""

_DROP_HOUR = """
    DELETE FROM hours WHERE project = ? AND hour = ? AND environment = ? AND deployment = ? AND release = ?
        AND model = ? AND kind = ? AND bucket = ? AND spans <= 0"""
_ADD_USER = """
    INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET first_ns = min(first_ns, excluded.first_ns), last_ns = max(last_ns, excluded.last_ns),
        traces = traces + excluded.traces, errors = errors + excluded.errors,
        input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
        cost = max(0, cost + excluded.cost)"""
_SPAN_USER = """
    UPDATE users SET
        first_ns = (SELECT min(start_ns) FROM traces WHERE project = ? AND user = ? AND user <> ''),
        last_ns = (SELECT max(start_ns) FROM traces WHERE project = ? AND user = ? AND user <> '')
    WHERE project = ? AND user = ? AND traces > 0"""
_DROP_USERS = "DELETE FROM users WHERE project = ? AND traces <= 0"


class Short(NamedTuple):
    """The short columns of a span's row."""

    id: int
    span: bytes
    parent: bytes | None
    start_ns: int
    end_ns: int
    status: int
    name: str
    kind: int
    environment: int
    service: int
    model: int
    deployment: int
    release: int
    prompt: int
    session: str
    user: str
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    says: int


class Totals:
    """Changes to the hourly totals and to the lines of users, gathered over a batch."""

    def __init__(self, project: int) -> None:
        self._project = project
        # Whole numbers and amounts of money beside each other: as floats, the former would lose their last digits.
        self._sums: dict[tuple[int, ...], list[Any]] = defaultdict(lambda: [0, 0, 0, 0, 0, 0.0, 0])
        self._users: dict[str, list[Any]] = defaultdict(lambda: [_NEVER, 0, 0, 0, 0, 0, 0.0])
        self._left: set[str] = set()
        self._sessions = Sessions(project)

    def add(self, span: Short, sign: int, *, quiet: bool = False, outer: bool = False) -> None:
        """Add a span to its hour (sign 1), or take it away (sign -1).

        A `quiet` one counts as no error, an `outer` one as neither error nor tokens nor cost: another span tells them.
        """
        if span.status == RUNNING:
            return
        duration = span.end_ns - span.start_ns
        key = (span.start_ns // HOUR_NS, span.environment, span.deployment, span.release, span.model, span.kind)
        sums = self._sums[*key, bucket(duration)]
        sums[0] += sign
        sums[2] += sign * (span.parent is None)
        sums[6] += sign * duration
        if outer:
            return
        sums[1] += sign * (span.status == 2 and not quiet)
        sums[3] += sign * (span.input_tokens or 0)
        sums[4] += sign * (span.output_tokens or 0)
        sums[5] += sign * (span.cost or 0)

    def write(self, connection: Any) -> None:
        """Add what was gathered to the tables; those of the traces must have been written."""
        connection.executemany(_ADD_HOUR, [(self._project, *key, *sums) for key, sums in self._sums.items()])
        shrunk = [(self._project, *key) for key, sums in self._sums.items() if sums[0] < 0]
        connection.executemany(_DROP_HOUR, shrunk)
        connection.executemany(_ADD_USER, [(self._project, user, *sums) for user, sums in self._users.items()])
        connection.executemany(_SPAN_USER, [(self._project, user) * 3 for user in self._left])
        if self._left:
            connection.execute(_DROP_USERS, (self._project,))
        self._sessions.write(connection)

    def enter(self, line: Line) -> None:
        """Count a trace to its user and its session, as it is now."""
        self._sessions.enter(line)
        if line.user:
            sums = self._users[line.user]
            sums[0], sums[1] = min(sums[0], line.start_ns), max(sums[1], line.start_ns)
            self._add(sums, line, 1)

    def leave(self, line: Line) -> None:
        """Count a trace no longer to its user and its session, as it was before."""
        self._sessions.leave(line)
        if line.user:
            self._add(self._users[line.user], line, -1)
            self._left.add(line.user)

    @staticmethod
    def _add(sums: list[Any], line: Line, sign: int) -> None:
        amounts = (1, line.status == 2, line.input_tokens, line.output_tokens, line.cost)
        for index, amount in enumerate(amounts, 2):
            sums[index] += sign * amount
