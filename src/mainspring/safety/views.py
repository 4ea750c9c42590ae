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
    return unicodedata.normalize("NFKC", text)


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
