"""Records of erasures."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints

from mainspring.kernel.records import Record

UserId = Annotated[str, StringConstraints(min_length=1, max_length=512)]
ErasureId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]


class Kept(Record):
    """A dataset version with rows that were made of the user's traces."""

    ref: str
    rows: int


class ErasurePlan(Record):
    """What an erasure would do."""

    subject: str
    """The user's pseudonym: under it, and never under the name, stands the erasure in the audit log."""
    erases: dict[str, int]
    """How many of what would go: traces, spans, scores, …"""
    keeps: list[Kept]
    """A version never changes: `mainspring dataset delete` removes one whole."""
    complete: bool
    """Whether all was counted; a plan looks at 20,000 traces, an erasure at all."""


class Erasure(Record):
    """An erasure that was asked for."""

    id: str
    subject: str
    """The user's pseudonym."""
    run_id: str
    erased: dict[str, int]
    """How many of what went."""
    keeps: list[Kept]
    asked_at: datetime
    asked_by: str
    finished_at: datetime | None
    settled_at: datetime | None
    """When it was looked again for what other processes still held; the user's name is kept until then, not longer."""
