"""The shortlist by words."""

from __future__ import annotations

from mainspring.data.similar import shortlist


def test_the_most_alike_come_first() -> None:
    texts = ["the cat sat on the mat", "stock prices fell", "a cat and a dog", "", "the the the"]
    assert shortlist(texts, "where did the cat sit, on a mat?", 2) == [0, 2]
    assert shortlist(texts, "prices of stock", 1) == [1]


def test_rare_words_weigh_more_than_frequent_ones() -> None:
    texts = [f"return the value of item {n}" for n in range(50)] + ["a zebra grazes"]
    assert shortlist(texts, "return the zebra", 1) == [50]


def test_odd_input() -> None:
    assert shortlist([], "x", 3) == []
    assert shortlist(["a"], "a", 0) == []
    assert shortlist(["", "!"], "", 5) == [0, 1]
