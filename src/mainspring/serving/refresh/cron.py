"""Cron: the moments of a five-field expression, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from mainspring.kernel.errors import Invalid

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 7))
_DAYS = 366 * 8
"""A 29 February comes within eight years."""


class Times(NamedTuple):
    """What an expression allows."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either: bool
    """Whether a day of the month or one of the week is enough, as where both are given."""

    def on(self, day: datetime) -> bool:
        """Tell whether anything happens on a day."""
        month, week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and (month or week if self.either else month and week)


def parse(text: str) -> Times:
    """Read an expression of numbers, `*`, ranges, lists and steps. Raises Invalid."""
    parts = text.split()
    if len(parts) != 5:
        raise Invalid(f"'{text}' has not five fields.", hint="Say minute hour day month weekday, such as '0 3 * * 1'.")
    minutes, hours, days, months, weekdays = (_field(part, *field) for part, field in zip(parts, _FIELDS, strict=True))
    either = not parts[2].startswith("*") and not parts[4].startswith("*")
    return Times(minutes, hours, days, months, frozenset(day % 7 for day in weekdays), either)


def following(times: Times, moment: datetime) -> datetime | None:
    """Return the first moment after `moment`; None where there is none, such as on 31 February."""
    start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    day = start.replace(hour=0, minute=0)
    for _ in range(_DAYS):
        if times.on(day):
            for hour in sorted(times.hours):
                for minute in sorted(times.minutes):
                    found = day.replace(hour=hour, minute=minute)
                    if found >= start:
                        return found
        day += timedelta(days=1)
    return None


def _field(text: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        try:
            start, end = (low, high) if span == "*" else (int(first), int(last or first))
            if span != "*" and step and not last:
                end = high
            width = int(step) if step else 1
        except ValueError:
            raise Invalid(f"'{part}' is no {name}.", hint=f"Give numbers from {low} to {high}, * or */n.") from None
        if not (low <= start <= end <= high and 1 <= width <= high):
            raise Invalid(f"'{part}' is no {name}.", hint=f"It lies from {low} to {high}.")
        found |= set(range(start, end + 1, width))
    return frozenset(found)
