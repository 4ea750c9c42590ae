"""Leakage: rows of a test set that a model has seen in training, exactly or nearly."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.data import dedup
from mainspring.data.models import Row
from mainspring.kernel.records import Record


class Leak(Record):
    """A test row and the training row that gives it away."""

    test: str
    train: str
    similarity: float
    """Jaccard similarity of word 5-grams; 1 for the same words."""


class Leakage(Record):
    """What of a test set stands in the training set."""

    test_rows: int
    train_rows: int
    exact: int
    """Test rows whose words are those of a training row."""
    near: int
    """Further test rows as similar as `threshold` to a training row, or more."""
    shared_groups: int
    """Groups with rows in both."""
    threshold: float
    examples: list[Leak]
    """At most 20, the most similar first."""

    @property
    def clean(self) -> bool:
        """Whether nothing leaks."""
        return not (self.exact or self.near or self.shared_groups)


def leakage(train: Sequence[Row], test: Sequence[Row], *, threshold: float = 0.8) -> Leakage:
    """Look for rows of `test` in `train`: the same words, a similarity of at least `threshold`, or a group in both."""
    texts = [row.body() for row in train] + [row.body() for row in test]
    count = len(train)
    same = {at: first for at, first in enumerate(dedup.exact(texts)) if at >= count > first}
    pairs = dedup.near(texts, threshold)
    worst: dict[int, tuple[float, int]] = {at: (1.0, first) for at, first in same.items()}
    for left, right, similarity in zip(pairs.left, pairs.right, pairs.similarity, strict=True):
        if left < count <= right:
            worst[int(right)] = max(worst.get(int(right), (0.0, 0)), (float(similarity), int(left)))
    shown = sorted(worst.items(), key=lambda item: (-item[1][0], item[0]))[:20]
    return Leakage(
        test_rows=len(test),
        train_rows=count,
        exact=len(same),
        near=len(worst) - len(same),
        shared_groups=len({row.group for row in train if row.group} & {row.group for row in test}),
        threshold=threshold,
        examples=[
            Leak(test=test[at - count].id, train=train[left].id, similarity=round(similarity, 4))
            for at, (similarity, left) in shown
        ],
    )
