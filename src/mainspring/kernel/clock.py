"""Time and identity, passed in so that a test needs no patching."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""


class Ids(Protocol):
    """Where identifiers come from."""

    def new(self) -> str:
        """Return a new time-ordered identifier: UUIDv7 (RFC 9562, section 5.7) in its canonical text form."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)


class SystemIds:
    """UUIDv7 from the machine's clock and its random source, strictly increasing within a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._entropy, self._used = "", 0
        os.register_at_fork(after_in_child=self._forget)

    def new(self) -> str:
        """Return a new UUIDv7, greater than every one before it."""
        with self._lock:
            # Milliseconds and a 12-bit fraction of one: method 3 of RFC 9562, section 6.2.
            now = time.time_ns()
            ticks = max((now // 1_000_000 << 12) + (now % 1_000_000 << 12) // 1_000_000, self._last + 1)
            # Asking the system costs as much as all else here; no digit is used twice.
            if self._used >= len(self._entropy):
                self._entropy, self._used = os.urandom(1024).hex(), 0
            self._last, self._used = ticks, self._used + 16
            return uuid7(ticks, self._entropy[self._used - 16 : self._used])

    def _forget(self) -> None:
        self._entropy, self._used = "", 0


def uuid7(ticks: int, digits: str) -> str:
    """Lay out a UUIDv7 from 1/4096 of milliseconds of Unix time, and 16 hex digits of which 62 bits count."""
    head = f"{ticks & (1 << 60) - 1:015x}"
    variant = "89ab"["0123456789abcdef".find(digits[0]) & 3]
    return f"{head[:8]}-{head[8:12]}-7{head[12:]}-{variant}{digits[1:4]}-{digits[4:]}"
