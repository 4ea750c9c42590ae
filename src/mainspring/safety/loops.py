"""Loops: a text that goes on by saying the same again and again."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+|[^\w\s]")
_LONGEST = 40
"""Words of the longest piece that is looked for."""
_LEAST_WORDS, _LEAST_TIMES = 60, 4
"""Words that the end of a text must spend on repeating a piece, and how often the piece must stand there."""
_READ = 4000


def loops(text: str) -> bool:
    """Tell whether the end of a text is one piece of at most 40 words, repeated: four times and over 60 words at least.

    A table or a list of like lines differs from line to line, and so is none. Only the last 4,000 words are read.
    """
    words = _WORD.findall(text[-_READ * 8 :].lower())[-_READ:]
    for size in range(1, min(_LONGEST, len(words) // _LEAST_TIMES) + 1):
        same = 0
        for at in range(len(words) - 1, size - 1, -1):
            if words[at] != words[at - size]:
                break
            same += 1
        if same + size >= max(_LEAST_WORDS, _LEAST_TIMES * size):
            return True
    return False
