"""A transaction together with who acts in it and when: what every write is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, CursorResult, Executable

from mainspring.kernel.access import Caller
from mainspring.kernel.anchor import Head

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform


@dataclass(frozen=True, slots=True)
class Tx:
    """One open transaction, or one consistent read."""

    platform: Platform
    conn: Connection
    caller: Caller
    now: datetime
    """The moment of the transaction: aware, in UTC."""
    heads: list[Head] = field(default_factory=list)
    """Heads of the audit log: the one before, then those that the transaction wrote; the anchor follows the last."""

    @property
    def project(self) -> str:
        """Name of the project that the caller works in; every query filters on it."""
        return self.caller.project

    def new_id(self) -> str:
        """Return a new time-ordered identifier."""
        return self.platform.ids.new()

    def execute(
        self, statement: Executable, parameters: Sequence[dict[str, Any]] | dict[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Run a statement with bound parameters."""
        return self.conn.execute(statement, parameters)
