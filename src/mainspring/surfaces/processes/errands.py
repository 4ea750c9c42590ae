"""Errands: what rooms want done regularly, each by itself, so that a long one holds up no other.

An evaluator that waits for its judges must not keep a canary that is due from being looked at.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from mainspring.kernel import hooks

if TYPE_CHECKING:
    from mainspring.kernel.hooks import PeriodicHook
    from mainspring.kernel.platform import Platform

_log = logging.getLogger("mainspring")


class Errand:
    """A hook in whose place it stands: nobody waits for its end."""

    def __init__(self, name: str, hook: PeriodicHook) -> None:
        self._name, self._hook = name, hook
        self._thread: threading.Thread | None = None

    def __call__(self, platform: Platform) -> None:
        """Begin it, unless it still goes on."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, args=(platform,), name=self._name, daemon=True)
            self._thread.start()

    def _run(self, platform: Platform) -> None:
        try:
            self._hook(platform)
        except Exception:
            _log.exception("%s failed", self._name)


def part() -> None:
    """Let each hook that is registered go on by itself, for the rest of the process."""
    for name, (seconds, hook, needs) in list(hooks.periodic_hooks.items()):
        if not isinstance(hook, Errand):
            hooks.periodic(name, seconds, Errand(name, hook), needs)
