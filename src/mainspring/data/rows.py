"""Rows on disk: canonical JSON lines in zstd blocks, content-addressed, read in pages without reading the whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from mainspring.data.models import Row
from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import Files
from mainspring.kernel.tables import canonical

BLOCK = 500
"""Rows in a block; a block is one zstd frame."""
MOST_ROWS = 5_000_000
_DEEPEST = 64


class Writer:
    """Gathers rows and stores them as one file; nothing is stored before `close`."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._blocks: list[bytes] = []
        self._ids: set[str] = set()
        self.counts: dict[str, Counter[str]] = {"labels": Counter(), "splits": Counter(), "licenses": Counter()}

    def add(self, row: Row, place: str = "") -> None:
        """Append a row, found at `place`. Raises Invalid where its id is taken, or it cannot be written as JSON."""
        if row.id in self._ids:
            what = f"{place}: the" if place else "The"
            raise Invalid(f"{what} row id {row.id!r} stands twice.", hint="Give each row an id of its own, or none.")
        if len(self._ids) >= MOST_ROWS:
            raise Invalid(f"A dataset version holds at most {MOST_ROWS:,} rows.", hint="Divide it into several.")
        try:
            value = stored(row)
            line = canonical(value).encode()
            if line.count(b"[") + line.count(b"{") > _DEEPEST and _depth(value) > _DEEPEST:
                raise ValueError(f"it is nested more than {_DEEPEST} deep")
        except (TypeError, ValueError, RecursionError) as error:
            raise Invalid(
                f"{place or 'A row'}: {row.id} cannot be written as JSON: {str(error)[:200]}.",
                hint="Mend that row: numbers are finite, texts whole Unicode, and nesting is not deep.",
            ) from None
        self._ids.add(row.id)
        self._lines.append(line)
        for kind, key in (("labels", row.label), ("splits", row.split), ("licenses", row.meta.get("license"))):
            if key:
                self.counts[kind][str(key)[:200]] += 1
        if len(self._lines) == BLOCK:
            self._pack()

    def close(self, files: Files) -> dict[str, Any]:
        """Store the file and return the content of the version: address, block offsets, counts. Raises NoSpace."""
        self._pack()
        offsets, at = [], 0
        for block in self._blocks:
            offsets.append(at)
            at += len(block)
        file = files.put(b"".join(self._blocks))
        counts = {kind: dict(sorted(counter.most_common(100))) for kind, counter in self.counts.items()}
        return {"file": file.sha256, "bytes": file.size, "rows": len(self._ids), "blocks": offsets, **counts}

    def _pack(self) -> None:
        if self._lines:
            import zstandard

            self._blocks.append(zstandard.ZstdCompressor(level=3).compress(b"\n".join(self._lines)))
            self._lines = []


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def store(files: Files, rows: Iterable[Row]) -> dict[str, Any]:
    """Store rows and return the content of a version. Raises Invalid for an id that stands twice."""
    writer = Writer()
    for row in rows:
        writer.add(row)
    return writer.close(files)


def stored(row: Row) -> dict[str, Any]:
    """Return the row as it is written: either `messages` or `text`, never both."""
    shown = row.model_dump()
    del shown["text" if row.messages else "messages"]
    return shown


def read(files: Files, content: dict[str, Any], *, start: int = 0) -> Iterator[Row]:
    """Yield the rows of a version from the row number `start` on."""
    for value in read_json(files, content, start=start):
        yield Row.model_validate(value)


def read_json(files: Files, content: dict[str, Any], *, start: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the rows of a version as plain JSON values: what was stored is known to be valid."""
    import zstandard

    offsets: list[int] = [*content["blocks"], content["bytes"]]
    first, skip = divmod(start, BLOCK)
    if first >= len(offsets) - 1:
        return
    unpack = zstandard.ZstdDecompressor().decompress
    with files.path(content["file"]).open("rb") as file:
        file.seek(offsets[first])
        for begin, end in zip(offsets[first:], offsets[first + 1 :], strict=False):
            lines = unpack(file.read(end - begin)).split(b"\n")
            for line in lines[skip:]:
                yield json.loads(line)
            skip = 0
