"""Grouping: texts that mean much the same, by average linkage; as many groups as there are, and some texts in none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NEAR = 0.5
"""Mean cosine between the texts of two groups from which they are one group."""
MOST = 2000
"""Texts that are grouped at a time: every pair is looked at."""


def grouped(vectors: np.ndarray, near: float = NEAR) -> list[int]:
    """Return the group of each vector (rows of unit length), numbered by size, the largest first.

    Average linkage on the cosine (Sokal and Michener 1958): two groups are joined while the mean similarity between
    their members is at least `near`. Unlike k-means it needs no number of groups, and leaves what is alone by itself.
    """
    import numpy as np
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(vectors) < 2:
        return [0] * len(vectors)
    points = np.asarray(vectors, dtype=np.float64)
    labels = fcluster(linkage(points, method="average", metric="cosine"), 1 - near, criterion="distance")
    sizes: dict[int, int] = {}
    for label in labels:
        sizes[int(label)] = sizes.get(int(label), 0) + 1
    order = {label: place for place, label in enumerate(sorted(sizes, key=lambda label: (-sizes[label], label)))}
    return [order[int(label)] for label in labels]


def centre(vectors: np.ndarray) -> np.ndarray:
    """Return the middle of some vectors, of unit length."""
    import numpy as np

    middle = np.asarray(vectors, dtype=np.float64).mean(axis=0)
    return np.asarray(middle / max(float(np.linalg.norm(middle)), 1e-12))


def typical(vectors: np.ndarray, middle: np.ndarray) -> list[int]:
    """Return the places of the vectors, the nearest to the middle first."""
    import numpy as np

    return [int(place) for place in np.argsort(-(np.asarray(vectors, dtype=np.float64) @ middle), kind="stable")]


def named(words: Sequence[str], kind: str) -> str:
    """Return what a group is called: the words that tell it from others, or its kind where there are none."""
    return ", ".join(words[:3]) or kind
