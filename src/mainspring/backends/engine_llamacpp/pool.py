"""EnginePool: the Engine port over child processes, restarted when they die, bounded in number and in memory.

Adapters of one base share a process. One that is new gets a process of its own with all of them; once that is ready it
takes over, and the one before ends when it has answered what it was asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mainspring.backends.engine_llamacpp.figures import Figures
from mainspring.backends.engine_llamacpp.limits import EngineLimits
from mainspring.backends.engine_llamacpp.process import EngineProcess
from mainspring.backends.engine_llamacpp.runtimes import Plan, Resolve, plan
from mainspring.backends.engine_llamacpp.slot import Slot, taken
from mainspring.kernel.errors import MainspringError, Unavailable
from mainspring.kernel.ports import Endpoint, EngineSpec, EngineState

_QUICK_DEATHS = 5
"""A child that ends this often in a row, each time before it ran `_STEADY_SECONDS`, is given up."""
_STEADY_SECONDS = 30.0
_COOL_SECONDS = 15.0
"""How long a model that was given up is refused before it is tried again."""
_REMEMBERED = 3.0
"""Whoever asked for an endpoint may use it for nearly so long without asking again."""
_ROOM_SECONDS = 10.0
"""How long a model waits for others to make room."""


class _NoRoom(Unavailable):
    """The model does not fit beside those that are busy."""


class EnginePool:
    """The Engine port in this process: for the supervisor, for tests and for notebooks."""

    def __init__(self, resolve: Resolve, *, limits: EngineLimits | None = None, logs: Path | None = None) -> None:
        """`resolve` maps a file's SHA-256 to a local path (raises NotFound); `logs` is a folder for the children's."""
        self._resolve = resolve
        self._limits = limits or EngineLimits()
        self._logs = logs
        self._changed = threading.Condition()
        self._placing = threading.Lock()
        self._routes: dict[EngineSpec, Slot] = {}
        self._slots: list[Slot] = []
        self._leaving: list[Slot] = []
        self._keep: dict[EngineSpec, float] = {}
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()

    def ensure(self, spec: EngineSpec) -> Endpoint:
        """Start the engine where it does not run, wait until it answers, and return its endpoint.

        Raises Invalid for a file that is no model, NotFound for one that is not stored, Unavailable otherwise.
        """
        began, tried = time.monotonic(), False
        while True:
            with self._changed:
                slot = self._routes.get(spec)
                if slot is not None and (slot.state != "failed" or tried or not self._may_retry(slot)):
                    slot.used[spec] = time.monotonic()
                    if slot.state == "ready" and slot.child is not None and slot.child.alive:
                        return slot.child.endpoint
                    if slot.state == "failed" and slot.error is not None:
                        raise slot.error
                if self._closing.is_set() or time.monotonic() > began + self._limits.start_seconds + 5:
                    raise Unavailable("The engine is not ready.", hint="Try again in a moment.")
                if slot is not None and slot.state != "failed":
                    self._changed.wait(0.2)
                    continue
            try:
                tried = placed = self._place(spec)
            except _NoRoom:
                placed = False
                if time.monotonic() > began + _ROOM_SECONDS:
                    raise
            if not placed:
                with self._changed:
                    self._changed.wait(0.2)

    def keep(self, spec: EngineSpec, seconds: float | None) -> None:
        """Say how long an engine stays loaded without requests: -1 for ever, None as long as others do."""
        with self._changed:
            self._keep.pop(spec, None)
            if seconds is not None:
                self._keep[spec] = seconds
            self._changed.notify_all()

    def stop(self, spec: EngineSpec) -> bool:
        """Drain and stop, or leave to the others where it shares a process; False where it does not run."""
        with self._changed:
            slot = self._routes.pop(spec, None)
            if slot is None:
                return False
            if len(slot.used) > 1:
                del slot.used[spec]
                return True
            self._retire(slot)
        self._drain(slot)
        return True

    def list(self) -> list[EngineState]:
        """Return every engine, those that are draining included."""
        with self._changed:
            slots = [*self._slots, *self._leaving]
            children = {slot: slot.child for slot in slots}
        told = {slot: _figures(child) for slot, child in children.items()}
        with self._changed:
            now = time.monotonic()
            keep = {spec: self._kept(spec) for slot in slots for spec in slot.used}
            return [state for slot in slots for state in slot.states(now, told[slot], keep)]

    def close(self) -> None:
        """Drain and stop every engine; the pool starts none afterwards."""
        self._closing.set()
        with self._changed:
            slots = list(self._slots)
            for slot in slots:
                self._retire(slot)
        drains = [threading.Thread(target=self._drain, args=(slot,)) for slot in slots]
        for thread in drains:
            thread.start()
        for thread in [*drains, *self._threads]:
            thread.join()

    def _kept(self, spec: EngineSpec) -> float:
        return self._keep.get(spec, self._limits.keep_alive)

    def _may_retry(self, slot: Slot) -> bool:
        return not isinstance(slot.error, Unavailable) or time.monotonic() - slot.failed_at > _COOL_SECONDS

    def _place(self, spec: EngineSpec) -> bool:
        """Make a place for a spec; False where that has to wait for something. Raises _NoRoom, Invalid, NotFound."""
        with self._placing:
            with self._changed:
                old = self._routes.get(spec)
                if old is not None and old.state != "failed":
                    return True
                if old is not None:
                    self._drop(old)
                kin = [slot for slot in self._slots if slot.key == self._key(spec) and slot.state != "failed"]
                holding = next((slot for slot in kin if slot.holds(spec)), None)
                if holding is not None:
                    self._route(spec, holding)
                    return True
                if any(slot.state == "starting" for slot in kin):
                    return False
                grown = next((slot for slot in kin if len(slot.asked_for) < self._limits.adapters), None)
                adapters = (*(grown.asked_for if grown else ()), *([spec.adapter] if spec.adapter else []))
            made = self._plan(spec, adapters)
            if not self._make_room(spec, made, grown):
                return False
            with self._changed:
                if self._closing.is_set():
                    return False
                replaced = grown if grown in self._slots else None
                slot = Slot(self._key(spec), adapters, made, replaces=replaced)
                self._slots.append(slot)
                self._route(spec, slot)
            self._start(self._run, slot)
            self._watch()
            return True

    def _key(self, spec: EngineSpec) -> EngineSpec:
        return replace(spec, adapter="") if self._shares(spec) else spec

    def _shares(self, spec: EngineSpec) -> bool:
        return self._limits.adapters > 1 and spec.runtime == "llamacpp" and not spec.embeds

    def _plan(self, spec: EngineSpec, adapters: tuple[str, ...]) -> Plan:
        limits = self._limits
        return plan(
            spec,
            adapters,
            self._resolve,
            threads=limits.threads,
            cache_mib=limits.cache_mib,
            shared=self._shares(spec),
        )

    def _route(self, spec: EngineSpec, slot: Slot) -> None:
        self._routes[spec] = slot
        slot.used[spec] = time.monotonic()

    def _make_room(self, spec: EngineSpec, made: Plan, sparing: Slot | None) -> bool:
        """Tell whether a plan fits; where not, send the least recently used idle engine away.

        Raises _NoRoom where every other is busy, Unavailable where it would not fit alone.
        """
        budget, alone = self._limits.memory_bytes, taken((), made, spec.base)
        if budget and alone > budget:
            raise Unavailable(
                f"The model needs up to {_size(alone)}; all local models together may take {_size(budget)}.",
                hint="Raise engine.memory, or lower engine.context, engine.slots or engine.cache_mib.",
            )
        with self._changed:
            live = [slot for slot in self._slots if slot.state != "failed" and slot is not sparing]
            held = [*live, *self._leaving, *([sparing] if sparing else [])]
            full = bool(budget) and taken(held, made, spec.base) > budget
            if not full and len(live) < self._limits.max_loaded:
                return True
            if full and self._leaving and taken([*live, *([sparing] if sparing else [])], made, spec.base) <= budget:
                return False
        for slot in sorted(live, key=lambda slot: slot.last_used):
            if slot.state == "ready" and slot.child is not None and not slot.child.busy():
                with self._changed:
                    if slot in self._slots:
                        self._retire(slot)
                        self._start(self._drain, slot)
                return not full and len(live) <= self._limits.max_loaded
        what = f"{len(live)} of {self._limits.max_loaded} local models are loaded"
        if full:
            what = f"It needs up to {_size(alone)} of the {_size(budget)} for local models"
        raise _NoRoom(
            f"There is no room to load the model. {what}, and the others are busy.",
            hint="Try again later, unload one, or raise engine.memory or engine.max_loaded.",
        )

    def _start(self, work: Callable[[Slot], None], slot: Slot) -> None:
        thread = threading.Thread(target=work, args=(slot,), name=f"engine{work.__name__}", daemon=True)
        with self._changed:
            self._threads = [*(other for other in self._threads if other.is_alive()), thread]
            thread.start()

    def _drop(self, slot: Slot) -> None:
        """Forget a slot that has no process."""
        self._slots = [other for other in self._slots if other is not slot]
        self._routes = {spec: other for spec, other in self._routes.items() if other is not slot}

    def _retire(self, slot: Slot) -> None:
        self._drop(slot)
        slot.state = "draining"
        slot.wake.set()
        self._leaving.append(slot)
        self._changed.notify_all()

    def _drain(self, slot: Slot) -> None:
        idle = time.monotonic() - slot.last_used
        if slot.child is not None:
            if idle < _REMEMBERED and threading.current_thread() in self._threads:
                self._closing.wait(_REMEMBERED - idle)
            slot.child.drain(self._limits.drain_seconds)
        with self._changed:
            self._leaving.remove(slot)
            self._changed.notify_all()

    def _run(self, slot: Slot) -> None:
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

    def _spawn(self, slot: Slot) -> EngineProcess:
        if slot.restarts:
            slot.plan = self._plan(slot.key, slot.adapters)  # the files may have changed, or gone
        name = f"engine-{slot.key.base[:8]}-{(slot.adapters or ('base',))[-1][:8]}.log"
        child = EngineProcess.spawn(slot.plan, slot.adapters, log=self._logs / name if self._logs else None)
        with self._changed:
            slot.child = child
            if slot.leaving:
                child.kill()
                raise Unavailable("The engine was stopped while it started.")
        child.await_ready(self._limits.start_seconds)
        with self._changed:
            if not slot.leaving:
                slot.state = "ready"
                self._take_over(slot)
            self._changed.notify_all()
        return child

    def _take_over(self, slot: Slot) -> None:
        """Let a new engine answer from now on what the one before it did, which ends when it is done."""
        old, slot.replaces = slot.replaces, None
        if old is None or old not in self._slots:
            return
        for spec, used in list(old.used.items()):
            slot.used[spec] = used
        self._retire(old)
        self._routes |= dict.fromkeys(slot.used, slot)
        old.used = dict.fromkeys(old.used, time.monotonic())
        self._start(self._drain, old)

    def _give_up(self, slot: Slot, error: MainspringError) -> None:
        with self._changed:
            if not slot.leaving:
                slot.state = "failed"
            slot.replaces = None
            slot.error = error
            slot.failed_at = time.monotonic()
            self._changed.notify_all()

    def _watch(self) -> None:
        """Unload what is idle for longer than it is kept, for as long as the pool is open."""
        with self._changed:
            if not any(thread.name == "engine-idle" for thread in self._threads):
                thread = threading.Thread(target=self._unload_idle, name="engine-idle", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _unload_idle(self) -> None:
        while not self._closing.wait(0.5):
            now = time.monotonic()
            for slot, spec in self._idle(now):
                if slot.child is None or slot.child.busy():
                    with self._changed:
                        slot.used[spec] = time.monotonic()
                    continue
                with self._changed:
                    if self._routes.get(spec) is not slot or slot.used.get(spec, now) > now - _REMEMBERED:
                        continue
                    if len(slot.used) > 1:
                        del slot.used[spec], self._routes[spec]
                        continue
                    self._retire(slot)
                    self._start(self._drain, slot)

    def _idle(self, now: float) -> Sequence[tuple[Slot, EngineSpec]]:
        """Return what was not asked for as long as it is kept."""
        found = []
        with self._changed:
            for slot in self._slots:
                for spec, used in slot.used.items():
                    kept = self._kept(spec)
                    if slot.state == "ready" and kept >= 0 and now - used > max(kept, _REMEMBERED):
                        found.append((slot, spec))
        return found


def _figures(child: EngineProcess | None) -> Figures:
    return child.figures() if child is not None and child.alive and child.endpoint.url else Figures()


def _size(count: int) -> str:
    return f"{count / (1 << 30):.2f} GiB"
