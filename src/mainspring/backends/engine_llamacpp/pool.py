"""EnginePool: the Engine port over child processes, restarted when they die and bounded in number."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mainspring.backends.engine_llamacpp.extent import check_gguf
from mainspring.backends.engine_llamacpp.process import EngineProcess
from mainspring.kernel.errors import MainspringError, Unavailable
from mainspring.kernel.ports import Endpoint, EngineSpec, EngineState

_QUICK_DEATHS = 5
"""A child that ends this often in a row, each time before it ran `_STEADY_SECONDS`, is given up."""
_STEADY_SECONDS = 30.0
_COOL_SECONDS = 15.0
"""How long a model that was given up is refused before it is tried again."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What the pool may use; times are in seconds."""

    max_loaded: int = 4
    start_seconds: float = 120.0
    drain_seconds: float = 20.0
    threads: int = 0
    """Threads of each engine; 0 is one for each core."""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> EngineLimits:
        """Read the limits from the settings `engine.*`."""
        return cls(
            max_loaded=int(settings["engine.max_loaded"]),
            start_seconds=float(settings["engine.start_seconds"]),
            drain_seconds=float(settings["engine.drain_seconds"]),
            threads=int(settings["engine.threads"]),
        )


@dataclass(eq=False)
class _Slot:
    """One spec's place in the pool; every field is guarded by the pool's condition."""

    spec: EngineSpec
    used: float
    state: Literal["starting", "ready", "draining", "failed"] = "starting"
    child: EngineProcess | None = None
    restarts: int = 0
    error: MainspringError | None = None
    failed_at: float = 0.0
    wake: threading.Event = field(default_factory=threading.Event)

    @property
    def leaving(self) -> bool:
        """Whether the slot was retired."""
        return self.state == "draining"


