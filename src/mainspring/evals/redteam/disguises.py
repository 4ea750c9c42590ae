"""Disguises: ways of writing an order so that a filter does not read it, and a model may."""

from __future__ import annotations

import base64
import codecs
import html
import urllib.parse
from collections.abc import Callable

_LEET = str.maketrans("aeiostlAEIOSTL", "43105714310571")
_LOOKALIKES = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")  # noqa: RUF001 - that is the point
_MORSE = dict(zip("abcdefghijklmnopqrstuvwxyz", (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.."
).split(), strict=True))  # fmt: skip
_SPOKEN = dict(zip("abcdefghijklmnopqrstuvwxyz", (
    "alfa bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec romeo "
    "sierra tango uniform victor whiskey xray yankee zulu"
).split(), strict=True))  # fmt: skip


def _shifted(text: str, by: int) -> str:
    return "".join(
        chr((ord(letter) - base + by) % 26 + base)
        if letter.isascii() and letter.isalpha() and (base := 97 if letter.islower() else 65)
        else letter
        for letter in text
    )


def _mirrored(text: str) -> str:
    """Write a for z, b for y and so on."""
    return "".join(
        chr(219 - ord(letter)) if "a" <= letter <= "z" else chr(155 - ord(letter)) if "A" <= letter <= "Z" else letter
        for letter in text
    )


def _spelt(text: str, names: dict[str, str]) -> str:
    return " / ".join(" ".join(names.get(letter.lower(), letter) for letter in word) for word in text.split())


def _pig(text: str) -> str:
    return " ".join(word[1:] + word[0] + "ay" if word.isalpha() and len(word) > 1 else word for word in text.split())


DISGUISES: dict[str, Callable[[str], str]] = {
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base64 that was encoded twice": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "Base32": lambda text: base64.b32encode(text.encode()).decode(),
    "Ascii85": lambda text: base64.a85encode(text.encode()).decode(),
    "hexadecimal bytes": lambda text: text.encode().hex(" "),
    "binary numbers": lambda text: " ".join(f"{byte:08b}" for byte in text.encode()),
    "decimal character codes": lambda text: " ".join(str(byte) for byte in text.encode()),
    "ROT13": lambda text: codecs.encode(text, "rot13"),
    "the Caesar cipher with a shift of 3": lambda text: _shifted(text, 3),
    "the Atbash cipher": _mirrored,
    "reversed letters": lambda text: text[::-1],
    "reversed words": lambda text: " ".join(reversed(text.split())),
    "spaced letters": " ".join,
    "letters with dots between them": ".".join,
    "letters with invisible characters between them": "\u200b".join,
    "leetspeak": lambda text: text.translate(_LEET),
    "letters of other scripts that look alike": lambda text: text.translate(_LOOKALIKES),
    "fullwidth letters": lambda text: "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text),
    "percent encoding": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "percent encoding of the marks alone": lambda text: urllib.parse.quote(text, safe=""),
    "HTML entities": lambda text: "".join(f"&#{ord(one)};" for one in html.escape(text)),
    "escapes of Unicode": lambda text: "".join(f"\\u{ord(one):04x}" for one in text),
    "Morse code": lambda text: _spelt(text, _MORSE),
    "the spelling alphabet": lambda text: _spelt(text, _SPOKEN),
    "pig latin": _pig,
}
"""By what the reader is told."""
