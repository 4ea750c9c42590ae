"""What the worker does regularly: a long errand holds up no other, and is not begun again while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from mainspring.kernel import hooks
from mainspring.kernel.platform import Platform
from mainspring.surfaces.processes import errands


def test_a_long_errand_holds_up_no_other(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    judged, canary, ended = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

    def judges(_: Platform) -> None:
        begun.append("judges")
        judged.wait(30)
        ended.release()

    def fails(_: Platform) -> None:
        canary.release()
        raise RuntimeError("broken")

    monkeypatch.setattr(hooks, "periodic_hooks", {})
    monkeypatch.setattr(hooks, "_next", {})
    hooks.periodic("judges", 1.0, judges)
    hooks.periodic("canaries", 1.0, fails)
    errands.part()
    errands.part()
    now = 0.0

    def until(seen: Callable[[], bool]) -> None:
        """Tick until something was seen: a thread may take a moment to end."""
        nonlocal now
        while not seen():
            now += 10.0
            hooks.tick(platform, now)
            assert now < 1e6

    for _ in range(3):
        until(lambda: canary.acquire(timeout=0.05))
    assert begun == ["judges"]
    judged.set()
    until(lambda: ended.acquire(timeout=0.05))
    until(lambda: ended.acquire(timeout=0.05))
    assert len(begun) >= 2
