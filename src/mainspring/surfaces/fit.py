"""Fit: whether a database has the tables and columns that this Mainspring asks of it."""

from __future__ import annotations

from sqlalchemy import inspect

from mainspring.kernel.errors import Conflict
from mainspring.kernel.ports import Records
from mainspring.kernel.tables import metadata

_SHOWN = 5


def lacking(records: Records) -> list[str]:
    """Return the tables, and the columns as `table.column`, that the rooms ask for and the database lacks.

    Empty for a database without any table, which is yet to be made. The rooms must have been loaded.
    """
    found: list[str] = []
    with records.read() as conn:
        looked = inspect(conn)
        there = set(looked.get_table_names())
        if not there & set(metadata.tables):
            return []
        for name, table in sorted(metadata.tables.items()):
            if name not in there:
                found.append(name)
                continue
            held = {column["name"] for column in looked.get_columns(name)}
            found += [f"{name}.{column.name}" for column in table.columns if column.name not in held]
    return found


def require(records: Records) -> None:
    """Raise Conflict where the database was made by a Mainspring whose tables were other ones."""
    missing = lacking(records)
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise Conflict(
            f"The database was made by another state of Mainspring: it lacks {', '.join(missing[:_SHOWN])}{more}.",
            hint="Start on a new home folder (--home), or use the Mainspring that made this one.",
        )
