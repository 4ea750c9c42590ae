"""Tables of this room."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from mainspring.kernel.tables import UtcTime, metadata

deployment_moves = Table(
    "deployment_moves",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("baseline", String(300), nullable=False),
    Column("canary", String(300), nullable=False),
    Column("weight", Float, nullable=False),
    Column("previous", String(300), nullable=False),
    Column("moved_at", UtcTime, nullable=False),
    Column("moved_by", String(128), nullable=False),
    Column("note", Text, nullable=False),
    UniqueConstraint("project", "environment", "name", "revision"),
    Index(None, "project", "environment", "id"),
)
"""Append-only: the deployment as it is now is its latest move; so what was live at a moment is one query."""
