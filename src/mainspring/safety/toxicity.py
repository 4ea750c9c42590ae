"""A word list of slurs, insults and threats, and lists of one's own: words are counted, meaning is not judged."""

from __future__ import annotations

import re
from functools import lru_cache

from mainspring.safety.detectors import detector, hold_words
from mainspring.safety.models import Hit, Rule
from mainspring.safety.scan import SPACE, Scan, quoted

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
_SCAN = Scan({kind: f"(?i){words}" for kind, words in _WORDS.items()})
_LONGEST = 4
"""Words in the longest phrase of the list."""
_WIDEST = 40
"""Characters that the longest phrase takes at most."""
_GAP = 8
"""Blanks that may stand between two words of a term."""


@detector(
    "toxicity",
    hold=lambda text, start, rule: hold_words(text, max(start, len(text) - _WIDEST), _LONGEST),
    leads=lambda rule: tuple(f"(?i){words}" for words in _WORDS.values()),
    calm=lambda text, start, rule: len(text) - _WIDEST,
)
def find_toxicity(text: str, start: int, rule: Rule) -> list[Hit]:
    """Word list of profanity, insults, slurs and threats (a list, not a judgement of meaning)."""
    hits: list[Hit] = []
    if not _SCAN(text, start):
        return hits
    for match in _ANY.finditer(text, start):
        kind = match.lastgroup or ""
        if not rule.kinds or kind in rule.kinds:
            hits.append(Hit(detector="toxicity", kind=kind, start=match.start(), end=match.end(), score=_SCORE[kind]))
    return hits


def _hold_terms(text: str, start: int, rule: Rule) -> int:
    words, size = _longest(tuple(rule.terms))
    return hold_words(text, max(start, len(text) - size), words)


@lru_cache(maxsize=64)
def _longest(terms: tuple[str, ...]) -> tuple[int, int]:
    """Return how many words and how many characters a term takes at most."""
    words = max((len(term.split()) for term in terms), default=1)
    return words, max((len(term) for term in terms), default=1) + _GAP * words


@detector(
    "terms",
    hold=_hold_terms,
    leads=lambda rule: (_rough(tuple(rule.terms)),),
    calm=lambda text, start, rule: len(text) - _longest(tuple(rule.terms))[1],
)
def find_terms(text: str, start: int, rule: Rule) -> list[Hit]:
    """The words and phrases that the rule itself lists."""
    if not rule.terms:
        return []
    scan, pattern = _terms(tuple(rule.terms))
    if not scan(text, start):
        return []
    return [Hit(detector="terms", kind="term", start=m.start(), end=m.end()) for m in pattern.finditer(text, start)]


@lru_cache(maxsize=64)
def _terms(terms: tuple[str, ...]) -> tuple[Scan, re.Pattern[str]]:
    words = [term.split() for term in sorted(terms, key=len, reverse=True)]
    exact = "|".join(r"(?<!\w)" + rf"\s{{1,{_GAP}}}".join(map(re.escape, word)) + r"(?!\w)" for word in words)
    return Scan({"terms": _rough(terms)}), re.compile(exact, re.IGNORECASE)


def _rough(terms: tuple[str, ...]) -> str:
    return "(?i)" + "|".join(f"{SPACE}{{1,{_GAP}}}".join(map(quoted, term.split())) for term in terms)
