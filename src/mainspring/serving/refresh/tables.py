"""Tables of model refresh."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, String, Table, Text, UniqueConstraint

from mainspring.kernel.tables import Json, UtcTime, metadata

refresh_policies = Table(
    "refresh_policies",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("environment", String(128), primary_key=True),
    Column("deployment", String(128), primary_key=True),
    Column("terms", Json, nullable=False),
    Column("signal", Json, nullable=False),
    Column("held_back", Text, nullable=False),
    Column("checked_at", UtcTime),
    Column("changed_at", UtcTime, nullable=False),
    Column("changed_by", String(128), nullable=False),
)
"""`signal` is the drift alert that has not been answered; `held_back` why a refresh that is wanted is not due."""

refreshes = Table(
    "refreshes",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("deployment", String(128), nullable=False),
    Column("live", String(128)),
    Column("state", String(16), nullable=False),
    Column("release", String(300), nullable=False),
    Column("reason", Text, nullable=False),
    Column("findings", Json, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("started_by", String(128), nullable=False),
    Column("ended_at", UtcTime),
    Column("ended_by", String(128), nullable=False),
    Column("outcome", String(300), nullable=False),
    Column("note", Text, nullable=False),
    UniqueConstraint("project", "environment", "live"),
    Index(None, "project", "environment", "deployment", "id"),
)
"""`live` is the deployment's name while its refresh is due or under way, else null: there is one at most."""
