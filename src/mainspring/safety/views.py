"""Views of a text: what it says once a simple disguise is taken off, such as base64 or invisible characters."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

_LONGEST = 20_000
_INVISIBLE = dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xAD))
_TAGS = {0xE0000 + code: chr(code) for code in range(0x20, 0x7F)}
"""Tag characters show nothing, and spell ASCII."""
_TAGGED = re.compile("[\U000e0020-\U000e007e]+")
_LEET = str.maketrans("013457@$!|", "oieastasil")
_KEYS = ("ignore", "instruc", "prompt", "disregard", "password")
_TURNED = tuple(codecs.encode(key, "rot13") for key in _KEYS)
_BACKWARDS = tuple(key[::-1] for key in _KEYS)

_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u043a\u043c\u0442\u0432\u043d\u0501\u051b"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
    "\u03b1\u03b5\u03bf\u03c1\u03c5\u03bd\u03b9\u03ba\u03c4\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "aeopcyxijskmtbhdqABEKMHOPCTYXIJSaeopuviktABEZHIKMNOPTYX",
)
"""Cyrillic and Greek letters that look like Latin ones."""
_MIXED = re.compile("[A-Za-z][\u0370-\u052f]|[\u0370-\u052f][A-Za-z]")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{24,8000}={0,2}(?![A-Za-z0-9+/=])")
_HEX = re.compile(r"\b(?:[0-9a-fA-F]{2}[ :]?){16,4000}")
_BINARY = re.compile(r"\b(?:[01]{8}\s?){12,2000}")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}.{0,12}){4}", re.DOTALL)
_ESCAPED = re.compile(r"(?:\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}){8,}")
_SPACED = re.compile(r"\b(?:\w[ .\-_*]){7,}\w\b")
_LEETED = re.compile(r"[a-z][0134579@$!]{1,3}[a-z]", re.IGNORECASE)


def plain(text: str) -> str:
    """Return the text in compatibility form, without characters that show nothing, with tag characters spelt out."""
    text = text[:_LONGEST]
    if text.isascii():
        return text
    text = _TAGGED.sub(lambda match: f" {match.group().translate(_TAGS)} ", text).translate(_INVISIBLE)
    text = unicodedata.normalize("NFKC", text)
    # Letters of two alphabets in one word are there to deceive; in words of their own they are a language.
    return text.translate(_ALIKE) if _MIXED.search(text) else text


def decoded(text: str) -> Iterator[str]:
    """Yield what stands in the text in disguise: encodings decoded, letters put back. Most texts yield nothing."""
    for match in _BASE64.finditer(text):
        yield from _readable(_from_base64(match.group()))
    for match in _HEX.finditer(text):
        yield from _readable(bytes.fromhex(re.sub(r"[ :]", "", match.group())))
    for match in _BINARY.finditer(text):
        yield from _readable(bytes(int(bits, 2) for bits in match.group().split()))
    if "%" in text and _PERCENT.search(text):
        yield unquote(text)
    if "\\" in text:
        for match in _ESCAPED.finditer(text):
            yield codecs.decode(match.group().encode("ascii"), "unicode_escape")
    if len(_LEETED.findall(text)) >= 3:
        yield text.translate(_LEET)
    if _SPACED.search(text):
        yield _SPACED.sub(lambda match: re.sub(r"(?<=\w)[ .\-_*](?=\w)", "", match.group()), text.replace("  ", " \n "))
    lower = text.lower()
    if any(key in lower for key in _TURNED):
        yield codecs.encode(text, "rot13")
    if any(key in lower for key in _BACKWARDS):
        yield text[::-1]


def _from_base64(found: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(
            found.rstrip("=").translate(str.maketrans("+/", "-_")) + "=" * (-len(found.rstrip("=")) % 4)
        )
    except (binascii.Error, ValueError):
        return b""


def _readable(found: bytes) -> Iterator[str]:
    try:
        text = found.decode("utf-8")
    except UnicodeDecodeError:
        return
    if len(text) >= 12 and sum(letter.isalpha() or letter == " " for letter in text) > 0.7 * len(text):
        yield text
