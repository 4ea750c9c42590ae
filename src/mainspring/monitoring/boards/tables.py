"""The table of boards."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, UniqueConstraint

from mainspring.kernel.tables import Json, UtcTime, metadata

boards = Table(
    "boards",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("title", String(120), nullable=False),
    Column("panels", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Column("changed_by", String(128), nullable=False),
    UniqueConstraint("project", "name"),
)
