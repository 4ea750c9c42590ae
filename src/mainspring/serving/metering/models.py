"""What metering passes around: who pays, what a call needs, and what is allowed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from mainspring.kernel.errors import LimitReached
from mainspring.serving.metering.windows import Per, window_end

Scope = Literal["project", "environment", "member", "key"]
Measure = Literal["requests", "tokens", "money"]


class Payer(msgspec.Struct, frozen=True, array_like=True, order=True):
    """On whose account a call goes, and what it calls."""

    project: str
    environment: str = ""
    key_id: str = ""
    member: str = ""
    deployment: str = ""
    model: str = ""
    provider: str = ""


class Amounts(msgspec.Struct, frozen=True, array_like=True):
    """What calls used."""

    requests: int = 0
    estimated: int = 0
    """Of the requests: billed at an estimate, because the process or the answer ended before its usage was known."""
    unpriced: int = 0
    """Of the requests: to a model that had no price."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: int = 0
    """Nanodollars."""
    hits: int = 0
    """Of the requests: answered from the cache."""
    saved: int = 0
    """Nanodollars that these would have cost."""

    def plus(self, other: Amounts) -> Amounts:
        """Return the sum."""
        return Amounts(
            self.requests + other.requests,
            self.estimated + other.estimated,
            self.unpriced + other.unpriced,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cost + other.cost,
            self.hits + other.hits,
            self.saved + other.saved,
        )


Need = Amounts
"""The most that a call may use."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much of a measure somebody may use in each window."""

    id: str
    scope: Scope
    name: str
    """Key id, member or environment; empty for the whole project."""
    measure: Measure
    per: Per
    amount: int
    """Requests, tokens or nanodollars."""

    def of(self, amounts: Amounts) -> int:
        """Return what counts against it of a call."""
        if self.measure == "requests":
            return amounts.requests
        return amounts.cost if self.measure == "money" else amounts.input_tokens + amounts.output_tokens

    def said(self, amount: int) -> str:
        """Return an amount with its unit."""
        return f"${amount / 1e9:.6g}" if self.measure == "money" else f"{amount} {self.measure}"

    def __str__(self) -> str:
        whose = f"the {self.scope} {self.name}" if self.name else "the project"
        kind = "budget" if self.measure == "money" else "limit"
        return f"the {kind} of {self.said(self.amount)} a {self.per} of {whose}"


class BudgetSpent(LimitReached):
    """A budget in money has no room for the call."""

    code = "insufficient_quota"


def refusal(allowance: Allowance, wanted: int, spent: int, start: datetime, now: datetime) -> LimitReached:
    """Return the error for a call that an allowance has no room for; it names which one, and when it begins anew."""
    resets = window_end(start, allowance.per)
    seconds = max(1, math.ceil((resets - now).total_seconds()))
    error = BudgetSpent if allowance.measure == "money" else LimitReached
    when = f"{resets:%Y-%m-%dT%H:%M:%SZ}"
    fits = wanted <= allowance.amount
    if not fits:
        problem = f"This call may use up to {allowance.said(wanted)}, which is over {allowance}."
        hint = "Shorten it, or ask for fewer tokens with max_tokens."
    elif spent + wanted <= allowance.amount:
        problem = f"Calls that are not finished hold what is left of {allowance}."
        hint, seconds = "Ask again in a moment, or for fewer tokens with max_tokens.", min(seconds, 2)
    else:
        left = max(0, allowance.amount - spent)
        name = str(allowance)
        problem = f"{name[0].upper()}{name[1:]} has {allowance.said(left)} left; "
        problem += f"this call may use {allowance.said(wanted)}."
        hint = f"It begins anew at {when}."
    return error(problem, hint=hint, retry_after=seconds, limit=allowance.id, resets_at=when, fits=fits)
