"""Tables of monitoring: monitors, what they found, alerts, and the channels that alerts go to."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from mainspring.kernel.tables import Json, UtcTime, metadata

monitors = Table(
    "monitors",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("target", String(300), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("settings", Json, nullable=False),
    Column("every_minutes", Integer, nullable=False),
    Column("window_minutes", Integer, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("channels", Json, nullable=False),
    Column("actions", Json, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    UniqueConstraint("project", "name"),
    Index(None, "enabled", "due_at"),
)

monitor_results = Table(
    "monitor_results",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("monitor", String(128), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("value", Float),
    Column("threshold", Float),
    Column("n", Integer, nullable=False),
    Column("summary", Text, nullable=False),
    Column("detail", Json, nullable=False),
    Column("trace_ids", Json, nullable=False),
    Column("alert_id", String(36), nullable=False),
    Index(None, "project", "monitor", "id"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("monitor", String(128), nullable=False),
    Column("target", String(300), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("title", String(300), nullable=False),
    Column("summary", Text, nullable=False),
    Column("detail", Json, nullable=False),
    Column("trace_ids", Json, nullable=False),
    Column("count", Integer, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("acknowledged_at", UtcTime),
    Column("acknowledged_by", String(128), nullable=False),
    Column("resolved_at", UtcTime),
    Column("resolved_by", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Column("live", String(128), nullable=True),
    UniqueConstraint("project", "live"),
    Index(None, "project", "state", "id"),
)
"""`live` is the monitor's name until the alert is resolved, then null: so a monitor has one live alert at most."""

channels = Table(
    "channels",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("host", String(300), nullable=False),
    Column("min_severity", String(16), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    UniqueConstraint("project", "name"),
)
"""`sealed` holds the URL and the secret, encrypted: a chat's webhook URL is itself a credential."""

silences = Table(
    "silences",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("monitor", String(128), nullable=False),
    Column("target", String(300), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Index(None, "project", "id"),
)
