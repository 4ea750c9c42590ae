"""Tables of the traces room: scores, prices and retention. Spans lie in the span store."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from mainspring.kernel.tables import UtcTime, metadata

scores = Table(
    "scores",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("number", Float),
    Column("label", String(200)),
    Column("comment", Text, nullable=False),
    Column("correction", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("trace_id", String(32), nullable=False),
    Column("span_id", String(16), nullable=False),
    Column("session_id", String(512), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Index(None, "project", "trace_id"),
    Index(None, "project", "name", "id"),
    Index(None, "project", "session_id"),
)

prices = Table(
    "prices",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("model", String(300), nullable=False),
    Column("input_per_million", Float, nullable=False),
    Column("output_per_million", Float, nullable=False),
    Column("cached_per_million", Float),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Index(None, "project", "model", "id"),
)

retentions = Table(
    "retentions",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("days", Integer, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Column("changed_by", String(128), nullable=False),
)
