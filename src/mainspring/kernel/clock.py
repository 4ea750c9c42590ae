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
        self._entropy = b""
        os.register_at_fork(after_in_child=self._forget)

    def new(self) -> str:
        """Return a new UUIDv7, greater than every one before it."""
        with self._lock:
            # Milliseconds and a 12-bit fraction of one: method 3 of RFC 9562, section 6.2.
            ticks = time.time_ns() * 4096 // 1_000_000
            self._last = max(ticks, self._last + 1)
            ticks = self._last
            # Asking the system costs as much as all else here; no byte is used twice.
            held = self._entropy or os.urandom(512)
            entropy, self._entropy = held[:8], held[8:]
        return uuid7(ticks >> 12, (ticks & 0xFFF).to_bytes(2, "big") + entropy)

    def _forget(self) -> None:
        self._entropy = b""


def uuid7(milliseconds: int, entropy: bytes) -> str:
    """Lay out a UUIDv7 from a Unix time in milliseconds and 10 bytes, of which 74 bits count (RFC 9562, 5.7)."""
    head, rest = f"{milliseconds & (1 << 48) - 1:012x}", entropy.hex()
    return f"{head[:8]}-{head[8:]}-7{rest[1:4]}-{'89ab'[entropy[2] >> 4 & 3]}{rest[5:8]}-{rest[8:]}"
