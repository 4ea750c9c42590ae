"""What a guard costs for texts that were written to be dear, and that what makes it cheap finds the same."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.safety import secrets
from mainspring.safety.fitting import fits
from mainspring.safety.models import Rule

WHOLE = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,16384}?"
    r"(?:-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----|\Z)"
)
OPEN = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,60}(?:-----)?(?![\s\S]*-----END [A-Z0-9 ]{0,60}-----)|-{1,5}(?:B|BE|BEG|BEGI|BEGIN)?\s?\Z"
)
BEGIN = "-----BEGIN PRIVATE KEY-----"
PARTS = [
    BEGIN, "-----END PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----", "x", " ",
    "\n", "-", "-----BEGIN ", "-----END ", "BEGIN", "y" * 16_384, "y" * 17_000,
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=7).map("".join), st.booleans())
def test_private_keys_are_those_that_one_pattern_would_find(text: str, later: bool) -> None:
    start = len(text) // 2 if later else 0
    assert list(secrets._private_keys(text, start)) == [match.span() for match in WHOLE.finditer(text, start)]
    held = OPEN.search(text, start)
    assert secrets._open_key(text, start) == (held.start() if held else len(text))


def test_beginnings_of_keys_without_an_end_cost_little() -> None:
    text, rule = (BEGIN * 3000)[:60_000] + "y" * 20_000, Rule(detector="secrets")
    costs = []
    for look in (lambda: list(WHOLE.finditer(text)), lambda: secrets.find_secrets(text, 0, rule)):
        begun = time.thread_time()
        assert look() == []  # type: ignore[no-untyped-call]
        costs.append(time.thread_time() - begun)
    assert costs[1] < costs[0] / 3


@pytest.mark.parametrize(
    ("items", "unique"),
    [
        ([1, 1.0], False), ([1, True], True), ([0, False], True), ([None, None], False), (["1", 1], True),
        ([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], False), ([[1], [True]], True), ([[], {}], True), ("aa", True),
        ([{"a": number} for number in range(20_000)], True),
    ],
    ids=lambda held: str(held)[:30],
)  # fmt: skip
def test_items_are_unique_as_json_schema_says(items: Any, unique: bool) -> None:
    assert fits(json.dumps({"uniqueItems": True}), items) is unique
    assert fits(json.dumps({"uniqueItems": False}), items) is True
