"""Check that a GGUF file is whole before a process is spent on it, and read what it says of its size.

Layout: the GGUF specification of the ggml project, versions 2 and 3 (little endian).
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from mainspring.kernel.errors import Invalid

_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_WHOLE = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 10: "<Q", 11: "<q"}
_STRING, _ARRAY = 8, 9
Facts = dict[str, int]
"""The whole numbers of a header by the last parts of their names: `block_count`, `attention.head_count_kv`."""
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip
"""Tensor type → (elements in a block, bytes of a block)."""


class _Reader:
    """A cursor over the mapped file that refuses to run past its end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self.data):
            raise struct.error("past the end")

    def number(self, form: str) -> int:
        value = struct.unpack_from(form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return int(value)

    def text(self) -> bytes:
        length = self.number("<Q")
        start = self.at
        self.skip(length)
        return self.data[start : self.at]

    def value(self, kind: int) -> int:
        """Return a whole number; of anything else, 0, having skipped it."""
        if kind in _WHOLE:
            return self.number(_WHOLE[kind])
        self.skip_value(kind)
        return 0

    def skip_value(self, kind: int) -> None:
        if kind == _STRING:
            self.skip(self.number("<Q"))
        elif kind == _ARRAY:
            inner, count = self.number("<I"), self.number("<Q")
            if inner in _SCALARS:
                self.skip(_SCALARS[inner] * count)
                return
            for _ in range(count):
                self.skip_value(inner)
        else:
            self.skip(_SCALARS[kind])


def check_gguf(path: Path) -> Facts:
    """Return a header's numbers; raise Invalid where the file is no GGUF, or ends before its last tensor does."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size < 24 or file.read(4) != b"GGUF":
            raise Invalid("The file is not a GGUF model.", hint="Import a .gguf file.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                needed, facts = _read(_Reader(data))
            except (struct.error, KeyError, RecursionError):
                raise Invalid(
                    "The GGUF file's header is damaged or cut short.", hint="Copy the file again and import it."
                ) from None
    if needed > size:
        raise Invalid(
            f"The GGUF file is cut short: its header announces {needed:,} bytes, it has {size:,}.",
            hint="Copy the file again and import it.",
        )
    return facts


def _read(reader: _Reader) -> tuple[int, Facts]:
    """Return how many bytes the file must have for every tensor to lie within it, and the header's numbers."""
    reader.skip(4)
    version = reader.number("<I")
    if version not in (2, 3):
        raise Invalid(f"GGUF version {version} is not supported.", hint="Convert the file to GGUF version 3.")
    tensors, pairs = reader.number("<Q"), reader.number("<Q")
    facts: Facts = {}
    for _ in range(pairs):
        key, kind = reader.text().decode("utf-8", "replace"), reader.number("<I")
        facts[key if key.startswith("general.") else key.partition(".")[2]] = reader.value(kind)
    alignment = facts.get("general.alignment", 32)
    ends = [0]
    for _ in range(tensors):
        reader.text()
        elements = 1
        for _ in range(reader.number("<I")):
            elements *= reader.number("<Q")
        kind, offset = reader.number("<I"), reader.number("<Q")
        block, width = _BLOCKS.get(kind, (1, 0))
        ends.append(offset + -(-elements // block) * width)
    start = -(-reader.at // alignment) * alignment if alignment else reader.at
    return start + max(ends), facts
