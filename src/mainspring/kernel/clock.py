"""Time and identity, passed in so that a test needs no patching."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...


class Ids(Protocol):
    """Where identifiers come from."""

    def new(self) -> str:
        """Return a new time-ordered identifier: UUIDv7 (RFC 9562, section 5.7) in its canonical text form."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)


class SystemIds:
    """UUIDv7 from the machine's clock and its random source."""

    def new(self) -> str:
        """Return a new UUIDv7."""
        return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def uuid7(milliseconds: int, entropy: bytes) -> str:
    """Lay out a UUIDv7 from a Unix time in milliseconds and 10 random bytes (RFC 9562, section 5.7)."""
    tail = int.from_bytes(entropy, "big")
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (tail >> 64 & 0xFFF) << 64
    value |= 0b10 << 62 | tail & (1 << 62) - 1
    return str(UUID(int=value))
