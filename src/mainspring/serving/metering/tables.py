"""Tables of metering. Money is whole nanodollars, so that sums are exact."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Table, UniqueConstraint

from mainspring.kernel.tables import UtcTime, metadata

allowances = Table(
    "allowances",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(128), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("measure", String(16), nullable=False),
    Column("per", String(16), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    UniqueConstraint("project", "scope", "name", "measure", "per"),
    Index(None, "project", "id"),
)

windows = Table(
    "allowance_windows",
    metadata,
    Column("allowance", String(36), primary_key=True),
    Column("starts", UtcTime, primary_key=True),
    Column("spent", BigInteger, nullable=False),
    Column("leased", BigInteger, nullable=False),
    Column("told", BigInteger, nullable=False),
)
"""What of an allowance is spent, and what processes hold besides: never more together than is allowed."""

meters = Table(
    "meters",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("applied", BigInteger, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)
"""Processes that meter, and how much of each one's journal stands in the tables."""

leases = Table(
    "leases",
    metadata,
    Column("meter", String(36), primary_key=True),
    Column("allowance", String(36), primary_key=True),
    Column("starts", UtcTime, primary_key=True),
    Column("granted", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
)

usage_hours = Table(
    "usage_hours",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("hour", UtcTime, primary_key=True),
    Column("environment", String(128), primary_key=True),
    Column("key_id", String(64), primary_key=True),
    Column("member", String(128), primary_key=True),
    Column("deployment", String(128), primary_key=True),
    Column("model", String(300), primary_key=True),
    Column("provider", String(128), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("estimated", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("hits", BigInteger, nullable=False),
    Column("saved", BigInteger, nullable=False),
)
