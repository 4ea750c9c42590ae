"""Service: the base of each room's operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from mainspring.kernel import access, runs
from mainspring.kernel.access import Caller
from mainspring.kernel.platform import Platform
from mainspring.kernel.tx import Tx


class Service:
    """Holds no state but the platform: make one wherever one is needed."""

    noun: ClassVar[str]
    """The command group and the client's attribute, in the singular."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    @property
    def caller(self) -> Caller:
        """On whose behalf the present call is made."""
        return access.current()

    def begin(self) -> AbstractContextManager[Tx]:
        """Open a write transaction, or join the one that is open."""
        return self.platform.begin()

    def read(self) -> AbstractContextManager[Tx]:
        """Open a consistent read, or join the transaction that is open."""
        return self.platform.read()

    def start_run(self, kind: str, params: Mapping[str, Any], *, inputs: Sequence[str] = ()) -> runs.Run:
        """Queue a durable run of the job `kind`, linked to its input versions, and return it at once."""
        with self.begin() as tx:
            run = runs.create(tx, kind, dict(params), inputs)
        if not self.platform.writing and self.platform.runner_port is not None:
            self.platform.runner.submit(run.id)
            with self.read() as tx:
                return runs.get(tx, run.id)
        return run
