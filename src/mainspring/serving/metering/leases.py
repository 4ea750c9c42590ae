"""Leases: what a process holds of an allowance in one window, and what its calls reserve of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mainspring.kernel.errors import Conflict
from mainspring.serving.metering.entries import Take
from mainspring.serving.metering.models import Allowance, Need, Payer, rfc3339

Rules = dict[tuple[str, str], list[Allowance]]
"""What is allowed in a project, by scope and name."""


@dataclass(slots=True)
class Lease:
    """What this process may spend of an allowance in one window."""

    allowance: Allowance
    starts: datetime
    granted: int = 0
    spent: int = 0
    reserved: int = 0
    written: int = 0
    """Of what is spent: written to the records."""
    touched: bool = False
    """Whether it was used since the last flush."""

    @property
    def free(self) -> int:
        """What a call may still reserve."""
        return self.granted - self.spent - self.reserved

    @property
    def key(self) -> tuple[str, datetime]:
        """What tells it from others."""
        return self.allowance.id, self.starts


@dataclass(slots=True)
class Ticket:
    """One call that has reserved; settle it once."""

    call: str
    payer: Payer
    hour: str
    need: Need
    takes: list[tuple[Lease, int]]
    settled: bool = False


def listed(takes: Sequence[tuple[Lease, int]]) -> list[Take]:
    """Return reservations as the journal writes them."""
    return [(lease.allowance.id, rfc3339(lease.starts), amount) for lease, amount in takes]


def covering(rules: Rules, payer: Payer, need: Need) -> list[Allowance]:
    """Return what a payer's call counts against. Raises Conflict for a budget over a model without a price."""
    if not rules:
        return []
    found: list[Allowance] = []
    whose = (("project", ""), ("environment", payer.environment), ("member", payer.member), ("key", payer.key_id))
    for key in whose:
        if key in rules:
            found += rules[key]
    if need.unpriced:
        for allowance in found:
            if allowance.measure == "money":
                raise Conflict(
                    f"{payer.model} has no price, so that {allowance} cannot be kept.",
                    hint="Set it with `mainspring price set`.",
                )
    return found
