"""The schema: an appended list of migrations, each applied once and in order.

The first creates the tables as they were first released; a later change of a table is a migration of its own, which
gets an open connection and must work on every dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, inspect, select

from mainspring.kernel.clock import Clock
from mainspring.kernel.errors import Conflict
from mainspring.kernel.ports import Records
from mainspring.kernel.tables import metadata, schema_versions


@dataclass(frozen=True, slots=True)
class Migration:
    """One change of the schema."""

    number: int
    name: str
    apply: Callable[[Connection], None]


def _first(conn: Connection) -> None:
    """Create what is missing. Every room's tables must have been imported."""
    metadata.create_all(conn)


MIGRATIONS: tuple[Migration, ...] = (Migration(1, "first schema", _first),)


def current(conn: Connection) -> int:
    """Return the number of the last migration applied; 0 for an empty database."""
    if not inspect(conn).has_table(schema_versions.name):
        return 0
    return int(conn.execute(select(func.coalesce(func.max(schema_versions.c.number), 0))).scalar_one())


def upgrade(records: Records, clock: Clock) -> list[Migration]:
    """Apply what is missing, each migration in a transaction; return what was applied. Raises Conflict.

    A database that a later Mainspring has upgraded is left alone.
    """
    applied: list[Migration] = []
    for migration in MIGRATIONS:
        with records.begin() as conn:
            at = current(conn)
            if at > MIGRATIONS[-1].number:
                raise Conflict(
                    f"The database has schema {at}; this Mainspring knows {MIGRATIONS[-1].number}.",
                    hint="Install the Mainspring that upgraded it, or a later one.",
                )
            if at < migration.number:
                schema_versions.create(conn, checkfirst=True)
                migration.apply(conn)
                row = {"number": migration.number, "name": migration.name, "applied_at": clock.now()}
                conn.execute(insert(schema_versions).values(**row))
                applied.append(migration)
    return applied
