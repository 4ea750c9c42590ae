"""A word list of slurs, insults and threats, and lists of one's own: words are counted, meaning is not judged."""

from __future__ import annotations

import re
from functools import lru_cache

from mainspring.safety.detectors import detector, hold_words
from mainspring.safety.models import Hit, Rule

_WORDS = {
    "profanity": r"(?:mother)?fuck(?:s|ed|ers?|ing)?|(?:bull)?shit(?:s|ty)?|assholes?|bastards?|bitch(?:es)?|cunts?"
    r"|dickheads?|piss off|wankers?|bollocks",
    "insult": r"idiots?|morons?|imbeciles?|retard(?:s|ed)?|scumbags?|dumbass(?:es)?"
    r"|stupid (?:bot|machine|woman|man|girl|boy|people)|shut up|piece of (?:garbage|trash)|waste of (?:space|oxygen)",
    "slur": r"n[i1]gg(?:er|ers|a|as)|f[a@]gg?ots?|kikes?|spics?|chinks?|gooks?|trann(?:y|ies)|wetbacks?|ragheads?",
    "threat": r"kill (?:you|yourself|urself|them all)|kys|i will (?:hurt|kill|find|destroy) you|go die|hope you die"
    r"|beat you up|burn in hell|you(?: are|'re) dead|slit your",
}
_SCORE = {"profanity": 0.7, "insult": 0.6, "slur": 0.95, "threat": 0.9}
_KINDS = "|".join(f"(?P<{kind}>{words})" for kind, words in _WORDS.items())
_ANY = re.compile(rf"(?<!\w)(?:{_KINDS})(?!\w)", re.IGNORECASE)
_LONGEST = 4
"""Words in the longest phrase of the list."""


@detector("toxicity", hold=lambda text, start, rule: hold_words(text, start, _LONGEST))
def find_toxicity(text: str, start: int, rule: Rule) -> list[Hit]:
    """Word list of profanity, insults, slurs and threats (a list, not a judgement of meaning)."""
    hits = []
    for match in _ANY.finditer(text, start):
        kind = match.lastgroup or ""
        if not rule.kinds or kind in rule.kinds:
            hits.append(Hit(detector="toxicity", kind=kind, start=match.start(), end=match.end(), score=_SCORE[kind]))
    return hits


@detector("terms", hold=lambda text, start, rule: hold_words(text, start, _longest(rule)))
def find_terms(text: str, start: int, rule: Rule) -> list[Hit]:
    """The words and phrases that the rule itself lists."""
    if not rule.terms:
        return []
    found = _terms(tuple(rule.terms)).finditer(text, start)
    return [Hit(detector="terms", kind="term", start=match.start(), end=match.end()) for match in found]


@lru_cache(maxsize=64)
def _terms(terms: tuple[str, ...]) -> re.Pattern[str]:
    words = sorted(terms, key=len, reverse=True)
    return re.compile(
        "|".join(r"(?<!\w)" + r"\s+".join(map(re.escape, term.split())) + r"(?!\w)" for term in words), re.IGNORECASE
    )


def _longest(rule: Rule) -> int:
    return max((len(term.split()) for term in rule.terms), default=1)
