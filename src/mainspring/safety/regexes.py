"""Patterns of one's own, by RE2: their time is linear in the text, whatever the pattern."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mainspring.kernel.errors import Invalid, Unavailable
from mainspring.safety.detectors import detector
from mainspring.safety.models import Hit, Rule

MEMORY = 1 << 20
"""Bytes that a compiled pattern may take."""
_WIDEST = 2048
"""Characters that a stream holds back for a pattern at most; one that can match more holds the answer to its end."""


def check_pattern(pattern: str) -> None:
    """Raise Invalid for a pattern that RE2 does not take, that is too large, or that matches nothing at all."""
    try:
        import re2
    except ImportError:
        raise Unavailable("There is no RE2 on this machine.", hint="pip install google-re2") from None
    hint = "Patterns are RE2's: no look-around and no back-references, whose time has no bound."
    try:
        made = _compiled(pattern)
    except re2.error as error:
        said = error.args[0] if error.args else "it does not compile"
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise Invalid(f"the pattern {pattern[:100]!r} is not usable: {said[:200]}", hint=hint) from None
    if made.search("") is not None:
        raise Invalid(f"the pattern {pattern[:100]!r} matches the empty text", hint="Make something of it required.")


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.max_mem, options.log_errors = MEMORY, False
    return re2.compile(pattern, options)


@lru_cache(maxsize=256)
def _width(pattern: str) -> int:
    """Return how many characters a match may have, or more than `_WIDEST` where there is no telling."""
    try:
        from re import _parser  # type: ignore[attr-defined]

        return int(_parser.parse(pattern).getwidth()[1])
    except Exception:  # RE2 takes what Python's parser may not, and a width that is not known is none.
        return _WIDEST + 1


def _hold(text: str, start: int, rule: Rule) -> int:
    width = _width(rule.pattern)
    if width > _WIDEST:
        return 0
    at = max(start, len(text) - width)
    # To the beginning of a word: what comes next is searched as if it were the beginning of a text.
    while at > start and _wordy(text[at - 1]) and at < len(text) and _wordy(text[at]):
        at -= 1
    return at


def _wordy(letter: str) -> bool:
    return letter == "_" or (letter.isascii() and letter.isalnum())


@detector("regex", hold=_hold)
def find_regex(text: str, start: int, rule: Rule) -> list[Hit]:
    """A pattern of your own, in RE2's syntax: no look-around, no back-references, linear time."""
    kind = rule.label or "match"
    found = _compiled(rule.pattern).finditer(text, start)
    return [Hit(detector="regex", kind=kind, start=m.start(), end=m.end()) for m in found if m.end() > m.start()]
