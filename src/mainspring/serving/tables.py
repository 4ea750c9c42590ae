"""Tables of this room."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from mainspring.kernel.tables import Json, UtcTime, metadata

deployment_moves = Table(
    "deployment_moves",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("baseline", String(300), nullable=False),
    Column("canary", String(300), nullable=False),
    Column("weight", Float, nullable=False),
    Column("split", String(16), nullable=False),
    Column("shadow", String(300), nullable=False),
    Column("shadow_share", Float, nullable=False),
    Column("previous", String(300), nullable=False),
    Column("moved_at", UtcTime, nullable=False),
    Column("moved_by", String(128), nullable=False),
    Column("note", Text, nullable=False),
    UniqueConstraint("project", "environment", "name", "revision"),
    Index(None, "project", "environment", "id"),
)
"""Append-only: the deployment as it is now is its latest move; so what was live at a moment is one query."""

canaries = Table(
    "canaries",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("deployment", String(128), nullable=False),
    Column("baseline", String(300), nullable=False),
    Column("candidate", String(300), nullable=False),
    Column("plan", Json, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("progress", Json, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("started_by", String(128), nullable=False),
    Column("looked_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Index(None, "state"),
    Index(None, "project", "environment", "deployment", "id"),
)
"""Canaries that are judged: what was planned, what is known so far, and how it ended. `looks` counts the looks."""

canary_units = Table(
    "canary_units",
    metadata,
    Column("canary_id", String(36), primary_key=True),
    Column("watch", String(8), primary_key=True),
    Column("unit", String(32), primary_key=True),
)
"""Units that were counted, by a hash: none counts twice. They are removed when the canary ends."""

canary_looks = Table(
    "canary_looks",
    metadata,
    Column("canary_id", String(36), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("seen", Json, nullable=False),
)
"""What looks found, closer at the beginning: enough to draw the confidence sequence."""
