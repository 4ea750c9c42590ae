"""Fixtures of the span stores."""

from __future__ import annotations

from tests.traces.span_stores import clickhouse, open_store, store

__all__ = ["clickhouse", "open_store", "store"]
