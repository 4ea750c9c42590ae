"""The journal of one process: what its calls hold and what they used, in a file that outlives the process.

A line is written before a call begins, with the most that it may use, and one when it ends, with what it used. A kill
loses none of them; a loss of power may lose those since the last sync. The lock beside the file tells others whether
the process lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mainspring.serving.metering.entries import Entry, Take, decoded, encode
from mainspring.serving.metering.models import Amounts, Payer
from mainspring.serving.models import Unkept

_LONGEST = 8 << 20


class Journal:
    """Writes one process's journal. Its user sees to it that one thread writes at a time."""

    def __init__(self, root: Path, name: str) -> None:
        draft, self.folder = root / f".{name}", root / name
        draft.mkdir(parents=True, mode=0o700)
        # Locked before it can be found, so that nobody takes it for abandoned.
        self._lock = _locked(draft / "lock")
        os.write(self._lock, boot().encode())
        self._file = os.open(draft / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        draft.rename(self.folder)
        self._open: dict[str, bytes] = {}
        self._settled: deque[tuple[int, bytes]] = deque()
        self._size = self._synced = 0
        self.number = 0
        """Number of the last line."""

    def hold(self, call: str, payer: Payer, hour: str, amounts: Amounts, takes: list[Take]) -> None:
        """Write that a call begins, with the most that it may use. Raises Unavailable where the disk refuses."""
        self._open[call] = self._write(Entry(self.number + 1, "held", call, payer, hour, amounts, takes))

    def settle(self, call: str, payer: Payer, hour: str, amounts: Amounts, takes: list[Take]) -> None:
        """Write what a call used. Raises Unavailable where the disk refuses."""
        line = self._write(Entry(self.number + 1, "settled", call, payer, hour, amounts, takes))
        self._open.pop(call, None)
        self._settled.append((self.number, line))

    def sync(self) -> None:
        """Bring to the disk what is written."""
        size = self._size
        if size != self._synced:
            os.fsync(self._file)
            self._synced = size

    def shorten(self, applied: int) -> None:
        """Forget lines that are settled and applied; a long file is written anew without them."""
        while self._settled and self._settled[0][0] <= applied:
            self._settled.popleft()
        if self._size < _LONGEST:
            return
        draft = self.folder / "journal.new"
        kept = b"".join([*self._open.values(), *(line for _, line in self._settled)])
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            whole = os.write(file, kept) == len(kept)
            os.fsync(file)
        except OSError:
            whole = False
        if not whole:  # a full disk has room for a part of it: the long file stays
            os.close(file)
            draft.unlink(missing_ok=True)
            return
        draft.replace(self.folder / "journal")
        os.close(self._file)
        self._file, self._size, self._synced = file, len(kept), len(kept)

    def close(self, *, remove: bool) -> None:
        """End it; `remove` where everything in it is applied."""
        if remove:
            shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._file)
        os.close(self._lock)

    def _write(self, entry: Entry) -> bytes:
        line = encode(entry) + b"\n"
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise Unkept(f"Usage cannot be noted ({error.strerror}).", hint="Is the disk full?") from error
        if written < len(line):  # what is there of the line is no line; the next one must not continue it
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise Unkept("Usage cannot be noted.", hint="Is the disk full?")
        self.number = entry.number
        self._size += written
        return line


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The journal of a process that is gone."""

    name: str
    folder: Path
    entries: list[Entry]
    whole: bool
    """Whether nothing of it can be missing: the machine has not been restarted since."""


@contextmanager
def abandoned(folder: Path) -> Iterator[Abandoned | None]:
    """Hold the journal of a process that is gone; None where it lives, or where another takes care of it."""
    lock = -1
    with contextlib.suppress(OSError):
        lock = _locked(folder / "lock", create=False)
    if lock < 0:
        yield None
        return
    try:
        yield Abandoned(folder.name, folder, _entries(folder), os.pread(lock, 200, 0).decode() == boot())
    finally:
        os.close(lock)


def boot() -> str:
    """Return what differs between two starts of the machine; the same always where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _locked(path: Path, *, create: bool = True) -> int:
    file = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def _entries(folder: Path) -> list[Entry]:
    try:
        return decoded((folder / "journal").read_bytes())
    except FileNotFoundError:
        return []
