"""Tables of the prompts room. Versions and labels lie in the kernel's."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, String, Table

from mainspring.kernel.tables import UtcTime, metadata

protections = Table(
    "label_protections",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("label", String(128), nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Column("changed_by", String(128), nullable=False),
    Index(None, "project", "label", "id"),
)
