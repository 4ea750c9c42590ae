"""Records of metering: what its operations return."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from mainspring.kernel.records import Record
from mainspring.serving.metering.models import Scope
from mainspring.serving.metering.windows import Per


class _Allowed(Record):
    """What somebody may use in each window of time."""

    id: str
    scope: Scope
    name: str
    """Id of the key, name of the member or of the environment; empty for the whole project."""
    per: Per
    starts_at: datetime
    """When the present window began: windows follow the calendar, in UTC."""
    resets_at: datetime
    created_at: datetime
    created_by: str


class Limit(_Allowed):
    """How many requests or tokens somebody may use in each window."""

    measure: Literal["requests", "tokens"]
    amount: int
    spent: int
    """In the present window, by calls that ended."""
    held: int
    """What servers have set aside for calls that run, and for the next ones."""


class Budget(_Allowed):
    """How much money somebody may spend in each window, in US dollars."""

    amount: float
    spent: float
    """In the present window, by calls that ended."""
    held: float
    """What servers have set aside for calls that run, and for the next ones."""


class UsageRow(Record):
    """What calls used; of what was not asked for apart, the field is empty."""

    day: str
    """The calendar day in UTC, such as 2026-11-24."""
    key: str
    member: str
    model: str
    deployment: str
    environment: str
    provider: str
    requests: int
    estimated: int
    """Of the requests: billed at an estimate, because the answer or the server ended before its usage was known."""
    unpriced: int
    """Of the requests: to a model elsewhere that had no price."""
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: float
    """US dollars."""
    nanodollars: int
    """The same, exactly: billionths of a dollar."""
    hits: int
    """Of the requests: answered from the cache, which costs nothing and uses no tokens."""
    saved: float
    """US dollars that these would have cost."""
