"""The one MetaData, its column types, and the kernel's own tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """An aware moment in UTC, stored as RFC 3339 text with microseconds, so that it sorts as text everywhere."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write an aware moment; a naive one is an error of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Read an aware moment in UTC."""
        return None if value is None else datetime.fromisoformat(value)


class Json(TypeDecorator[Any]):
    """A JSON value, stored as canonical text (sorted keys, no spaces)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Write canonical JSON."""
        return canonical(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read the value."""
        return None if value is None else json.loads(value)


def canonical(value: Any) -> str:
    """Return the canonical JSON text of a value: sorted keys, no spaces, UTF-8, no NaN."""
    return _canonical.encode(value)


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


versions = Table(
    "versions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("name", String(128), nullable=False),
    Column("number", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("content", Json, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    UniqueConstraint("project", "kind", "name", "number"),
    UniqueConstraint("project", "kind", "name", "sha256"),
)

purged_versions = Table(
    "purged_versions",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
)

alias_moves = Table(
    "alias_moves",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("name", String(128), nullable=False),
    Column("alias", String(128), nullable=False),
    Column("number", Integer),
    Column("moved_at", UtcTime, nullable=False),
    Column("moved_by", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Index(None, "project", "kind", "name", "alias", "id"),
)

edges = Table(
    "lineage_edges",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("run_id", String(36), nullable=False),
    Column("direction", String(3), nullable=False),
    Column("ref", String(300), nullable=False),
    UniqueConstraint("project", "run_id", "direction", "ref"),
    Index(None, "project", "ref", "direction"),
)

row_edges = Table(
    "lineage_rows",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("dataset", String(300), primary_key=True),
    Column("row_id", String(64), primary_key=True),
    Column("source_kind", String(16), primary_key=True),
    Column("source_id", String(400), primary_key=True),
    Index(None, "project", "source_kind", "source_id"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("params", Json, nullable=False),
    Column("result", Json),
    Column("error", Json),
    Column("progress", Json, nullable=False),
    Column("caller", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("attempt", Integer, nullable=False),
    Index(None, "project", "kind", "id"),
    Index(None, "state", "id"),
)

run_events = Table(
    "run_events",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("body", Json, nullable=False),
)

run_steps = Table(
    "run_steps",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("result", Json, nullable=False),
    Column("at", UtcTime, nullable=False),
)

audit_rows = Table(
    "audit_rows",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("project", String(128), nullable=False),
    Column("member", String(128), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", String(400), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("detail", Json, nullable=False),
    Column("mac", String(64), nullable=False),
    Index(None, "project", "seq"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("seal", String(64), nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("topic", String(64), nullable=False),
    Column("payload", Json, nullable=False),
    Column("at", UtcTime, nullable=False),
)

event_deliveries = Table(
    "event_deliveries",
    metadata,
    Column("event_id", String(36), primary_key=True),
    Column("consumer", String(128), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", UtcTime, nullable=False),
    Column("error", Text, nullable=False),
    Index(None, "state", "not_before"),
)

settings = Table(
    "settings",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("value", Json, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Column("changed_by", String(128), nullable=False),
)

schema_versions = Table(
    "schema_versions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(128), nullable=False),
    Column("applied_at", UtcTime, nullable=False),
)
