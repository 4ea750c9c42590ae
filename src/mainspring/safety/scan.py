"""Scanning: which of many patterns occur in a text, in one pass whose time is linear in the text.

The patterns are RE2's. They say where it is worth looking closer, so that each may match more than what it stands for,
and never less.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

SPACE = r"[\s\x0b\x1c-\x1f\x{85}\pZ]"
"""White space as Python's patterns understand it, in RE2's syntax."""
MEMORY = 32 << 20
"""Bytes that the automaton of one scan may take."""
_ALWAYS = "^"
"""Occurs in every text: its absence tells that RE2 gave up, which it does without a word."""
_FOLDED = str.maketrans("\u0130\u0131", "ii")
"""Letters that Python's patterns take for an i where case does not count, and RE2's do not."""


def quoted(text: str) -> str:
    """Return the pattern that stands for exactly this text."""
    return "".join(letter if letter.isalnum() else rf"\x{{{ord(letter):x}}}" for letter in text)


def loosened(pattern: str) -> str:
    """Return a pattern of Python's as a scan's, upper and lower case alike: with Unicode's words, and no boundaries."""
    return "(?i)" + pattern.replace(r"\b", "").replace(r"\w", r"[\pL\pN_]").replace(r"\s", SPACE)


class Scan:
    """Finds which of its named patterns occur in a text."""

    def __init__(self, patterns: Mapping[str, str]) -> None:
        """`patterns` by name; they are compiled when a text is scanned for the first time."""
        self._patterns = patterns
        self._names = list(patterns)

    def __call__(self, text: str, start: int = 0) -> set[str]:
        """Return the names of the patterns that occur at or after `start`; what begins before it does not count.

        Where there is no RE2 for the machine, any of them may occur: that is slow, and as safe.

        Raises RuntimeError where the automaton cannot hold the text.
        """
        rest = text[start:] if start else text
        if not rest.isascii() and ("\u0130" in rest or "\u0131" in rest):
            rest = rest.translate(_FOLDED)
        if self._compiled is None:
            return set(self._names)
        found = self._compiled.Match(rest.encode("utf-8", "replace"))
        if not found:
            raise RuntimeError("the scan ran out of memory")
        return {self._names[index - 1] for index in found if index}

    @cached_property
    def _compiled(self) -> Any:
        try:
            import re2
        except ImportError:
            return None
        options = re2.Options()
        options.max_mem, options.log_errors = MEMORY, False
        made = re2.Set.SearchSet(options)
        for pattern in (_ALWAYS, *self._patterns.values()):
            made.Add(pattern)
        made.Compile()
        return made
