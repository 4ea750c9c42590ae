"""Halves: calls that areas are found among, and calls that measure them, so that the search flatters nothing."""

from __future__ import annotations

import hashlib

from mainspring.kernel.spans import Span


def unit(span: Span) -> str:
    """Return what a call counts as: its session, since calls of one are alike, or else its trace."""
    return span.session_id or span.trace_id


def finds(name: str) -> bool:
    """Tell whether areas are found by a unit; else they are measured by it.

    Hashed anew, since a trace id itself says which traces sampling kept.
    """
    return hashlib.sha256(f"areas/{name}".encode()).digest()[0] % 2 == 0
