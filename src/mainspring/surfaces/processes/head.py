"""The head of a request, remembered: on one connection a client sends the same one again and again.

A parser has taken it apart once. Where all of it comes again, but for the number of bytes of the body, nothing needs to
be taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,7})\r\n", re.IGNORECASE)
_END = b"\r\n\r\n"
_DIGITS = 8
_LONGEST = 8 << 10
"""Bytes of a head that is remembered: connections that are idle hold one each."""
_common: list[tuple[Sequence[tuple[bytes, bytes]], bytes]] = []
"""The headers that all answers of a moment have, as the server holds them and as they are sent."""


class Head:
    """What stands before and after the length of the body."""

    def __init__(self, before: bytes, after: bytes, most: int) -> None:
        """Bodies of `most` bytes are taken."""
        self._before, self._after, self._most = before, after, most

    def body(self, data: bytes) -> bytes | None:
        """Return the body of a request that has this head; None where it has another, or where more or less came."""
        before, after = self._before, self._after
        if not data.startswith(before):
            return None
        ends = data.find(b"\r", len(before), len(before) + _DIGITS)
        if ends < 0 or not data.startswith(after, ends):
            return None
        length, body = data[len(before) : ends], data[ends + len(after) :]
        return body if length.isdigit() and len(body) == int(length) <= self._most else None


def head_of(data: bytes, size: int, most: int) -> Head | None:
    """Return the head of one whole request, whose body has `size` bytes; None where it is not plain to see."""
    ends = data.find(_END) + len(_END)
    found = _LENGTH.search(data, 0, ends - 2)
    if found is None or ends > _LONGEST or int(found[1]) != size or len(data) != ends + size:
        return None
    if data.count(b"\n", 0, ends) != data.count(b"\r\n", 0, ends):
        return None  # to some parsers a bare line feed ends a line, and so a head
    return Head(data[: found.start(1)], data[found.end(1) : ends], most)


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return headers as they are sent."""
    lines = b""
    for name, value in headers:
        lines += b"%b: %b\r\n" % (name, value)
    return lines


def common_lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return, as they are sent, headers that the same list holds for many answers: the server makes one a second."""
    if not _common or _common[0][0] is not headers:
        _common[:] = [(headers, lines_of(headers))]
    return _common[0][1]
