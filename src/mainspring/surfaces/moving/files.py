"""Files of an export: JSON, lines of JSON, either under gzip, alone or in a folder."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from mainspring.kernel.errors import Invalid, TooLarge

_KINDS = (".json", ".jsonl", ".ndjson")
_MOST_WHOLE = 1 << 29
_MOST_LINE = 1 << 24
_MOST_FILES = 10_000


def rows_of(place: Path) -> Iterator[tuple[Path, Any]]:
    """Yield every row of a file or of the files of a folder, with the file. Raises Invalid, TooLarge."""
    for path in _files(place):
        for row in _rows(path):
            yield path, row


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise Invalid(f"{place} is no file and no folder.", hint="Give the path of an export.")
    found = sorted(path for path in place.rglob("*") if _kind(path) in _KINDS and path.is_file())
    if not found:
        raise Invalid(f"{place} holds no export.", hint=f"Its files end in {', '.join(_KINDS)}, or these and .gz.")
    if len(found) > _MOST_FILES:
        raise TooLarge(f"{place} holds more than {_MOST_FILES:,} files.", hint="Import it in parts.")
    return found


def _kind(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def _rows(path: Path) -> Iterator[Any]:
    lines = _kind(path) != ".json"
    try:
        with closing(_opened(path)) as file:
            if lines:
                for row in _lines(path, file):
                    yield from _unpacked(row)
                return
            text = file.read(_MOST_WHOLE + 1)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as problem:
        raise Invalid(f"{path} cannot be read: {problem}.") from None
    if len(text) > _MOST_WHOLE:
        raise TooLarge(f"{path} is larger than 512 MiB.", hint="Export lines of JSON, or in parts.")
    try:
        held = _parsed(text)
    except ValueError:
        # Some exports name lines of JSON .json.
        for row in _lines(path, io.StringIO(text)):
            yield from _unpacked(row)
        return
    yield from held if isinstance(held, list) else _unpacked(held)


def _unpacked(row: Any) -> list[Any]:
    """Return the rows of a page as an API answers with, or the row that it is."""
    return row["data"] if isinstance(row, dict) and isinstance(row.get("data"), list) else [row]


def _parsed(text: str) -> Any:
    """Return what a text of JSON holds; numbers that JSON does not know say nothing. Raises ValueError.

    So it does where the text is nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _opened(path: Path) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8-sig")


def _lines(path: Path, file: IO[str]) -> Iterator[Any]:
    number = 0
    while line := file.readline(_MOST_LINE + 1):
        number += 1
        if len(line) > _MOST_LINE:
            raise TooLarge(f"Line {number} of {path} is longer than 16 MiB.")
        if not line.strip():
            continue
        try:
            yield _parsed(line)
        except ValueError as problem:
            raise Invalid(f"Line {number} of {path} is no JSON: {problem}.", hint="Is it an export as JSON?") from None
