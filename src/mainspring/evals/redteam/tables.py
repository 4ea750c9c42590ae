"""Tables of red teaming."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from mainspring.kernel.tables import Json, UtcTime, metadata

redteams = Table(
    "redteams",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("target", String(300), nullable=False),
    Column("packs", Json, nullable=False),
    Column("settings", Json, nullable=False),
    Column("attacks", Integer, nullable=False),
    Column("families", Json, nullable=False),
    Column("whole", Json, nullable=False),
    Column("stopped", String(300), nullable=False),
    Column("calls", Integer, nullable=False),
    Column("cost", Float, nullable=False),
    Column("file", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Index(None, "project", "name", "id"),
    Index(None, "project", "target", "id"),
)
"""One row for each run of attacks that came to its end; its id is the run's."""