class EnginePool:
    """The Engine port in this process: for the supervisor, for tests and for notebooks."""

    def __init__(
        self, resolve: Callable[[str], Path], *, limits: EngineLimits | None = None, logs: Path | None = None
    ) -> None:
        """`resolve` maps a file's SHA-256 to a local path (raises NotFound); `logs` is a folder for the children's."""
        self._resolve = resolve
        self._limits = limits or EngineLimits()
        self._logs = logs
        self._changed = threading.Condition()
        self._slots: dict[EngineSpec, _Slot] = {}
        self._leaving: set[_Slot] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def ensure(self, spec: EngineSpec) -> Endpoint:
        """Start the engine where it does not run, wait until it answers, and return its endpoint.

        Raises Invalid for a file that is no model, NotFound for one that is not stored, Unavailable otherwise.
        """
        deadline = time.monotonic() + self._limits.start_seconds + 5
        with self._changed:
            slot = self._slots.get(spec)
            if slot is None or (slot.state == "failed" and self._may_retry(slot)):
                slot = self._open(spec)
            slot.used = time.monotonic()
            while True:
                if slot.state == "ready" and slot.child is not None and slot.child.alive:
                    return slot.child.endpoint
                if slot.state == "failed" and slot.error is not None:
                    raise slot.error
                if self._closed or slot.state == "draining" or time.monotonic() > deadline:
                    raise Unavailable("The engine is not ready.", hint="Try again in a moment.")
                self._changed.wait(0.2)

    def stop(self, spec: EngineSpec) -> bool:
        """Drain and stop; False where it does not run."""
        with self._changed:
            slot = self._slots.get(spec)
            if slot is None:
                return False
            self._retire(slot)
        self._drain(slot)
        return True

    def list(self) -> list[EngineState]:
        """Return every engine, those that are draining included."""
        with self._changed:
            slots = [*self._slots.values(), *self._leaving]
            now = time.monotonic()
            return [_state(slot, now) for slot in slots]

    def close(self) -> None:
        """Drain and stop every engine; the pool starts none afterwards."""
        with self._changed:
            self._closed = True
            slots = list(self._slots.values())
            for slot in slots:
                self._retire(slot)
        drains = [threading.Thread(target=self._drain, args=(slot,)) for slot in slots]
        for thread in drains:
            thread.start()
        for thread in [*drains, *self._threads]:
            thread.join()

    def _may_retry(self, slot: _Slot) -> bool:
        return not isinstance(slot.error, Unavailable) or time.monotonic() - slot.failed_at > _COOL_SECONDS

    def _open(self, spec: EngineSpec) -> _Slot:
        """Make a place for the spec and start its keeper, sending the least recently used engine away at the limit."""
        if self._closed:
            raise Unavailable("The engines are shutting down.")
        self._slots.pop(spec, None)
        live = sorted((s for s in self._slots.values() if s.state != "failed"), key=lambda s: s.used)
        for old in live[: max(0, len(live) + 1 - self._limits.max_loaded)]:
            self._retire(old)
            self._start_thread(self._drain, old)
        slot = self._slots[spec] = _Slot(spec, time.monotonic())
        self._start_thread(self._keep, slot)
        return slot

    def _start_thread(self, work: Callable[[_Slot], None], slot: _Slot) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, args=(slot,), name=f"engine-{work.__name__}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _retire(self, slot: _Slot) -> None:
        slot.state = "draining"
        slot.wake.set()
        self._slots.pop(slot.spec, None)
        self._leaving.add(slot)
        self._changed.notify_all()

    def _drain(self, slot: _Slot) -> None:
        if slot.child is not None:
            slot.child.drain(self._limits.drain_seconds)
        with self._changed:
            self._leaving.discard(slot)
            self._changed.notify_all()

    def _keep(self, slot: _Slot) -> None:
        """Run the child of one slot, and run it again when it dies, until the slot is retired or given up."""
        quick = 0
        while not slot.leaving:
            began = time.monotonic()
            try:
                child = self._spawn(slot)
            except MainspringError as error:
                if slot.restarts == 0 or not isinstance(error, Unavailable):
                    self._give_up(slot, error)
                    return
            else:
                child.wait()
            with self._changed:
                if slot.leaving:
                    return
                slot.state = "starting"
                slot.restarts += 1
            quick = quick + 1 if time.monotonic() - began < _STEADY_SECONDS else 0
            if quick >= _QUICK_DEATHS:
                self._give_up(slot, Unavailable("The engine keeps ending.", hint="See its log in the home folder."))
                return
            slot.wake.wait(min(0.1 * 2**quick, 5.0) if quick else 0)

    def _spawn(self, slot: _Slot) -> EngineProcess:
        model = self._resolve(slot.spec.base)
        adapter = self._resolve(slot.spec.adapter) if slot.spec.adapter else None
        for path in (model, adapter):
            if path is not None:
                check_gguf(path)
        log = self._logs / f"engine-{slot.spec.base[:8]}-{slot.spec.adapter[:8] or 'base'}.log" if self._logs else None
        child = EngineProcess.spawn(slot.spec, model, adapter, threads=self._limits.threads, log=log)
        with self._changed:
            slot.child = child
            if slot.leaving:
                child.kill()
                raise Unavailable("The engine was stopped while it started.")
        child.await_ready(self._limits.start_seconds)
        with self._changed:
            if not slot.leaving:
                slot.state = "ready"
            self._changed.notify_all()
        return child

    def _give_up(self, slot: _Slot, error: MainspringError) -> None:
        with self._changed:
            if not slot.leaving:
                slot.state = "failed"
            slot.error = error
            slot.failed_at = time.monotonic()
            self._changed.notify_all()


def _state(slot: _Slot, now: float) -> EngineState:
    child = slot.child
    running = child is not None and child.alive
    return EngineState(
        spec=slot.spec,
        state=slot.state,
        pid=child.pid if child is not None and running else 0,
        restarts=slot.restarts,
        url=child.endpoint.url if child is not None and running else "",
        rss_bytes=child.rss_bytes() if child is not None and running else 0,
        idle_seconds=now - slot.used,
    )
