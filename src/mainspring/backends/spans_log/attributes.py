"""Tests of any attribute of a span: the same in every store, since each holds a span as the same JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mainspring.backends.spans_log.codec import decode
from mainspring.kernel.spans import AttributeTest, Span

MOST_SPANS = 100_000
"""Spans that one page looks at."""


class Matcher:
    """Tells whether a span passes every test."""

    def __init__(self, tests: Sequence[AttributeTest]) -> None:
        self._tests = tuple(tests)
        self.needles: list[tuple[str, ...]] = [found for test in self._tests for found in _needles(test)]
        """Of each group, one text at least stands in the JSON of every span that passes."""
        self._bytes = [tuple(needle.encode() for needle in group) for group in self.needles]

    def fits(self, data: bytes) -> bool:
        """Tell it of a span's JSON; most are refused without being read."""
        if not all(any(needle in data for needle in group) for group in self._bytes):
            return False
        span = decode(data)
        return all(_passes(span, test) for test in self._tests)


def _needles(test: AttributeTest) -> list[tuple[str, ...]]:
    if test.op == "lacks":
        return []
    # Nested or flat, the key's last part ends the name of a member.
    names = dict.fromkeys(_inner(name.rpartition(".")[2] or name) + '":' for name in (test.key, test.field) if name)
    found = [tuple(names)]
    if test.op == "=" and _number(test.value) is None and test.value not in ("true", "false"):
        found.append((_inner(test.value),))
    return found


def _inner(text: str) -> str:
    return msgspec.json.encode(text)[1:-1].decode()


def _passes(span: Span, test: AttributeTest) -> bool:
    value = _found(span.attributes, test.key)
    if value is None:
        value = _found(span.resource, test.key)
    if value is None and test.field:
        value = getattr(span, test.field, None)
        value = None if value == "" else value
    if test.op == "lacks":
        return value is None
    return value is not None and _holds(value, test.op, test.value)


def _found(held: Any, key: str) -> Any:
    """Return what a dotted key leads to, however it is divided into names; None for nothing."""
    if not isinstance(held, dict):
        return None
    if (value := held.get(key)) is not None:
        return value
    at = key.find(".")
    while at > 0:
        inner = held.get(key[:at])
        if isinstance(inner, dict) and (value := _found(inner, key[at + 1 :])) is not None:
            return value
        at = key.find(".", at + 1)
    return None


def _holds(value: Any, op: str, wanted: str) -> bool:
    if op == "has":
        return True
    if isinstance(value, list):
        return any(_holds(item, op, wanted) for item in value)
    if value is None or isinstance(value, dict):
        return False
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if op == "~":
        return wanted.casefold() in text.casefold()
    left, right = _number(text), _number(wanted)
    both = left is not None and right is not None
    if op in ("=", "!="):
        same = text == wanted or (both and left == right)
        return same if op == "=" else not same
    if left is None or right is None:
        return False
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[op]


def _number(text: str) -> float | None:
    for kind in (int, float):  # a float would take two large ids for the same
        try:
            return kind(text)
        except ValueError:
            continue
    return None
