"""Text made comparable: Unicode form, white space, words, and a simple guess at the language."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u2060\ufeff]")
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n ?(?:\n ?)+")
_WORDS = re.compile(r"\w+")

_COMMON = {
    "en": "the of and to in is that it for as with are this be on by or an not from which if when",
    "de": "der die das und ist nicht ein eine mit von den zu auf für sich dem wird im auch oder",
    "fr": "le la les des est et une dans que pour pas sur au avec par du ce qui sont ou",
    "es": "el los las una que por con para del es se como no su al lo más son pero",
    "it": "il che di è un una per non con sono della del le gli si come anche più nel",
    "pt": "o os uma que não para com por se do da em é dos das como mais ao são",
    "nl": "het een van en is dat niet op te zijn voor met die aan ook door naar bij",
}
_LANGUAGE_OF = {
    word: [code for code, words in _COMMON.items() if word in words.split()]
    for words in _COMMON.values()
    for word in words.split()
}
_SCRIPTS = (
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
)


def normalise(text: str) -> str:
    """Return the text in Unicode form NFC, without control characters, single blanks and at most one empty line."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    text = _SPACES.sub(" ", _CONTROL.sub("", text))
    return _LINES.sub("\n\n", text).strip()


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, marks left out."""
    return _WORDS.findall(text.lower())


def language(text: str) -> str:
    """Guess a text's language by script, then by its most frequent short words: an ISO 639-1 code, or `und`.

    A guess for profiles and filters, weak on texts of fewer than five words.
    """
    letters = sum(map(str.isalpha, text)) or 1
    for code, script in _SCRIPTS:
        if len(script.findall(text)) > letters * 0.3:
            # Japanese mixes Chinese characters with its own letters, which decide.
            return "ja" if code == "zh" and _SCRIPTS[1][1].search(text) else code
    votes: Counter[str] = Counter()
    for word in words(text)[:400]:
        for code in _LANGUAGE_OF.get(word, ()):
            votes[code] += 1
    return votes.most_common(1)[0][0] if votes else "und"
