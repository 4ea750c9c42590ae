"""Profiles: what a dataset is like, in figures that a recipe can be judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from math import log
from typing import TYPE_CHECKING

from mainspring.data import dedup, text
from mainspring.data.models import Distribution, Profile, ProfileChange, Row
from mainspring.safety import Policy, Rule, apply

if TYPE_CHECKING:
    from mainspring.registry.tokenizer import Tokenizer

Tell = Callable[[float, float, str], None]
_POLICY = Policy(rules=[Rule(detector="pii"), Rule(detector="secrets")])
_STAGES = 5


def measure(
    rows: Sequence[Row],
    *,
    id: str,
    dataset: str,
    now: datetime,
    tokenizer: Tokenizer | None = None,
    tokenizer_name: str = "",
    near_threshold: float = 0.8,
    tell: Tell = lambda done, total, message: None,
) -> Profile:
    """Measure rows. Token lengths are those of the whole row in the model's chat template, where it has one."""
    bodies = [row.body() for row in rows]
    tell(0, _STAGES, "counting tokens")
    tokens = None if tokenizer is None else tokenizer.counts([_rendered(row, tokenizer) for row in rows])
    tell(1, _STAGES, "looking for exact duplicates")
    first = dedup.exact(bodies)
    tell(2, _STAGES, "looking for near duplicates")
    pairs = dedup.near(bodies, near_threshold)
    repeated = dedup.redundant(len(bodies), pairs)
    tell(3, _STAGES, "looking for personal data")
    pii, secrets = _found(bodies)
    tell(4, _STAGES, "guessing languages")
    languages = Counter(text.language(body[:600]) for body in bodies)
    labels = Counter(row.label for row in rows if row.label)
    likeness = {(int(a), int(b)): float(s) for a, b, s in zip(pairs.left, pairs.right, pairs.similarity, strict=True)}
    same = sum(at != earlier for at, earlier in enumerate(first))
    only_near = [(at, left) for at, left in repeated.items() if first[at] == at]
    tell(_STAGES, _STAGES, "done")
    return Profile(
        id=id,
        dataset=dataset,
        rows=len(rows),
        tokens=None if tokens is None else distribution(tokens),
        tokenizer=tokenizer_name,
        characters=distribution([len(body) for body in bodies]),
        words=distribution([len(body.split()) for body in bodies]),
        exact_duplicates=same,
        near_duplicates=len(only_near),
        near_threshold=near_threshold,
        duplicate_examples=[(rows[a].id, rows[b].id, round(likeness[b, a], 4)) for a, b in only_near[:10]],
        pii=pii,
        secrets=secrets,
        languages=dict(languages.most_common(20)),
        labels=dict(labels.most_common(100)),
        label_entropy=entropy(labels),
        splits=dict(Counter(row.split for row in rows if row.split)),
        licenses=dict(Counter(str(row.meta.get("license", ""))[:200] or "unknown" for row in rows).most_common(100)),
        empty=sum(not body.strip() for body in bodies),
        created_at=now,
    )


def distribution(values: Sequence[int]) -> Distribution:
    """Summarise numbers; quantiles are interpolated linearly. Of no numbers every figure is 0."""
    import numpy as np

    data = np.asarray(values or [0], np.float64)
    counts, edges = np.histogram(data, bins=20)
    low, middle, high, top = (float(np.quantile(data, share)) for share in (0, 0.5, 0.95, 1))
    histogram = [(round(float(edge), 2), int(count)) for edge, count in zip(edges, counts, strict=False)]
    return Distribution(
        mean=round(float(data.mean()), 2), minimum=low, p50=middle, p95=high, maximum=top, histogram=histogram
    )


def entropy(labels: Counter[str]) -> float:
    """Return the Shannon entropy of label counts divided by its maximum, the logarithm of the number of labels."""
    total = labels.total()
    if len(labels) < 2:
        return 0.0 if labels else 1.0
    return round(-sum(n / total * log(n / total) for n in labels.values()) / log(len(labels)), 4)


def changes(left: Profile, right: Profile) -> list[ProfileChange]:
    """Return the figures of two profiles side by side."""
    one, two = _figures(left), _figures(right)
    both = {name: (one.get(name, 0.0), two.get(name, 0.0)) for name in [*one, *(key for key in two if key not in one)]}
    return [ProfileChange(figure=name, left=a, right=b, difference=round(b - a, 4)) for name, (a, b) in both.items()]


def _figures(profile: Profile) -> dict[str, float]:
    plain = ("rows", "exact_duplicates", "near_duplicates", "secrets", "empty", "label_entropy")
    figures = {name: float(getattr(profile, name)) for name in plain}
    for name, found in (("tokens", profile.tokens), ("words", profile.words)):
        if found is not None:
            figures |= {f"{name}.mean": found.mean, f"{name}.p95": found.p95}
    for name in ("pii", "labels", "languages", "licenses", "splits"):
        figures |= {f"{name}.{key}": float(count) for key, count in getattr(profile, name).items()}
    return figures


def _rendered(row: Row, tokenizer: Tokenizer) -> str:
    if row.messages and tokenizer.chat_template:
        return tokenizer.render([message.model_dump() for message in row.messages])
    return row.body()


def _found(bodies: Sequence[str]) -> tuple[dict[str, int], int]:
    pii: Counter[str] = Counter()
    secrets = 0
    for body in bodies:
        kinds = {(hit.detector, hit.kind) for hit in apply(_POLICY, body, "input").hits}
        pii.update(kind for name, kind in kinds if name == "pii")
        secrets += any(name == "secrets" for name, _ in kinds)
    return dict(pii.most_common()), secrets
