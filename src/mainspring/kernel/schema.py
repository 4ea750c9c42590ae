"""The schema: an appended list of migrations, each applied once and in order.

An empty database gets the newest tables at once. A change of a released table is a migration, which gets an open
connection and must work on every dialect; it is applied to the databases that were made before it.
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
    """Do nothing: no released schema came before the first."""


MIGRATIONS: tuple[Migration, ...] = (Migration(1, "first schema", _first),)
"""In order; `tests/contract/schemas` keeps a description of each released schema."""


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
    with records.begin() as conn:
        fresh = current(conn) == 0
        if fresh:
            metadata.create_all(conn)
    for migration in MIGRATIONS:
        with records.begin() as conn:
            at = current(conn)
            if at > MIGRATIONS[-1].number:
                raise Conflict(
                    f"The database has schema {at}; this Mainspring knows {MIGRATIONS[-1].number}.",
                    hint="Install the Mainspring that upgraded it, or a later one.",
                )
            if at < migration.number:
                if not fresh:
                    migration.apply(conn)
                row = {"number": migration.number, "name": migration.name, "applied_at": clock.now()}
                conn.execute(insert(schema_versions).values(**row))
                applied.append(migration)
    return applied
