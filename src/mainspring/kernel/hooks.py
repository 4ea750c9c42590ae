"""Where rooms register what they hold, to be erased and backed up, and what the worker does for them regularly."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select

from mainspring.kernel import access

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """What is to be erased: these traces, and what is kept under the name of a user; nobody looks for more traces."""

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

periodic_hooks: dict[str, tuple[float, PeriodicHook, Select[Any] | None]] = {}
_next: dict[str, float] = {}
_unneeded: dict[str, tuple[Path, int | None]] = {}


def periodic(name: str, seconds: float, hook: PeriodicHook, needs: Select[Any] | None = None) -> None:
    """Register what the worker does every so many seconds, and once at its start.

    Where there is no row of `needs` there is nothing to do, which does not change before the records do.
    """
    periodic_hooks[name] = (seconds, hook, needs)


def tick(platform: Platform, now: float) -> None:
    """Do what is due at the monotonic time `now`; a hook that fails is logged and has its next turn."""
    version = platform.home, platform.records.version()
    for name, (seconds, hook, needs) in list(periodic_hooks.items()):
        if now >= _next.get(name, 0.0) and (version[1] is None or _unneeded.get(name) != version):
            _next[name] = now + seconds
            try:
                if needs is not None and not _any(platform, needs):
                    _unneeded[name] = version
                    continue
                hook(platform)
            except Exception:
                _log.exception("%s failed", name)


def _any(platform: Platform, rows: Select[Any]) -> bool:
    with access.acting_as(access.system()), platform.read() as tx:
        return tx.execute(rows.limit(1)).first() is not None
