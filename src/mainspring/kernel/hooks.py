"""Where rooms register what they hold: to be erased with a person's or a trace's data, and to be backed up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """What is to be erased: the given traces, and everything of a user."""

    project: str
    trace_ids: tuple[str, ...] = ()
    user_id: str = ""


ErasureHook = Callable[["Platform", ErasureRequest, bool], int]
"""(platform, request, really) -> how many items it erased, or would erase where `really` is False."""

BackupHook = Callable[["Platform", Path], None]
"""(platform, folder) -> None; writes what the room keeps outside records, files and spans into the folder."""

erasure_hooks: dict[str, ErasureHook] = {}
backup_hooks: dict[str, BackupHook] = {}


def erasable(room: str, hook: ErasureHook) -> None:
    """Register how a room erases; hooks must bear being called twice."""
    erasure_hooks[room] = hook


def backup(room: str, hook: BackupHook) -> None:
    """Register what a room adds to a backup."""
    backup_hooks[room] = hook
