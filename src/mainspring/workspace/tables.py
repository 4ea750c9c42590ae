"""Tables of the workspace. A member's name means the same person in every project; a role is held in one project."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, String, Table, Text

from mainspring.kernel.tables import Json, UtcTime, metadata

projects = Table(
    "projects",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("description", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
)

environments = Table(
    "environments",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("protected", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("role", String(32), nullable=False),
    Column("email", String(254), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Index(None, "name"),
)

views = Table(
    "saved_views",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("page", String(128), nullable=False),
    Column("title", String(80), nullable=False),
    Column("state", Json, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Index(None, "project", "page", "id"),
)

keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("member", String(128), nullable=False),
    Column("note", String(200), nullable=False),
    Column("mac", String(64), nullable=False),
    Column("permissions", Json, nullable=False),
    Column("models", Json, nullable=False),
    Column("roams", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("expires_at", UtcTime),
    Column("revoked_at", UtcTime),
    Column("last_used_at", UtcTime),
    Column("replaced_by", String(32), nullable=False),
    Index(None, "project", "id"),
    Index(None, "project", "member"),
)

sessions = Table(
    "ui_sessions",
    metadata,
    Column("id_hash", String(64), primary_key=True),
    Column("sealed_key", Text, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)
