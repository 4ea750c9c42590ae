"""Duplicates are found, all of them and only them: compared with every pair."""

from __future__ import annotations

import random

import pytest

from mainspring.data import dedup
from mainspring.data.text import words

WORDS = [f"w{n}" for n in range(400)]


def jaccard(a: str, b: str) -> float:
    one, two = (
        {tuple(w[i : i + 5]) for i in range(len(w) - 4)} if len(w) >= 5 else {tuple(w)} for w in (words(a), words(b))
    )
    return len(one & two) / len(one | two)


def corpus(seed: int, count: int = 120) -> list[str]:
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        base = [rng.choice(WORDS) for _ in range(rng.randint(8, 80))]
        texts.append(" ".join(base))
        for _ in range(rng.randint(0, 3)):
            near = list(base)
            for _ in range(rng.randint(0, 4)):
                near[rng.randrange(len(near))] = rng.choice(WORDS)
            texts.append(" ".join(near))
    rng.shuffle(texts)
    return texts


@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_near_pairs_equal_those_of_brute_force(threshold: float) -> None:
    texts = corpus(3, 60)
    wanted = {
        (i, j) for i in range(len(texts)) for j in range(i + 1, len(texts)) if jaccard(texts[i], texts[j]) >= threshold
    }
    found = dedup.near(texts, threshold)
    assert set(zip(found.left.tolist(), found.right.tolist(), strict=True)) == wanted
    for left, right, similarity in zip(found.left, found.right, found.similarity, strict=True):
        assert similarity == pytest.approx(jaccard(texts[left], texts[right]))


def test_a_row_is_dropped_only_for_one_that_stays() -> None:
    texts = corpus(5)
    pairs = dedup.near(texts, 0.6)
    dropped = dedup.redundant(len(texts), pairs)
    assert dropped
    for at, kept in dropped.items():
        assert kept not in dropped
        assert jaccard(texts[at], texts[kept]) >= 0.6
    left = [text for at, text in enumerate(texts) if at not in dropped]
    assert len(dedup.near(left, 0.6).left) == 0


def test_exact_ignores_case_and_marks() -> None:
    assert dedup.exact(["A cat, sat.", "b", "a CAT sat", ""]) == [0, 1, 0, 3]


def test_clusters_link_chains() -> None:
    texts = corpus(7, 40)
    pairs = dedup.near(texts, 0.5)
    numbers = dedup.clusters(len(texts), pairs)
    assert all(numbers[int(a)] == numbers[int(b)] for a, b in zip(pairs.left, pairs.right, strict=True))


def test_a_crowd_of_equals_is_linked_into_one() -> None:
    texts = ["the same ten words stand in each of these texts"] * 300 + [
        "something else altogether is said in this one"
    ]
    dropped = dedup.redundant(len(texts), dedup.near(texts))
    assert len(dropped) == 299


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["one text alone"], ["a", "b"]])
def test_little_input(texts: list[str]) -> None:
    assert len(dedup.near(texts).left) == 0
    assert dedup.clusters(len(texts), dedup.near(texts)) == list(range(len(texts)))
