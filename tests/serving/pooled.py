"""The platform's engines as a pool, behind the fixtures of the tiny server."""

from __future__ import annotations

from tests.serving.conftest import FixedEngine

from mainspring.backends.engine_llamacpp import EnginePool
from mainspring.kernel.ports import Endpoint, EngineSpec, EngineState


class Pooled(FixedEngine):
    """The Engine port over a pool that a test may change."""

    def __init__(self, pool: EnginePool) -> None:
        super().__init__()
        self.pool = pool

    def ensure(self, spec: EngineSpec) -> Endpoint:
        """Ask the pool."""
        return self.pool.ensure(spec)

    def list(self) -> list[EngineState]:
        """Ask the pool."""
        return self.pool.list()
