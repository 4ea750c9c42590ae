"""The registry of detectors: a detector is one function, registered by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mainspring.safety.models import Hit, Rule

Find = Callable[[str, int, Rule], list[Hit]]
"""`(text, start, rule) -> hits` at or after the offset `start`; characters before it are context only."""
Hold = Callable[[str, int, Rule], int]
"""`(text, start, rule) -> offset` from which the end of an unfinished text may still become part of a hit."""
Leads = Callable[[Rule], Sequence[str]]
"""`rule -> patterns` of a scan, without one of which in a text there is no hit in it, and none begun, `calm` aside."""


@dataclass(frozen=True, slots=True)
class Detector:
    """A named detector, with what a stream has to hold back for it: `calm` where none of its `leads` is in sight."""

    name: str
    find: Find
    hold: Hold
    summary: str
    leads: Leads | None = None
    calm: Hold | None = None


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


def last_word(text: str, start: int, longest: int) -> int:
    """Return where the last word begins, or the last `longest` characters of it."""
    at = max(start, len(text) - longest)
    return max(at, text.rfind(" ", at) + 1, text.rfind("\n", at) + 1)


def detector(name: str, *, hold: Hold, leads: Leads | None = None, calm: Hold | None = None) -> Callable[[Find], Find]:
    """Register the decorated function as the detector `name`; the first line of its docstring is its summary.

    `leads` and `calm`, together, spare streams the work of `hold` and of the detector itself.
    """

    def register(find: Find) -> Find:
        _DETECTORS[name] = Detector(name, find, hold, (find.__doc__ or name).strip().splitlines()[0], leads, calm)
        return find

    return register


def get(name: str) -> Detector:
    """Return the detector. Raises KeyError where there is none of that name."""
    return _DETECTORS[name]


def judges_whole(name: str) -> bool:
    """Tell whether a detector judges a text as a whole, rather than finding what stands in it."""
    return _DETECTORS[name].hold is hold_all


def sees_bare(name: str) -> bool:
    """Tell whether a detector is to see a text without the characters that show nothing too.

    Those that judge a whole text make of it what they need.
    """
    return name not in ("invisible", "length") and not judges_whole(name)


def is_slow(name: str) -> bool:
    """Tell whether a detector takes milliseconds over any text, so that it is no work for an event loop."""
    return name == "topic"


def names() -> list[str]:
    """Return the names of all detectors, sorted."""
    return sorted(_DETECTORS)
