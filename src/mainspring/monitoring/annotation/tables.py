"""Tables of annotation."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from mainspring.kernel.tables import Json, UtcTime, metadata

queues = Table(
    "annotation_queues",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("rubric", Text, nullable=False),
    Column("questions", Json, nullable=False),
    Column("reviewers", Integer, nullable=False),
    Column("members", Json, nullable=False),
    Column("state", String(16), nullable=False),
    Column("shares", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    UniqueConstraint("project", "name"),
)
"""`shares` counts the times that all shared links were taken back: a link of an earlier count is not valid."""

items = Table(
    "annotation_items",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("queue_id", String(36), nullable=False),
    Column("trace_id", String(32), nullable=False),
    Column("span_id", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Column("reviews", Integer, nullable=False),
    Column("final", Json, nullable=True),
    Column("score_ids", Json, nullable=False),
    Column("added_at", UtcTime, nullable=False),
    Column("added_by", String(128), nullable=False),
    UniqueConstraint("queue_id", "trace_id", "span_id"),
    Index(None, "queue_id", "state", "id"),
    Index(None, "project", "trace_id"),
)

holds = Table(
    "annotation_holds",
    metadata,
    Column("item_id", String(36), primary_key=True),
    Column("reviewer", String(128), primary_key=True),
    Column("until", UtcTime, nullable=False),
)
"""Places of items that reviewers were given and have not answered yet."""

reviews = Table(
    "annotation_reviews",
    metadata,
    Column("item_id", String(36), primary_key=True),
    Column("reviewer", String(128), primary_key=True),
    Column("adjudication", Boolean, primary_key=True),
    Column("queue_id", String(36), nullable=False),
    Column("answers", Json, nullable=False),
    Column("comment", Text, nullable=False),
    Column("skipped", Boolean, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "queue_id", "reviewer"),
)
