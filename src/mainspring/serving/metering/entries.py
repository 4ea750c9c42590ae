"""The lines of a journal."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import msgspec

from mainspring.serving.metering.models import Amounts, Payer

Take = tuple[str, str, int]
"""Allowance, start of its window (RFC 3339), amount."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One line."""

    number: int
    kind: Literal["held", "settled"]
    call: str
    payer: Payer
    hour: str
    """Start of the hour that the usage counts in, RFC 3339."""
    amounts: Amounts
    takes: list[Take]


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


def decoded(data: bytes) -> list[Entry]:
    """Return the entries of a journal; what is no whole line is left out."""
    found = []
    for line in data.split(b"\n"):
        # A kill in mid-write leaves half a line: its call had not begun, or had not ended.
        with suppress(msgspec.DecodeError):
            if line:
                found.append(_decode(line))
    return found
