"""Tables of the traces room: scores, comments, prices, retention and what is captured. Spans lie in the span store."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from mainspring.kernel.tables import Json, UtcTime, metadata

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
    Column("provider", String(128), nullable=False),
    Column("model", String(300), nullable=False),
    Column("terms", Json, nullable=False),
    Column("holds_from", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Index(None, "project", "id"),
    Index(None, "project", "model", "id"),
)

comments = Table(
    "trace_comments",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("trace_id", String(32), nullable=False),
    Column("span_id", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Index(None, "project", "trace_id", "id"),
    Index(None, "project", "id"),
)

retentions = Table(
    "retentions",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("days", Integer, nullable=False),
    Column("rules", Json, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Column("changed_by", String(128), nullable=False),
    Column("marks", Json),
    Column("looked_at", UtcTime),
)
"""`marks`: up to which start each rule, and last the time of the rest, has decided on traces, in nanoseconds.
`looked_at`: when all of them were looked at last."""

captures = Table(
    "captures",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("rules", Json, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Column("changed_by", String(128), nullable=False),
)

forgotten_users = Table(
    "forgotten_users",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("subject", String(64), primary_key=True),
    Column("before", UtcTime, nullable=False),
)
"""`subject` is a pseudonym: who was erased stands nowhere."""

awaiting = Table(
    "awaiting_messages",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("trace_id", String(32), nullable=False),
    Column("span_id", String(16), nullable=False),
    Column("input", Json),
    Column("output", Json),
    Column("created_at", UtcTime, nullable=False),
    Index(None, "project", "trace_id"),
)
