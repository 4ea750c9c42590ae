"""Device: which arithmetic and how many threads this machine trains best with, measured and not assumed."""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import dataclass
from typing import Literal

from mainspring.tuning.models import Precision

_WORTH_IT = 1.3
"""bfloat16 must be this much faster than float32 before its coarser rounding is accepted."""
_MALLOPT_TRIM, _MALLOPT_MMAP = -1, -3


@dataclass(frozen=True, slots=True)
class Device:
    """How the trainer computes."""

    precision: Literal["float32", "bfloat16"]
    threads: int
    cuda: bool


def choose_device(precision: Precision = "auto", threads: int = 0) -> Device:
    """Return how to compute here; 0 threads means one for each core that this process may use."""
    import torch

    threads = threads or usable_cores()
    if torch.cuda.is_available():
        if precision == "auto":
            precision = "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
        return Device(precision, threads, cuda=True)
    torch.set_num_threads(threads)
    if precision == "auto":
        precision = "bfloat16" if _bfloat16_speedup() >= _WORTH_IT else "float32"
    return Device(precision, threads, cuda=False)


def usable_cores() -> int:
    """Return how many cores this process may use: its affinity, and the quota of its control group (version 2)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:  # noqa: PTH123
            quota, period = file.read().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))


def keep_freed_memory() -> None:
    """Tell glibc to keep large freed blocks: otherwise each step maps and faults in the same pages anew."""
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(_MALLOPT_TRIM, 1 << 30)
        libc.mallopt(_MALLOPT_MMAP, 1 << 30)
    except (OSError, AttributeError):
        return


def give_back_memory() -> None:
    """Return what was freed to the system, once the work that wanted it is done."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return


def _bfloat16_speedup() -> float:
    """Time a matrix product of a small model's size in both types, in turn; the best of several counts."""
    import torch

    best: dict[torch.dtype, float] = {}
    shapes = {kind: (torch.ones(512, 576, dtype=kind), torch.ones(1536, 576, dtype=kind)) for kind in _kinds()}
    for _ in range(8):
        for kind, (left, right) in shapes.items():
            start = time.perf_counter()
            torch.nn.functional.linear(left, right)
            best[kind] = min(best.get(kind, 1e9), time.perf_counter() - start)
    return best[torch.float32] / best[torch.bfloat16]


def _kinds() -> tuple[object, object]:
    import torch

    return torch.float32, torch.bfloat16
