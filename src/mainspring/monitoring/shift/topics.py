"""Topics: texts grouped by meaning, each group named by the words that tell it from the others."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_WORD = re.compile(r"[^\W\d_][\w'\u2019-]{2,}")
_LEAST_DOCUMENTS = 2
_COMMON = frozenset(
    "the and for are was were you your with that this from have has had not but what when where which who whom how why "
    "can could would should will shall may might must does did doing into onto about over under than then them they "
    "there here their its it's our out any all some more most such only very just also been being because please "
    "und oder der die das ein eine ist sind mit für von auf nicht".split()
)


def groups_for(n: int) -> int:
    """Return how many groups suit `n` texts: the root of half of them, from 2 to 20."""
    return min(20, max(2, round(math.sqrt(n / 2))))


def cluster(vectors: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return the group of each vector, shape (n,), by k-means from k-means++ starts (Arthur and Vassilvitskii 2007).

    Vectors of unit length: distances then order as cosines do. Of several starts the tightest is kept.
    """
    import numpy as np
    from scipy.cluster.vq import kmeans2

    points = np.asarray(vectors, dtype=np.float64)
    best: tuple[float, np.ndarray] | None = None
    for start in range(4):
        centres, labels = kmeans2(points, count, minit="++", seed=np.random.default_rng(seed + start))
        spread = float(((points - centres[labels]) ** 2).sum())
        if best is None or spread < best[0]:
            best = (spread, labels)
    assert best is not None
    return best[1]


def names(texts: Sequence[str], labels: Sequence[int], count: int = 5) -> dict[int, list[str]]:
    """Return for each group the words that are common in it and rare elsewhere.

    Class-based tf-idf (Grootendorst 2022, eq. 3): a word's texts in the group, times the logarithm of one and the mean
    number of texts in a group over the word's texts in all. A word must stand in two of the group's texts.
    """
    within: dict[int, Counter[str]] = {}
    overall: Counter[str] = Counter()
    for text, label in zip(texts, labels, strict=True):
        words = {word.lower() for word in _WORD.findall(text[:4000])} - _COMMON
        within.setdefault(int(label), Counter()).update(words)
        overall.update(words)
    mean = len(texts) / max(1, len(within))
    found = {}
    for label, counts in within.items():
        weighed = {
            word: seen * math.log(1 + mean / overall[word]) for word, seen in counts.items() if seen >= _LEAST_DOCUMENTS
        }
        found[label] = [word for word, _ in sorted(weighed.items(), key=lambda pair: (-pair[1], pair[0]))[:count]]
    return found
