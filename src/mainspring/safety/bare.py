"""Bare: a text without the characters that show nothing, and where in the text what is found in it stands.

Whoever reads an answer does not see them: an address with one in its middle is an address still. So is one in the wide
letters of East Asian typesetting, or in those of mathematics, which stand for the plain ones here.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right

from mainspring.safety.models import Hit

_HIDDEN = re.compile(
    r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\u180e\u034f\u115f\u1160\u3164\ufeff\u00ad\ufe00-\ufe0f\U000e0000-\U000e007f]+"
)
_STYLED = (range(0x24B6, 0x24EA), range(0xFE50, 0xFE6C), range(0xFF01, 0xFF5F), range(0x1D400, 0x1D800))
_PLAIN = {
    code: plain
    for codes in _STYLED
    for code in codes
    if len(plain := unicodedata.normalize("NFKC", chr(code))) == 1 and plain.isascii()
}
"""What a character in another style is, one for one: so that places stay."""
_DISGUISED = re.compile(
    _HIDDEN.pattern + r"|[\u24b6-\u24e9\ufe52\ufe6b\uff0e\uff10-\uff19\uff20-\uff3a\uff41-\uff5a\U0001d400-\U0001d7ff]"
)
"""What calls for a closer look: wide commas and brackets alone are how Chinese is written."""


def hides(text: str) -> bool:
    """Tell whether a text holds characters that show nothing, or plain ones in another style."""
    return not text.isascii() and _DISGUISED.search(text) is not None


class Bare:
    """What shows of a text that may grow. Places in it are told apart from those in the text."""

    def __init__(self, text: str) -> None:
        self.text = ""
        self._places: list[int] = []
        """Where in `text` something was left out, and in the text itself, and how much up to there."""
        self._ends: list[int] = []
        self._left_out: list[int] = [0]
        self._size = 0
        self.add(text)

    def add(self, piece: str) -> None:
        """Take the next piece of the text."""
        at, parts, shown = 0, [], len(self.text)
        for run in _HIDDEN.finditer(piece):
            parts.append(piece[at : run.start()])
            shown += run.start() - at
            at = run.end()
            self._places.append(shown)
            self._ends.append(self._size + at)
            self._left_out.append(self._left_out[-1] + at - run.start())
        parts.append(piece[at:])
        self._size += len(piece)
        self.text += "".join(parts).translate(_PLAIN)

    def place(self, at: int) -> int:
        """Return where in `text` what stands at a place of the text is, or what comes next where it is left out."""
        run = bisect_right(self._ends, at)
        if run < len(self._ends) and at >= self._ends[run] - (self._left_out[run + 1] - self._left_out[run]):
            return self._places[run]
        return at - self._left_out[run]

    def end(self, place: int) -> int:
        """Return where in the text that ends what ends at a place of `text`."""
        return place + self._left_out[bisect_left(self._places, place)]

    def begin(self, place: int) -> int:
        """Return where in the text the character at a place of `text` stands."""
        return place + self._left_out[bisect_right(self._places, place)]

    def moved(self, hits: list[Hit]) -> list[Hit]:
        """Return what was found in `text` with its places in the text itself."""
        return [
            hit.model_copy(
                update={"start": self.begin(hit.start), "end": max(self.begin(hit.start), self.end(hit.end))}
            )
            for hit in hits
        ]
