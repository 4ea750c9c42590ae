"""Splits keep groups whole, meet their sizes and leave every label learnable."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.data.split import assign
from mainspring.kernel.errors import Invalid

ROWS = st.lists(st.tuples(st.integers(0, 25), st.sampled_from("abc")), min_size=1, max_size=150)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.integers(0, 5))
def test_a_group_is_never_divided(rows: list[tuple[int, str]], seed: int) -> None:
    groups, labels = [str(group) for group, _ in rows], [label for _, label in rows]
    parts = assign(groups, labels, {"test": 0.2, "validation": 0.1}, held_out=frozenset("c"), seed=seed)
    assert parts == assign(groups, labels, {"test": 0.2, "validation": 0.1}, held_out=frozenset("c"), seed=seed)
    seen = defaultdict(set)
    for group, label, part in zip(groups, labels, parts, strict=True):
        assert (part == "holdout") == (label == "c")
        if part != "holdout":
            seen[group].add(part)
    assert all(len(found) == 1 for found in seen.values())


def test_sizes_are_met_in_balance() -> None:
    groups = [f"{label}{n // 4}" for label in "abcd" for n in range(200)]
    labels = [label for label in "abcd" for _ in range(200)]
    parts = assign(groups, labels, {"test": 80, "validation": 40})
    counts = Counter(zip(parts, labels, strict=True))
    assert {counts["test", label] for label in "abcd"} == {20}
    assert all(8 <= counts["validation", label] <= 12 for label in "abcd")


def test_a_label_in_one_group_is_learnt_not_tested() -> None:
    groups = ["only"] * 30 + [f"g{n}" for n in range(100)]
    labels = ["rare"] * 30 + ["common"] * 100
    parts = assign(groups, labels, {"test": 0.2})
    assert {part for part, label in zip(parts, labels, strict=True) if label == "rare"} == {"train"}
    assert Counter(parts)["test"] >= 15


@pytest.mark.parametrize("shares", [{"test": 0.6}, {"test": 90}, {"exam": 0.1}])
def test_shares_that_leave_nothing_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(Invalid):
        assign([str(n) for n in range(100)], ["a"] * 100, shares)
