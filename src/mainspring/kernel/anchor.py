"""The anchor: the audit log's last head in a file of mode 0600, where whoever writes the database does not reach.

It moves forward with each transaction that wrote audit rows, after the commit, where the log still holds the row that
it knew before. So it may be behind the log, by what a crash cut off; it is ahead of it, or beside it for ever, where
the log lost rows or was set back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mainspring.kernel.errors import Unavailable

NAME = "audit.anchor"
_WIDTH = 20
_SIZE = _WIDTH + 1 + 64 + 1


class Head(NamedTuple):
    """The number of the log's last row, and its seal."""

    seq: int
    seal: str


def read(home: Path) -> Head | None:
    """Return the anchor of an installation; None where there is none yet. Raises Unavailable."""
    try:
        return _parsed((home / NAME).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(
            f"The audit log's anchor cannot be read ({error.strerror}).", hint=f"Look at {NAME}."
        ) from None


def advance(home: Path, head: Head, stands: Callable[[Head], bool]) -> None:
    """Move the anchor forward to `head` where the log still has what it knew: `stands(known)`. Raises OSError."""
    with _locked(home) as file:
        known = _parsed(os.pread(file, _SIZE, 0))
        if known is None or (known.seq < head.seq and stands(known)):
            _write(file, head)


def set_back(home: Path, head: Head | None) -> None:
    """Let the anchor begin again at `head`, because a backup was brought back."""
    with _locked(home) as file:
        os.ftruncate(file, 0)
        if head is not None:
            _write(file, head)
        os.fsync(file)


def _write(file: int, head: Head) -> None:
    os.pwrite(file, f"{head.seq:{_WIDTH}d} {head.seal}\n".encode(), 0)


def _parsed(line: bytes) -> Head | None:
    seq, _, seal = line.decode("ascii", "replace").strip().partition(" ")
    if not line:
        return None
    return Head(int(seq), seal) if seq.isdigit() else Head(0, "")


@contextmanager
def _locked(home: Path) -> Iterator[int]:
    import fcntl

    file = os.open(home / NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)
