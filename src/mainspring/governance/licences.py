"""Licences: from what packages write about themselves to an SPDX identifier, and whether it is permissive.

This sorts names; it reads no licence and gives no legal advice. What it does not know it does not accept.
"""

from __future__ import annotations

import re
from collections.abc import Collection

PERMISSIVE = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC-BY-4.0", "CC0-1.0", "CNRI-Python",
        "HPND", "ISC", "MIT", "MIT-0", "MIT-CMU", "NCSA", "PSF-2.0", "PostgreSQL", "Python-2.0", "Unlicense", "X11",
        "ZPL-2.1", "Zlib",
    }
)  # fmt: skip
_PATTERNS = tuple(
    (re.compile(pattern, re.I), identifier)
    for pattern, identifier in (
        (r"agpl|affero", "AGPL"),
        (r"lgpl|lesser general public", "LGPL"),
        (r"gpl|general public licen", "GPL"),
        (r"mozilla|mpl", "MPL-2.0"),
        (r"by-nc|non-?commercial", "CC-BY-NC"),
        (r"proprietary|commercial|all rights reserved", "proprietary"),
        (r"apache", "Apache-2.0"),
        (r"mit-cmu", "MIT-CMU"),
        (r"mit-0|mit no attribution", "MIT-0"),
        (r"\bmit\b|expat", "MIT"),
        (r"0bsd|zero-clause bsd", "0BSD"),
        (r"bsd-?2|2-clause|simplified bsd", "BSD-2-Clause"),
        (r"bsd", "BSD-3-Clause"),
        (r"\bisc\b", "ISC"),
        (r"psf|python software foundation", "PSF-2.0"),
        (r"python-2", "Python-2.0"),
        (r"cnri-python", "CNRI-Python"),
        (r"unlicense", "Unlicense"),
        (r"cc0|public domain", "CC0-1.0"),
        (r"cc-by-4", "CC-BY-4.0"),
        (r"zlib", "Zlib"),
        (r"hpnd|historical permission", "HPND"),
        (r"bsl-1|boost", "BSL-1.0"),
        (r"zope|zpl", "ZPL-2.1"),
        (r"ncsa", "NCSA"),
        (r"postgresql", "PostgreSQL"),
        (r"\bx11\b", "X11"),
    )
)


def identify(name: str) -> str:
    """Return the SPDX identifier, or the family, that one licence's name stands for; empty where it is not known."""
    return next((identifier for pattern, identifier in _PATTERNS if pattern.search(name)), "")


def accepted(expression: str, also: Collection[str] = ()) -> bool:
    """Tell whether an expression allows use under permissive licences, or under those named besides.

    `A OR B` needs one of the two, `A AND B` both, as do lists with commas, semicolons and slashes; AND binds tighter
    (SPDX specification 2.3, annex D).
    """
    text = _unwrapped(expression.strip())
    if not text:
        return False
    if text in also:
        return True
    alternatives = _outside(_OR, text)
    if len(alternatives) > 1:
        return any(accepted(part, also) for part in alternatives)
    parts = _outside(_AND, text)
    if len(parts) > 1:
        return all(accepted(part, also) for part in parts)
    # An exception (`Apache-2.0 WITH LLVM-exception`) only adds to what its licence allows.
    identifier = identify(re.split(r"\s+WITH\s+", text)[0])
    return identifier in PERMISSIVE or identifier in also


_OR = re.compile(r"\s+OR\s+")
_AND = re.compile(r"\s+AND\s+|[;/]|,(?!\s*version)", re.I)


def _outside(separator: re.Pattern[str], text: str) -> list[str]:
    """Split at the separators that stand outside of parentheses."""
    parts, start = [], 0
    for match in separator.finditer(text):
        before = text[: match.start()]
        if before.count("(") == before.count(")"):
            parts.append(text[start : match.start()])
            start = match.end()
    return [part for part in (*parts, text[start:]) if part.strip()]


def _unwrapped(text: str) -> str:
    """Take off parentheses that enclose the whole."""
    while text.startswith("(") and text.endswith(")"):
        depth, closed_at = 0, -1
        for at, sign in enumerate(text):
            depth += (sign == "(") - (sign == ")")
            if depth == 0:
                closed_at = at
                break
        if closed_at != len(text) - 1:
            break
        text = text[1:-1].strip()
    return text
