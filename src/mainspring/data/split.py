"""Splits that do not leak: whole groups are assigned, balanced by label, and every label stays learnable."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from mainspring.kernel.errors import Invalid

ORDER = ("train", "validation", "test")
LEAST_GROUPS = 4
"""Groups that validation and test get of each label, at least, where they get all the rows that they want."""
SMALL = 4
"""Rows up to which a group is small in any case."""


def assign(
    groups: Sequence[str],
    labels: Sequence[str],
    shares: Mapping[str, float],
    *,
    held_out: frozenset[str] = frozenset(),
    seed: int = 0,
) -> list[str]:
    """Return a split for each row, from the group and the label of each.

    `shares` gives validation and test either as a fraction of the rows (below 1) or as a number of rows; train takes
    the rest. Rows whose label is in `held_out` go to the split `holdout`, whole. A group is never divided. For each
    label at least half of its rows stay in train: a label whose rows all hang in one group is learnt, not tested.

    A group that is large beside what validation or test wants of its labels stays in train: figures over a few large
    groups say little. Groups are dealt out greedily, large before small, to the split that lacks most of what they
    hold; ties follow a hash of the seed and the group. Raises Invalid where the shares leave nothing to train on.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for at, (group, label) in enumerate(zip(groups, labels, strict=True)):
        if label not in held_out:
            members[group].append(at)
    total = Counter(label for label in labels if label not in held_out)
    wanted = _targets(shares, total)
    given: dict[str, Counter[str]] = {split: Counter() for split in wanted}
    out = ["holdout"] * len(groups)
    for group in sorted(members, key=lambda name: (-len(members[name]), _draw(seed, name))):
        held = Counter(labels[at] for at in members[group])
        split = _neediest(held, wanted, given)
        given[split].update(held)
        for at in members[group]:
            out[at] = split
    return out


def _targets(shares: Mapping[str, float], total: Counter[str]) -> dict[str, dict[str, float]]:
    count = total.total()
    fractions = {split: share if share < 1 else share / max(1, count) for split, share in shares.items() if share > 0}
    unknown = set(fractions) - {"validation", "test"}
    if unknown or sum(fractions.values()) > 0.5:
        raise Invalid(
            f"The split {dict(shares)} leaves too little of {count:,} rows to train on, or names an unknown part.",
            hint="Give validation and test, together at most half of the rows.",
        )
    fractions = {"train": 1 - sum(fractions.values()), **fractions}
    return {split: {label: total[label] * share for label in total} for split, share in fractions.items()}


def _neediest(held: Counter[str], wanted: dict[str, dict[str, float]], given: dict[str, Counter[str]]) -> str:
    def lack(split: str) -> float:
        # How much of the group the split has room for, less what would overfill it, relative to what it wants in all.
        room = sum(min(n, max(0.0, wanted[split][label] - given[split][label])) for label, n in held.items())
        over = sum(max(0.0, n - max(0.0, wanted[split][label] - given[split][label])) for label, n in held.items())
        want = sum(wanted[split][label] for label in held) or 1.0
        if split != "train" and held.total() > max(SMALL, want / LEAST_GROUPS):
            return -1.0
        return (room - (0 if split == "train" else 2 * over)) / want

    fitting = [split for split in ORDER if split in wanted]
    best = max(fitting, key=lack)
    return best if lack(best) > 0 else "train"


def _draw(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
