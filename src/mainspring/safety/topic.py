"""Topics by meaning: a text is as near to a topic as to the nearest of its examples, by the embedding model."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from mainspring.safety.detectors import detector, hold_all
from mainspring.safety.models import Hit, Rule, Topic

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy as np

    from mainspring.kernel.ports import Embed

_PIECE = 60
"""Words that are judged together: the embedding model reads no more, and a topic in a long text is not thinned out."""
_PIECES = 64
_WORDS = re.compile(rf"(?:\S+\s*){{1,{_PIECE}}}")


@detector("topic", hold=hold_all)
def find_topic(text: str, start: int, rule: Rule) -> list[Hit]:
    """A topic that is refused, or none of those allowed, by the embedding model and the rule's examples."""
    if rule._embed is None:
        raise RuntimeError("no embedding model")
    spans = [match.span() for match in _WORDS.finditer(text)]
    if not spans:
        return []
    if len(spans) > _PIECES:
        raise ValueError("the text is too long to be judged by its topics")
    names = [topic.name for topic in rule.topics]
    nearness = _nearness(rule._embed(), [text[begin:end] for begin, end in spans], rule.topics)
    if rule.only:
        # The text as a whole may be about what it likes, as long as it is about one of these.
        off = 1.0 - float(nearness.max())
        return [Hit(detector="topic", kind="other", start=0, end=len(text), score=_bounded(off))]
    hits = []
    for column, name in enumerate(names):
        if not rule.kinds or name in rule.kinds:
            best = int(nearness[:, column].argmax())
            score = _bounded(float(nearness[best, column]))
            hits.append(Hit(detector="topic", kind=name, start=spans[best][0], end=spans[best][1], score=score))
    return hits


def _nearness(embed: Embed, pieces: list[str], topics: list[Topic]) -> np.ndarray:
    """Return the cosine of each piece with the nearest example of each topic, shape (pieces, topics)."""
    import numpy as np

    vectors, held = embed.embed(pieces), cast("Hashable", embed)
    columns = [(vectors @ _examples(held, tuple(topic.examples)).T).max(axis=1) for topic in topics]
    return np.stack(columns, axis=1)


@lru_cache(maxsize=256)
def _examples(embed: Any, examples: tuple[str, ...]) -> np.ndarray:
    found: np.ndarray = embed.embed(examples)
    return found


def _bounded(score: float) -> float:
    return round(min(1.0, max(0.0, score)), 4)
