"""Tables of the cache."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from mainspring.kernel.tables import Json, UtcTime, metadata
from mainspring.serving.moves import table_of

cache_moves = table_of("cache_moves")
"""Append-only: a policy as it is now is its latest move."""

cache_entries = Table(
    "cache_entries",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("key", String(64), nullable=False),
    Column("space", String(64), nullable=False),
    Column("vector", Text, nullable=False),
    Column("content", Json, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("trace_id", String(64), nullable=False),
    Column("user_id", String(256), nullable=False),
    Column("session_id", String(256), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("used_at", UtcTime, nullable=False),
    UniqueConstraint("project", "key"),
    Index(None, "project", "space", "created_at"),
    Index("ix_cache_entries_place", "project", "environment", "name", "used_at"),
    Index("ix_cache_entries_trace", "project", "trace_id"),
    Index("ix_cache_entries_user", "project", "user_id"),
    Index(None, "expires_at"),
)
"""Answers that are kept. Of the questions stand here a hash and, for semantic policies, the embedding (base64 of
float16): never the text."""

cache_counts = Table(
    "cache_counts",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("environment", String(128), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("hits", BigInteger, nullable=False),
    Column("semantic", BigInteger, nullable=False),
    Column("misses", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("saved", BigInteger, nullable=False),
)
"""What calls found, since the cache was last cleared. `saved` is in nanodollars."""
