"""Tables of the data room. Datasets and recipes are versions; their rows lie in files."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table

from mainspring.kernel.tables import Json, UtcTime, metadata

profiles = Table(
    "profiles",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("dataset", String(300), nullable=False),
    Column("body", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index(None, "project", "dataset", "id"),
)
