"""Windows: the stretches of the calendar that allowances are counted in, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

Per = Literal["minute", "hour", "day", "month"]
_windows: dict[Per, tuple[datetime, datetime, str]] = {}
"""The last window that was asked for, with its end and its start as text: most calls are in the same one."""


def window_start(now: datetime, per: Per) -> datetime:
    """Return when the present window began: windows follow the calendar, in UTC."""
    return _window(now, per)[0]


def window_named(now: datetime, per: Per) -> str:
    """Return when the present window began, as text (RFC 3339)."""
    return _window(now, per)[2]


def window_end(start: datetime, per: Per) -> datetime:
    """Return when a window ends and the next one begins."""
    if per == "month":
        return (start + timedelta(days=32)).replace(day=1)
    return start + {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}[per]


def _window(now: datetime, per: Per) -> tuple[datetime, datetime, str]:
    last = _windows.get(per)
    if last is None or not last[0] <= now < last[1]:
        start = _began(now, per)
        last = _windows[per] = (start, window_end(start, per), start.isoformat())
    return last


def _began(now: datetime, per: Per) -> datetime:
    start = now.astimezone(UTC).replace(second=0, microsecond=0)
    if per != "minute":
        start = start.replace(minute=0)
    if per in ("day", "month"):
        start = start.replace(hour=0)
    return start.replace(day=1) if per == "month" else start
