"""Duplicates: exact ones by hash, near ones by MinHash with banding and an exact check of every candidate pair.

MinHash: A. Broder, "On the resemblance and containment of documents", 1997. Banding: Leskovec, Rajaraman, Ullman,
"Mining of Massive Datasets", section 3.4. It stays on numpy and scipy, which the product needs anyway: a data-frame
engine spends more on its start than this does on 10,000 documents, and its MinHash lacks the exact check.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainspring.data.text import words

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_array

_PERMUTATIONS = 128
_GRAM = 5
_CROWD = 64
"""Documents in a bucket up to which all pairs are compared; of more, each with the first and its neighbours."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of similar documents, by position; `left` is always before `right`."""

    left: np.ndarray
    right: np.ndarray
    similarity: np.ndarray
    """Jaccard similarity of the sets of word 5-grams, exact."""


def exact(texts: Sequence[str]) -> list[int]:
    """Return, for each text, the position of the first text with the same words (its own where it is the first)."""
    first: dict[bytes, int] = {}
    keys = (hashlib.blake2b(" ".join(words(text)).encode(), digest_size=16).digest() for text in texts)
    return [first.setdefault(key, at) for at, key in enumerate(keys)]


def near(texts: Sequence[str], threshold: float = 0.8, *, seed: int = 0) -> Pairs:
    """Return the pairs of texts whose word 5-grams have a Jaccard similarity of at least `threshold` (0.3 to 1).

    Bands are chosen so that a pair at the threshold becomes a candidate with a probability of 0.999 or more; candidates
    are checked exactly, so no pair below the threshold is returned. Texts without words pair with nothing.
    """
    import numpy as np

    matrix = shingles(texts)
    filled = np.flatnonzero(np.diff(matrix.indptr))
    if len(filled) < 2:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    signatures = _signatures(matrix, filled, seed)
    candidates = _candidates(signatures, _rows_in_band(threshold))
    left, right = filled[candidates >> 32], filled[candidates & 0xFFFFFFFF]
    similarity = jaccard(matrix, left, matrix, right)
    keep = similarity >= threshold
    return Pairs(left[keep], right[keep], similarity[keep])


def redundant(count: int, pairs: Pairs) -> dict[int, int]:
    """Return the documents to drop, each with the earlier one, itself kept, that it repeats.

    A document is dropped only for its own similarity to one that stays, never through a chain of others.
    """
    import numpy as np

    dropped: dict[int, int] = {}
    for at in np.lexsort((pairs.left, pairs.right)):
        left, right = int(pairs.left[at]), int(pairs.right[at])
        if left not in dropped and right not in dropped:
            dropped[right] = left
    return dropped


