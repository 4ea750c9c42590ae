"""Answers that hold a number, a phrase or a pattern, and how long they are."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

from mainspring.evals.scorers.registry import Answer, scorer
from mainspring.evals.scorers.structured import text_of
from mainspring.kernel.errors import Invalid

_NUMBER = re.compile(r"(?:(?<!\w)[-+−])?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")
_PATTERN_SECONDS = 1.0
"""Longest that a pattern may look at one answer."""
_ROUNDING = 1e-9


def last_number(text: str) -> float | None:
    """Return the last number that stands in a text; None where there is none.

    Read are 3, -0.5, 1,234.5 and 2e-3; models give their result last, after the working. A dash after a letter or a
    digit is no sign: 15-17 ends in 17.
    """
    for found in reversed(list(_NUMBER.finditer(text))):
        written = found.group()
        if any(character.isdigit() for character in written):
            value = float(written.replace(",", "").replace("−", "-"))
            return value if math.isfinite(value) else None
    return None


def _check_tolerance(argument: str) -> None:
    if _tolerance(argument) is None:
        raise Invalid(
            f"'{argument[:50]}' is no tolerance.", hint="Write numeric, numeric:0.01, or numeric:5% of the reference."
        )


def _tolerance(argument: str) -> tuple[float, bool] | None:
    """Return the tolerance and whether it is a share of the reference; None where the text is neither."""
    try:
        value = float(argument.removesuffix("%") or "nan")
    except ValueError:
        return None
    if not (math.isfinite(value) and value >= 0):
        return None
    return (value / 100, True) if argument.endswith("%") else (value, False)


@scorer("numeric", argument="optional", needs=("reference",), check=_check_tolerance, example="numeric:0.01")
def numeric(answer: Answer, argument: str) -> float | None:
    """The last number of the answer is that of the reference, within the tolerance: `numeric:0.01`, `numeric:5%`."""
    held = answer.reference
    plain = isinstance(held, int | float) and not isinstance(held, bool)
    wanted = _finite(held) if plain else last_number(text_of(held, "") or "")
    if wanted is None or not math.isfinite(wanted):
        return None
    found = last_number(answer.text)
    if found is None:
        return 0.0
    width, share = _tolerance(argument or "0") or (0.0, False)
    allowed = width * abs(wanted) if share else width
    return float(abs(found - wanted) <= allowed + _ROUNDING * max(abs(wanted), abs(found)))


@scorer("contains", argument="optional", example="contains:30 days")
def contains(answer: Answer, argument: str) -> float | None:
    """The answer has the phrase, or else the whole reference, in it; upper and lower case alike."""
    wanted = argument or (text_of(answer.reference, "") if answer.reference is not None else None)
    if wanted is None or not wanted.strip():
        return None
    return float(" ".join(wanted.casefold().split()) in " ".join(answer.text.casefold().split()))


def _finite(value: Any) -> float | None:
    """Return a number as a float; None for one that is too large."""
    try:
        return float(value)
    except OverflowError:
        return None


@lru_cache(maxsize=64)
def _pattern(text: str) -> Any:
    import regex

    try:
        return regex.compile(text)
    except regex.error as error:
        raise Invalid(
            f"'{text[:100]}' is no pattern: {error}", hint="Write for example regex:^[A-Z]{3}-[0-9]+$"
        ) from None


def _check_pattern(argument: str) -> None:
    _pattern(argument)


@scorer("regex", argument="required", check=_check_pattern, example="regex:^[A-Z]{3}-[0-9]+$")
def matches(answer: Answer, argument: str) -> float:
    """The pattern is found in the answer; `^` and `$` bind it to the ends, outer blanks being ignored."""
    try:
        return float(_pattern(argument).search(answer.text.strip(), timeout=_PATTERN_SECONDS) is not None)
    except TimeoutError:
        raise Invalid(
            f"The pattern {argument[:100]} took more than {_PATTERN_SECONDS:g} s on one answer.",
            hint="Write it without nested repetition.",
        ) from None


@scorer("length", unit="characters", higher_is_better=False, margin=0.1, relative=True)
def length(answer: Answer, argument: str) -> float:
    """Characters of the answer."""
    return float(len(answer.text))


@scorer("words", unit="words", higher_is_better=False, margin=0.1, relative=True)
def words(answer: Answer, argument: str) -> float:
    """Words of the answer, parted by blanks."""
    return float(len(answer.text.split()))
