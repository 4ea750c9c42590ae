"""Tables of online evaluation."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from mainspring.kernel.tables import Json, UtcTime, metadata

evaluators = Table(
    "evaluators",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("metric", String(400), nullable=False),
    Column("score", String(128), nullable=False),
    Column("choice", Json, nullable=False),
    Column("rate", Float, nullable=False),
    Column("max_cost_per_day", Float),
    Column("enabled", Boolean, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    UniqueConstraint("project", "name"),
)
"""`seen_ns`: calls that began up to then have been drawn from, but for those that were long under way."""

tasks = Table(
    "evaluator_tasks",
    metadata,
    Column("evaluator_id", String(36), primary_key=True),
    Column("trace_id", String(32), primary_key=True),
    Column("span_id", String(16), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", UtcTime, nullable=False),
    Column("value", Float),
    Column("error", Text, nullable=False),
    Column("cost", Float, nullable=False),
    Column("run_id", String(36), nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "evaluator_id", "state", "not_before"),
    Index(None, "evaluator_id", "at"),
    Index(None, "project", "trace_id"),
)
"""`run_id` names the run that looks at the past; empty for what was drawn as it came."""
