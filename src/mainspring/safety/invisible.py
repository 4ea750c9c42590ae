"""Characters that show nothing: they hide orders from people, and words from detectors."""

from __future__ import annotations

import re

from mainspring.safety.detectors import detector
from mainspring.safety.models import Hit, Rule
from mainspring.safety.scan import Scan

KINDS = ("tag", "bidi", "zero_width", "control")
_SCORE = {"tag": 0.95, "bidi": 0.8, "zero_width": 0.7, "control": 0.8}
_FLAG = "\U0001f3f4[\U000e0030-\U000e007a]{2,6}\U000e007f"
"""The flag of a region, such as Scotland's, is spelt in tag characters."""
_JOINED = re.compile(r"[\u0600-\u08ff\u0900-\u0dff\u200d\ufe0f\u2600-\u27bf\U0001f000-\U0001faff]")
"""Beside these letters and pictures the joiners mean something."""
_ANY = re.compile(
    rf"(?P<flag>{_FLAG})|(?P<tag>[\U000e0000-\U000e007f]+)|(?P<bidi>[\u202a-\u202e\u2066-\u2069]+)"
    r"|(?P<zero_width>[\u200b-\u200d\u2060-\u2064\u180e\u034f\u115f\u1160\u3164\ufeff\u00ad]+)"
    r"|(?P<control>[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]+)"
)
_SOME = (
    r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x{84}\x{86}-\x{9f}\x{ad}\x{34f}\x{115f}\x{1160}\x{180e}"
    r"\x{200b}-\x{200d}\x{202a}-\x{202e}\x{2060}-\x{2069}\x{3164}\x{feff}\x{e0000}-\x{e007f}]"
)
_SCAN = Scan({"any": _SOME})
_OPEN = re.compile(r"[\U0001f3f4\U000e0000-\U000e007f\u202a-\u202e\u2066-\u2069\u200b-\u200d\u2060-\u2064\ufeff]+\Z")


@detector(
    "invisible",
    hold=lambda text, start, rule: _hold(text, start),
    leads=lambda rule: (_SOME,),
    calm=lambda text, start, rule: len(text),
)
def find_invisible(text: str, start: int, rule: Rule) -> list[Hit]:
    """Characters that show nothing: Unicode tags, changes of direction, zero width, control characters."""
    hits: list[Hit] = []
    if not _SCAN(text, start):
        return hits
    for match in _ANY.finditer(text, start):
        kind = match.lastgroup or ""
        if kind == "flag" or (rule.kinds and kind not in rule.kinds) or _meant(text, match):
            continue
        hits.append(Hit(detector="invisible", kind=kind, start=match.start(), end=match.end(), score=_SCORE[kind]))
    return hits


def _meant(text: str, match: re.Match[str]) -> bool:
    """Tell whether this is a single joiner where a script or a picture needs one, or a mark of byte order in front."""
    found, at = match.group(), match.start()
    if found == "\ufeff" and at == 0:
        return True
    if found not in ("\u200c", "\u200d"):
        return False
    return bool(_JOINED.match(text[at - 1 : at]) and (match.end() == len(text) or _JOINED.match(text, match.end())))


def _hold(text: str, start: int) -> int:
    found = _OPEN.search(text, max(start, len(text) - 64))
    return found.start() if found else len(text)
