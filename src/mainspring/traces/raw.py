"""RawSpan: a span as it came over the wire, in plain Python values, before any dialect is understood."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct


class RawSpan(Struct):
    """One span of a request."""

    resource: dict[str, Any]
    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    name: str = ""
    start_ns: int = 0
    end_ns: int = 0
    status: Literal["unset", "ok", "error", "running"] = "unset"
    status_message: str = ""
    attributes: dict[str, Any] = {}
    events: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
