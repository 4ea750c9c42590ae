"""Databases of every released schema come up to date, on every database, with what they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    text,
)

from mainspring.kernel import access, schema, versions
from mainspring.kernel.clock import SystemClock
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import metadata

RELEASED = sorted((Path(__file__).parent / "schemas").glob("*.json"))
TYPES = {"VARCHAR": String, "TEXT": Text, "INTEGER": Integer, "BIGINT": BigInteger, "FLOAT": Float, "BOOLEAN": Boolean}


def described(tables: MetaData) -> dict[str, Any]:
    """Describe tables in a form that no dialect has a part in."""
    return {
        table.name: {
            "columns": [
                [column.name, str(column.type.compile()), bool(column.nullable), column.primary_key]
                for column in table.columns
            ],
            "unique": sorted(
                [column.name for column in rule.columns]
                for rule in table.constraints
                if isinstance(rule, UniqueConstraint)
            ),
            "indexes": sorted([column.name for column in index.columns] for index in table.indexes),
        }
        for table in tables.sorted_tables
    }


def built(description: dict[str, Any]) -> MetaData:
    """Make the tables again from their description."""
    tables = MetaData(naming_convention=metadata.naming_convention)
    for name, parts in description.items():
        columns = [
            Column(column, made(kind), nullable=nullable, primary_key=key, autoincrement=False)
            for column, kind, nullable, key in parts["columns"]
        ]
        rules = [UniqueConstraint(*columns) for columns in parts["unique"]]
        Table(name, tables, *columns, *rules, *(Index(None, *columns) for columns in parts["indexes"]))
    return tables


def made(kind: str) -> Any:
    word, _, size = kind.rstrip(")").partition("(")
    return String(int(size)) if word == "VARCHAR" and size else TYPES[word]()


def columns_of(conn: Connection) -> dict[str, set[str]]:
    look = inspect(conn)
    return {table: {column["name"] for column in look.get_columns(table)} for table in look.get_table_names()}


def test_every_released_schema_is_kept() -> None:
    numbers = [int(path.stem) for path in RELEASED]
    assert numbers == [migration.number for migration in schema.MIGRATIONS]


def test_the_tables_are_those_of_the_newest_schema(platform: Platform) -> None:
    newest = json.loads(RELEASED[-1].read_text())
    assert described(metadata) == newest, "a changed table needs a migration and a description of its own"


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_an_old_database_comes_up_to_date_with_what_it_holds(platform: Platform, released: Path) -> None:
    description = json.loads(released.read_text())
    with platform.begin() as tx:
        kept = versions.commit(tx, "prompt", "greet", {"v": 1})
        row = tx.execute(text("SELECT * FROM versions")).mappings().one()
    with platform.records.begin() as conn:
        metadata.drop_all(conn)
        built(description).create_all(conn)
        held = {name: row[name] for name, *_ in description["versions"]["columns"]}
        conn.execute(
            text(f"INSERT INTO versions ({', '.join(held)}) VALUES ({', '.join(':' + name for name in held)})"), held
        )
        for number in range(1, int(released.stem) + 1):
            applied = {"number": number, "name": "old", "at": "2026-01-01T00:00:00.000000+00:00"}
            conn.execute(text("INSERT INTO schema_versions VALUES (:number, :name, :at)"), applied)
    schema.upgrade(platform.records, SystemClock())
    with platform.records.begin() as conn:
        assert schema.current(conn) == schema.MIGRATIONS[-1].number
        assert columns_of(conn) == {table.name: set(table.columns.keys()) for table in metadata.sorted_tables}
    with access.acting_as(access.current()), platform.read() as tx:
        assert versions.resolve(tx, "prompt/greet").sha256 == kept.sha256
    assert schema.upgrade(platform.records, SystemClock()) == []
