"""Tables of the registry. Models and releases are versions of the kernel's; a release has a state besides.

A file's bytes lie in the store under their hash; `file_grants` says which projects hold it.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from mainspring.kernel.tables import Json, UtcTime, metadata

file_grants = Table(
    "file_grants",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("granted_at", UtcTime, nullable=False),
    Column("granted_by", String(128), nullable=False),
    Index(None, "sha256"),
)

release_states = Table(
    "release_states",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("author", String(128), nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Index(None, "project", "state"),
)

release_events = Table(
    "release_events",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("member", String(128), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("note", Text, nullable=False),
    Column("detail", Json, nullable=False),
    Index(None, "project", "name", "number", "id"),
)

providers = Table(
    "providers",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("url", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("connect_seconds", Float, nullable=False),
    Column("first_token_seconds", Float, nullable=False),
    Column("between_seconds", Float, nullable=False),
    Column("total_seconds", Float, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Column("changed_by", String(128), nullable=False),
)
