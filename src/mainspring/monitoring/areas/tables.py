"""Tables of improvement areas."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from mainspring.kernel.tables import Json, UtcTime, metadata

issues = Table(
    "issues",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("name", String(200), nullable=False),
    Column("words", Json, nullable=False),
    Column("state", String(16), nullable=False),
    Column("why", String(16), nullable=False),
    Column("score", String(128), nullable=False),
    Column("target", String(300), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("embedding", String(128), nullable=False),
    Column("middle", Json, nullable=False),
    Column("asked", Json, nullable=False),
    Column("apart", Boolean, nullable=False),
    Column("count", Integer, nullable=False),
    Column("reopened", Integer, nullable=False),
    Column("release", String(300), nullable=False),
    Column("fixed_at", UtcTime),
    Column("effect", Json, nullable=False),
    Column("note", Text, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Index(None, "project", "state", "id"),
)
"""`score` is the tool that failed where `why` is `tools`. `middle` is the mean vector of what went wrong, `asked` that
of the questions that it was found by, `apart` whether these are of one half of the calls alone."""

issue_traces = Table(
    "issue_traces",
    metadata,
    Column("issue_id", String(36), primary_key=True),
    Column("trace_id", String(32), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("release", String(300), nullable=False),
    Column("value", Float),
    Index(None, "project", "trace_id"),
    Index(None, "issue_id", "at"),
)

issue_events = Table(
    "issue_events",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("issue_id", String(36), nullable=False),
    Column("project", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("member", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Index(None, "issue_id", "id"),
    Index(None, "project", "at"),
)

searches = Table(
    "issue_searches",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("target", String(300), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("settings", Json, nullable=False),
    Column("every_minutes", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("run_id", String(36), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    UniqueConstraint("project", "target", "environment"),
    Index(None, "enabled", "due_at"),
)
