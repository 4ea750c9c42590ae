"""Answers compared with a reference, character by character or nearly so."""

from __future__ import annotations

import re
import string
import unicodedata

from mainspring.evals.scorers.registry import Answer, scorer
from mainspring.evals.scorers.structured import answer_text, text_of

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Return text in NFKC and lower case, without punctuation and English articles, blanks joined.

    The normalisation customary since SQuAD (Rajpurkar et al. 2016, section 6.1).
    """
    plain = unicodedata.normalize("NFKC", text).lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


@scorer("exact", argument="optional", needs=("reference",))
def exact(answer: Answer, argument: str) -> float | None:
    """The answer, or its field named, equals the reference; outer blanks are ignored."""
    wanted = text_of(answer.reference, argument)
    return None if wanted is None else float(answer_text(answer, argument).strip() == wanted.strip())


@scorer("normalised", argument="optional", needs=("reference",))
def normalised(answer: Answer, argument: str) -> float | None:
    """The same after case, punctuation, articles and blanks are evened out."""
    wanted = text_of(answer.reference, argument)
    return None if wanted is None else float(normalise(answer_text(answer, argument)) == normalise(wanted))
