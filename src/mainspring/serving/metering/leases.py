"""Leases: what a process holds of an allowance in one window, and what its calls reserve of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mainspring.kernel.errors import Conflict
from mainspring.serving.metering.entries import Take
from mainspring.serving.metering.models import Allowance, Need, Payer

Rules = dict[tuple[str, str], list[Allowance]]
"""What is allowed in a project, by scope and name."""


class Lease:
    """What this process may spend of an allowance in one window."""

    __slots__ = ("allowance", "granted", "reserved", "spent", "starts", "text", "touched", "written")

    def __init__(self, allowance: Allowance, starts: datetime) -> None:
        self.allowance = allowance
        self.starts = starts
        self.text = starts.isoformat()
        """The start as the journal writes it."""
        self.granted = self.spent = self.reserved = 0
        self.written = 0
        """Of what is spent: written to the records."""
        self.touched = False
        """Whether it was used since the last flush."""

    @property
    def free(self) -> int:
        """What a call may still reserve."""
        return self.granted - self.spent - self.reserved

    @property
    def key(self) -> tuple[str, datetime]:
        """What tells it from others."""
        return self.allowance.id, self.starts


class Ticket:
    """One call that has reserved; settle it once."""

    __slots__ = ("call", "hour", "need", "payer", "settled", "takes")

    def __init__(self, call: str, payer: Payer, hour: str, need: Need, takes: list[tuple[Lease, int]]) -> None:
        self.call, self.payer, self.hour, self.need, self.takes = call, payer, hour, need, takes
        self.settled = False


def listed(takes: Sequence[tuple[Lease, int]]) -> list[Take]:
    """Return reservations as the journal writes them."""
    return [(lease.allowance.id, lease.text, amount) for lease, amount in takes]


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
