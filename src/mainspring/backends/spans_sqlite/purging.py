"""The word index without its erased rows: it only marks them, and drops their words when it merges its pieces.

To merge all of it takes two seconds for a million spans. It is done a bounded number of pages at a time, so that who
writes waits for a moment and not for the whole. What is left to do stands in the index itself: an erasure that was cut
off is finished by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

PAGES = 2_000
"""Of about 4 KB, merged in one step."""
_GIVES_WAY = 0.001
_STRUCTURE = "SELECT block FROM texts_data WHERE id = 10"
_ALIKE = b"\xff\x00\x00\x01"
"""Stands after the first four bytes where pieces of the index say how many of their rows are marked."""


def drop_erased(connection: Any, writing: Callable[[], AbstractContextManager[Any]]) -> None:
    """Merge until no piece has rows that are marked as deleted; `writing` is entered for each step."""
    # A negative number has all pieces merged into one, even those that would not be due yet.
    pages = -PAGES
    while True:
        with writing():
            if not marked(connection):
                return
            before = connection.total_changes()
            connection.execute("INSERT INTO texts (texts, rank) VALUES ('merge', ?)", (pages,))
            if connection.total_changes() - before < 2:
                connection.execute("INSERT INTO texts (texts) VALUES ('optimize')")
                return
        pages = PAGES
        time.sleep(_GIVES_WAY)  # a lock that is taken again at once is never had by who waits for it


def marked(connection: Any) -> bool:
    """Tell whether a piece of the word index has rows that are marked as deleted.

    Reads the record of the structure as `fts5StructureDecode` of SQLite does.
    """
    block = connection.execute(_STRUCTURE).get
    if not block or block[4:8] != _ALIKE:
        return False
    numbers = _numbers(block, 8)
    levels = next(numbers)
    next(numbers), next(numbers)
    for _ in range(levels):
        next(numbers)
        for _ in range(next(numbers)):
            piece = [next(numbers) for _ in range(8)]
            if piece[5]:
                return True
    return False


def _numbers(block: bytes, at: int) -> Iterator[int]:
    """Yield SQLite's varints: seven bits a byte, the highest first, the ninth byte whole."""
    while at < len(block):
        number = 0
        for place in range(9):
            byte = block[at]
            at += 1
            if place == 8:
                number = number << 8 | byte
                break
            number = number << 7 | byte & 0x7F
            if byte < 0x80:
                break
        yield number
