"""Where rooms register what they hold, to be erased and backed up, and what the worker does for them regularly."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """What is to be erased: the given traces, or those of a user where none are given; and what names the user."""

    project: str
    trace_ids: tuple[str, ...] = ()
    user_id: str = ""


ErasureHook = Callable[["Platform", ErasureRequest, bool], int]
"""(platform, request, really) -> how many items it erased, or would erase where `really` is False."""

BackupHook = Callable[["Platform", Path], None]
"""(platform, folder) -> None; writes what the room keeps outside records, files and spans, or brings it back."""

erasure_hooks: dict[str, ErasureHook] = {}
backup_hooks: dict[str, tuple[BackupHook, BackupHook]] = {}


def erasable(room: str, hook: ErasureHook) -> None:
    """Register how a room erases; hooks must bear being called twice."""
    erasure_hooks[room] = hook


def backup(room: str, write: BackupHook, read: BackupHook) -> None:
    """Register what a room adds to a backup, and how it brings that back."""
    backup_hooks[room] = (write, read)


PeriodicHook = Callable[["Platform"], object]
"""Called by the worker again and again; it must bear being cut off."""

periodic_hooks: dict[str, tuple[float, PeriodicHook]] = {}
_next: dict[str, float] = {}


def periodic(name: str, seconds: float, hook: PeriodicHook) -> None:
    """Register what the worker does every so many seconds, and once at its start."""
    periodic_hooks[name] = (seconds, hook)


def tick(platform: Platform, now: float) -> None:
    """Do what is due at the monotonic time `now`; a hook that fails is logged and has its next turn."""
    for name, (seconds, hook) in list(periodic_hooks.items()):
        if now >= _next.get(name, 0.0):
            _next[name] = now + seconds
            try:
                hook(platform)
            except Exception:
                _log.exception("%s failed", name)
