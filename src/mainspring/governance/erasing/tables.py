"""The table of erasures."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text

from mainspring.kernel.tables import Json, UtcTime, metadata

erasures = Table(
    "erasures",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("user_id", Text, nullable=False),
    Column("run_id", String(36), nullable=False),
    Column("erased", Json, nullable=False),
    Column("keeps", Json, nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("asked_by", String(128), nullable=False),
    Column("finished_at", UtcTime),
    Column("settled_at", UtcTime),
    Index(None, "project", "id"),
    Index(None, "project", "subject"),
    Index(None, "settled_at"),
)
"""`user_id` is emptied once the erasure has settled."""
