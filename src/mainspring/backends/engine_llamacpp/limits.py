"""EngineLimits: what the engines of one machine may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CGROUP = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What the pool may use; times are in seconds."""

    max_loaded: int = 4
    start_seconds: float = 120.0
    drain_seconds: float = 20.0
    threads: int = 0
    """Threads of each engine; 0 is one for each core."""
    memory_bytes: int = 0
    """For all engines together; 0 is no bound."""
    keep_alive: float = -1.0
    """How long an engine stays without requests; -1 is for ever."""
    adapters: int = 8
    """Adapters of one base that share a process at most."""
    cache_mib: int = 0
    """Prefix cache of each engine."""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> EngineLimits:
        """Read the limits from the settings `engine.*`."""
        share = float(settings["engine.memory"])
        return cls(
            max_loaded=int(settings["engine.max_loaded"]),
            start_seconds=float(settings["engine.start_seconds"]),
            drain_seconds=float(settings["engine.drain_seconds"]),
            threads=int(settings["engine.threads"]),
            memory_bytes=int(share * machine_bytes() if share <= 1 else share),
            keep_alive=float(settings["engine.keep_alive"]),
            adapters=int(settings["engine.adapters"]),
            cache_mib=int(settings["engine.cache_mib"]),
        )


def machine_bytes() -> int:
    """Return the memory of this machine, or of the container that it is."""
    import psutil

    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(_CGROUP.read_text()))
    except (OSError, ValueError):
        return total
