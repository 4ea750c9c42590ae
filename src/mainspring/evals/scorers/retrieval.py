"""Answers that rest on retrieved passages, judged by the words that they share. No model is asked.

Passages are the row's `contexts` (in its `meta`), best first. Overlap sees words, not meaning: a paraphrase scores low,
and a negation scores high. Where that matters, use a model judge; where it must be cheap and repeatable, use these.
"""

from __future__ import annotations

import re

from mainspring.evals.scorers.registry import Answer, scorer
from mainspring.evals.scorers.structured import text_of
from mainspring.evals.scorers.text import normalise

_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])|\n+")
_COMMON = frozenset(
    "and are as at be been but by can could did do does for from had has have he her him his how if in into is it its "
    "may might must no nor not of on or our shall she should so than that their them then there these they this those "
    "to us was we were what when where which who why will with would you your".split()
)
_SUPPORTED = 0.6
"""Share of a sentence's words that must stand in one passage for it to count as supported there."""


def content_words(text: str) -> list[str]:
    """Return the normalised words of a text without the commonest English ones, in order, repeats kept."""
    return [word for word in normalise(text).split() if word not in _COMMON]


def sentences(text: str) -> list[list[str]]:
    """Return the content words of each sentence that has any."""
    found = [content_words(part) for part in _SENTENCE.split(text)]
    return [words for words in found if words]


def _supported(words: list[str], passages: list[set[str]]) -> bool:
    distinct = set(words)
    return any(len(distinct & passage) >= _SUPPORTED * len(distinct) for passage in passages)


def _share_supported(text: str, answer: Answer) -> float | None:
    passages = [set(content_words(context)) for context in answer.contexts]
    parts = sentences(text)
    return sum(_supported(words, passages) for words in parts) / len(parts) if parts else None


@scorer("context_recall_overlap", needs=("reference", "contexts"))
def context_recall(answer: Answer, argument: str) -> float | None:
    """Share of the reference's sentences whose words (6 of 10) stand in one passage."""
    return _share_supported(text_of(answer.reference, argument) or "", answer)


@scorer("context_precision_overlap", needs=("reference", "contexts"))
def context_precision(answer: Answer, argument: str) -> float | None:
    """How far up the passages stand that share words with the reference: average precision over the ranks."""
    parts = sentences(text_of(answer.reference, argument) or "")
    if not parts:
        return None
    total, hits = 0.0, 0
    for rank, context in enumerate(answer.contexts, start=1):
        passage = [set(content_words(context))]
        if any(_supported(words, passage) for words in parts):
            hits += 1
            total += hits / rank
    return total / hits if hits else 0.0


@scorer("faithfulness_overlap", needs=("contexts",))
def faithfulness(answer: Answer, argument: str) -> float | None:
    """Share of the answer's sentences whose words (6 of 10) stand in one passage; 0 for an answer that says nothing."""
    return _share_supported(answer.text, answer) or 0.0
