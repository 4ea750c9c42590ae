"""Slot: one engine's place in the pool, and what it serves."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from mainspring.backends.engine_llamacpp.figures import Figures
from mainspring.backends.engine_llamacpp.process import EngineProcess
from mainspring.backends.engine_llamacpp.runtimes import Plan
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.ports import EngineSpec, EngineState


@dataclass(eq=False)
class Slot:
    """A child process, and that which is started where it ended; every field is guarded by the pool's condition."""

    key: EngineSpec
    """What its adapters have in common; of one that shares nothing, all that it serves."""
    adapters: tuple[str, ...]
    plan: Plan
    used: dict[EngineSpec, float] = field(default_factory=dict)
    """What it serves, and when each was asked for last."""
    replaces: Slot | None = None
    """Whose calls it takes over once it is ready."""
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

    @property
    def last_used(self) -> float:
        """When anything of it was asked for last."""
        return max(self.used.values(), default=0.0)

    @property
    def asked_for(self) -> tuple[str, ...]:
        """The adapters that are still in use; one that was unloaded stays in the process, but not in the next."""
        wanted = {spec.adapter for spec in self.used}
        return tuple(adapter for adapter in self.adapters if adapter in wanted)

    def holds(self, spec: EngineSpec) -> bool:
        """Tell whether it could serve a spec as it is."""
        return spec == self.key or (replace(spec, adapter="") == self.key and spec.adapter in self.adapters)

    def states(self, now: float, figures: Figures, keep_alive: dict[EngineSpec, float]) -> Iterator[EngineState]:
        """Yield what it is doing, once for each thing that it serves."""
        child = self.child
        running = child is not None and child.alive
        for spec, used in self.used.items():
            yield EngineState(
                spec=spec,
                state=self.state,
                pid=child.pid if child is not None and running else 0,
                restarts=self.restarts,
                url=child.endpoint.url if child is not None and running else "",
                rss_bytes=child.rss_bytes() if child is not None and running else 0,
                idle_seconds=now - used,
                keep_alive=keep_alive[spec],
                memory_bytes=self.plan.weights_bytes + self.plan.own_bytes,
                error=self.error.message if self.error is not None and self.state == "failed" else "",
                **asdict(figures),
            )


def taken(slots: Iterable[Slot], more: Plan | None = None, base: str = "") -> int:
    """Return the bytes that slots, and one more plan over `base`, take at most; mapped weights count once a base."""
    own, weights = 0, {base: more.weights_bytes} if more else {}
    for slot in slots:
        own += slot.plan.own_bytes
        weights[slot.key.base] = max(weights.get(slot.key.base, 0), slot.plan.weights_bytes)
    return own + sum(weights.values()) + (more.own_bytes if more else 0)
