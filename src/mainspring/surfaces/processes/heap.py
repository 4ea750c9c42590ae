"""Large pages for the memory of a process that is busy.

An interpreter's objects lie scattered over everything that it holds, and a processor remembers where some thousand
pages are: with pages of 4 KiB it looks up one after the other. So under load, blocks of 2 MiB that are nearly full
become one page each (Linux, from 6.1). What they hold stays as it is. A process without work is left alone: its pages
are those that it shares with its siblings, and a copy of them would take memory for nothing.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_PAGE = mmap.PAGESIZE
_BLOCK = 2 << 20
_FULL = _BLOCK // _PAGE * 7 // 8
"""Pages of a block that have to be there: what is missing takes memory from then on."""
_COLLAPSE = 25
"""MADV_COLLAPSE of <linux/mman.h>, which Python's `mmap` does not know."""
_LOOK_SECONDS = 2.0
_PAUSE_SECONDS = 0.005
"""Between two blocks: whoever asks for memory waits as long as one is put together."""
_AGAIN_SECONDS = 60.0
_BUSY = 0.5
"""CPU seconds a second."""
_IN_A_ROW = 2
"""Looks that have to find it busy: a short task would pay more for the large pages than it gains by them."""
_SYSTEM = Path("/sys/kernel/mm/transparent_hugepage")
_MAPS = Path("/proc/self/maps")


class Heap:
    """Decides when the memory of this process is put together, and does it."""

    def __init__(self, *, pause: float = _PAUSE_SECONDS) -> None:
        self._pause = pause
        self._stop = threading.Event()
        self._used, self._since, self._not_before = 0.0, 0.0, 0.0
        self._busy = 0
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        self._libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]

    def start(self) -> None:
        """Look now and then, from a thread, whether there is something to do; where the system has such pages."""
        if wanted():
            self._used, self._since = time.process_time(), time.monotonic()
            threading.Thread(target=self._work, name="heap", daemon=True).start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()

    def due(self, used: float, now: float) -> bool:
        """Tell whether the process has been busy for some time, by its seconds of CPU, and it was not done lately."""
        busy = used - self._used > _BUSY * (now - self._since)
        self._busy = self._busy + 1 if busy else 0
        self._used, self._since = used, now
        if self._busy < _IN_A_ROW or now < self._not_before:
            return False
        self._not_before = now + _AGAIN_SECONDS
        return True

    def gather(self) -> int:
        """Make one page of every block that is nearly full; return how many there are."""
        made: int = 0
        for begin, end in _regions():
            there = ctypes.create_string_buffer((end - begin) // _PAGE)
            if self._libc.mincore(begin, end - begin, there):
                continue  # it is there no more
            pages = there.raw
            for at in range(begin, end, _BLOCK):
                first = (at - begin) // _PAGE
                if pages.count(1, first, first + _BLOCK // _PAGE) >= _FULL:
                    made += int(self._libc.madvise(at, _BLOCK, _COLLAPSE) == 0)
                    if self._stop.wait(self._pause):
                        return made
        return made

    def _work(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            if self.due(time.process_time(), time.monotonic()):
                self.gather()


def wanted() -> bool:
    """Tell whether the system has large pages of this size, and its owner has not switched them off."""
    try:
        size = int((_SYSTEM / "hpage_pmd_size").read_text())
        return size == _BLOCK and "[never]" not in (_SYSTEM / "enabled").read_text()
    except OSError:
        return False


def _regions() -> Iterator[tuple[int, int]]:
    """Yield the whole blocks of each stretch of memory that is nobody else's file."""
    for line in _MAPS.read_text().splitlines():
        bounds, rights, _, _, _, *name = line.split(maxsplit=5)
        if rights.startswith("rw-p") and (not name or name[0] == "[heap]"):
            begin, end = (int(bound, 16) for bound in bounds.split("-"))
            begin, end = -(-begin // _BLOCK) * _BLOCK, end // _BLOCK * _BLOCK
            if begin < end:
                yield begin, end
