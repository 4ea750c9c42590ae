"""Large pages: what is full becomes one page, what is not stays, and nobody's bytes change."""

from __future__ import annotations

import ctypes
import mmap
import platform
import re
from pathlib import Path

import pytest

from mainspring.surfaces.processes.heap import Heap, wanted

BLOCK = 2 << 20
PAGE = 4096


def _figure(memory: mmap.mmap, name: str) -> int:
    """Return a figure of the memory that the system keeps, in bytes."""
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for part in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text()):
        begin, end = (int(bound, 16) for bound in part.split(maxsplit=1)[0].split("-"))
        if begin <= address < end:
            return int(re.findall(rf"^{name}: +(\d+) kB", part, re.MULTILINE)[0]) << 10
    raise AssertionError("the memory is nowhere")


def _alone(size: int, advice: int) -> mmap.mmap:
    """Return memory that the system keeps apart from what lies beside it, for another advice."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(advice)
    return memory


@pytest.mark.skipif(
    not wanted() or tuple(map(int, re.findall(r"\d+", platform.release())[:2])) < (6, 1),
    reason="the system makes no large pages",
)
def test_full_blocks_become_large_pages_and_say_what_they_said() -> None:
    full, scattered = _alone(8 * BLOCK, mmap.MADV_DONTFORK), _alone(8 * BLOCK, mmap.MADV_DONTDUMP)
    said = bytes(range(256)) * (8 * BLOCK // 256)
    full.write(said)
    for at in range(0, 8 * BLOCK, 16 * PAGE):
        scattered[at] = 7
    before = _figure(scattered, "Rss")
    assert Heap(pause=0).gather() >= 7
    assert _figure(full, "AnonHugePages") >= 7 * BLOCK
    assert full[:] == said
    assert (_figure(scattered, "AnonHugePages"), _figure(scattered, "Rss")) == (0, before)


def test_it_is_done_for_who_is_busy_and_not_all_the_time() -> None:
    heap = Heap()
    assert not heap.due(used=0.1, now=2.0), "hardly anything was done"
    assert not heap.due(used=1.5, now=4.0), "it may be a short task"
    assert heap.due(used=3.0, now=6.0)
    assert not heap.due(used=4.5, now=8.0), "it was done a moment ago"
    assert not heap.due(used=4.6, now=68.0)
    assert not heap.due(used=6.1, now=70.0)
    assert heap.due(used=7.6, now=72.0)
