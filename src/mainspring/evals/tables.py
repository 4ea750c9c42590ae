"""Tables of the evals room."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text

from mainspring.kernel.tables import Json, UtcTime, metadata

experiments = Table(
    "experiments",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("dataset", String(300), nullable=False),
    Column("split", String(32), nullable=False),
    Column("target", String(300), nullable=False),
    Column("prompt", String(300), nullable=False),
    Column("suite", String(300), nullable=False),
    Column("constrained", Boolean, nullable=False),
    Column("settings", Json, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("figures", Json, nullable=False),
    Column("stopped", String(300), nullable=False),
    Column("baseline", String(36), nullable=False),
    Column("calls", Integer, nullable=False),
    Column("reused", Integer, nullable=False),
    Column("cost", Float, nullable=False),
    Column("file", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Index(None, "project", "name", "id"),
    Index(None, "project", "target", "id"),
)
"""One row for each experiment that came to its end; its id is the run's."""

calls = Table(
    "experiment_calls",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("run_id", String(36), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("reply", Json, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "project", "key"),
)
"""Answers already paid for, by the hash of everything that was asked."""