def clusters(count: int, pairs: Pairs) -> list[int]:
    """Return a cluster number for each of `count` documents: those linked by a chain of pairs share one."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs.left), np.int8), (pairs.left, pairs.right)), shape=(count, count))
    _, numbers = connected_components(links, directed=False)
    return [int(number) for number in numbers]


def shingles(texts: Sequence[str], vocabulary: dict[str, int] | None = None) -> csr_array:
    """Return a sparse 0/1 matrix, one row a text, of hashed word 5-grams (the whole text where it has fewer words).

    Give the same `vocabulary` (filled as it goes) for matrices that are to be compared with each other.
    """
    import numpy as np
    from scipy.sparse import csr_array

    ids: dict[str, int] = {} if vocabulary is None else vocabulary
    grams: list[np.ndarray] = []
    for text in texts:
        tokens = np.fromiter((ids.setdefault(word, len(ids) + 1) for word in words(text)), np.uint64)
        grams.append(np.unique(_fold(tokens)))
    sizes = np.fromiter(map(len, grams), np.int64, len(grams))
    # Columns are 31-bit hashes: two different 5-grams of one pair of texts collide once in a million pairs.
    columns = (np.concatenate(grams) >> np.uint64(33)).astype(np.int32) if grams else np.empty(0, np.int32)
    indptr = np.concatenate(([0], np.cumsum(sizes)))
    matrix = csr_array((np.ones(len(columns), np.int32), columns, indptr), shape=(len(grams), 2**31 - 1))
    matrix.sort_indices()
    return matrix


def jaccard(a: csr_array, left: np.ndarray, b: csr_array, right: np.ndarray) -> np.ndarray:
    """Return the Jaccard similarity of row `left[i]` of `a` and row `right[i]` of `b`, for each i."""
    import numpy as np

    out = np.zeros(len(left))
    size_a, size_b = np.diff(a.indptr), np.diff(b.indptr)
    for start in range(0, len(left), 20_000):
        i, j = left[start : start + 20_000], right[start : start + 20_000]
        common = np.asarray(a[i].multiply(b[j]).sum(axis=1)).ravel()
        out[start : start + 20_000] = common / np.maximum(1, size_a[i] + size_b[j] - common)
    return out


def _fold(tokens: np.ndarray) -> np.ndarray:
    import numpy as np

    if not len(tokens):
        return tokens
    width = min(_GRAM, len(tokens))
    count = len(tokens) - width + 1
    folded = np.zeros(count, np.uint64)
    for offset in range(width):
        # Multiply and mix, modulo 2^64: an order-sensitive hash of the words of each window.
        folded = (folded ^ tokens[offset : offset + count]) * np.uint64(0x9E3779B97F4A7C15)
        folded ^= folded >> np.uint64(29)
    return folded * np.uint64(0xBF58476D1CE4E5B9)


def _signatures(matrix: csr_array, filled: np.ndarray, seed: int) -> np.ndarray:
    import numpy as np

    rng = np.random.default_rng(seed)
    factors = rng.integers(1, 2**63, _PERMUTATIONS, np.uint64) | np.uint64(1)
    shifts = rng.integers(0, 2**63, _PERMUTATIONS, np.uint64)
    columns, starts = matrix.indices.astype(np.uint64), matrix.indptr[filled]
    out = np.empty((_PERMUTATIONS, len(filled)), np.uint32)
    for at in range(_PERMUTATIONS):
        hashed = ((columns * factors[at] + shifts[at]) >> np.uint64(32)).astype(np.uint32)
        out[at] = np.minimum.reduceat(hashed, starts)
    return out


def _rows_in_band(threshold: float) -> int:
    fitting = [r for r in range(1, 17) if (1 - threshold**r) ** (_PERMUTATIONS // r) <= 0.001]
    return max(fitting, default=1)


def _candidates(signatures: np.ndarray, rows: int) -> np.ndarray:
    import numpy as np

    found = [np.empty(0, np.int64)]
    for start in range(0, _PERMUTATIONS - rows + 1, rows):
        band = np.zeros(signatures.shape[1], np.uint64)
        for row in signatures[start : start + rows]:
            band = (band ^ row) * np.uint64(0x9E3779B97F4A7C15)
            band ^= band >> np.uint64(31)
        order = np.argsort(band, kind="stable")
        same = np.flatnonzero(
            np.diff(np.concatenate(([0], (band[order][1:] == band[order][:-1]).astype(np.int8), [0])))
        )
        for begin, end in zip(same[::2], same[1::2] + 1, strict=True):
            found.append(_pairs_of(np.sort(order[begin:end])))
        if len(found) > 4096:
            found = [np.unique(np.concatenate(found))]
    return np.unique(np.concatenate(found))


def _pairs_of(bucket: np.ndarray) -> np.ndarray:
    import numpy as np

    size = len(bucket)
    if size <= _CROWD:
        left, right = np.triu_indices(size, 1)
    else:
        steps = [(np.arange(size - step), np.arange(step, size)) for step in range(1, 9)]
        steps.append((np.zeros(size - 1, np.int64), np.arange(1, size)))
        left, right = (np.concatenate(part) for part in zip(*steps, strict=True))
    return (bucket[left].astype(np.int64) << 32) | bucket[right].astype(np.int64)
