"""The registry of detectors: a detector is one function, registered by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mainspring.safety.models import Hit, Rule

Find = Callable[[str, int, Rule], list[Hit]]
"""`(text, start, rule) -> hits` at or after the offset `start`; characters before it are context only."""
Hold = Callable[[str, int, Rule], int]
"""`(text, start, rule) -> offset` from which the end of an unfinished text may still become part of a hit."""


@dataclass(frozen=True, slots=True)
class Detector:
    """A named detector, with what a stream has to hold back for it."""

    name: str
    find: Find
    hold: Hold
    summary: str


_DETECTORS: dict[str, Detector] = {}


def hold_all(text: str, start: int, rule: Rule) -> int:
    """Hold everything back: for a detector that judges a text as a whole."""
    return 0


def hold_word(text: str, start: int, rule: Rule) -> int:
    """Hold the last, perhaps unfinished, word back; white space at the very end ends it."""
    return word_start(text, start, len(text))


def hold_words(text: str, start: int, count: int) -> int:
    """Return where the last `count` words begin: a phrase of that many words may still be unfinished."""
    at = word_start(text, start, len(text))
    for _ in range(count - 1):
        end = at
        while end > start and text[end - 1].isspace():
            end -= 1
        at = word_start(text, start, end)
    return at


def word_start(text: str, start: int, end: int) -> int:
    """Return where the word that ends at `end` begins, or `end` where white space stands before it."""
    while end > start and not text[end - 1].isspace():
        end -= 1
    return end


def detector(name: str, *, hold: Hold) -> Callable[[Find], Find]:
    """Register the decorated function as the detector `name`; the first line of its docstring is its summary."""

    def register(find: Find) -> Find:
        _DETECTORS[name] = Detector(name, find, hold, (find.__doc__ or name).strip().splitlines()[0])
        return find

    return register


def get(name: str) -> Detector:
    """Return the detector. Raises KeyError where there is none of that name."""
    return _DETECTORS[name]


def judges_whole(name: str) -> bool:
    """Tell whether a detector judges a text as a whole, rather than finding what stands in it."""
    return _DETECTORS[name].hold is hold_all


def names() -> list[str]:
    """Return the names of all detectors, sorted."""
    return sorted(_DETECTORS)
