"""The platform: everything that a room is given, in one object."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mainspring.kernel import access, audit
from mainspring.kernel.clock import Clock, Ids
from mainspring.kernel.errors import Unavailable
from mainspring.kernel.keyring import Keyring
from mainspring.kernel.ports import Chat, Embed, Engine, Files, LogLikelihood, Records, Runner, Spans
from mainspring.kernel.settings import Settings
from mainspring.kernel.tx import Tx

T = TypeVar("T")

_open: ContextVar[Tx | None] = ContextVar("mainspring_open_tx", default=None)


@dataclass(eq=False)
class Platform:
    """The ports and the installation that they belong to. A port that a process does not have is None."""

    home: Path
    settings: Settings
    clock: Clock
    ids: Ids
    keyring: Keyring
    records: Records
    files: Files
    spans_port: Spans | None = None
    runner_port: Runner | None = None
    engine_port: Engine | None = None
    chat_port: Chat | None = None
    embed_port: Embed | None = None
    loglikelihood_port: LogLikelihood | None = None
    writes: int = 0
    """Write transactions that this process has ended: what was remembered before the last one may be wrong."""

    @property
    def spans(self) -> Spans:
        """The span store."""
        return _have(self.spans_port, "span store")

    @property
    def runner(self) -> Runner:
        """The executor of durable runs."""
        return _have(self.runner_port, "job runner")

    @property
    def engine(self) -> Engine:
        """The local model servers."""
        return _have(self.engine_port, "model engine")

    @property
    def chat(self) -> Chat:
        """A model that answers."""
        return _have(self.chat_port, "chat port")

    @property
    def embed(self) -> Embed:
        """Text to vectors."""
        return _have(self.embed_port, "embedding model")

    @property
    def loglikelihood(self) -> LogLikelihood:
        """Log-probabilities in the trainer's runtime."""
        return _have(self.loglikelihood_port, "log-likelihood port")

    @contextmanager
    def begin(self) -> Iterator[Tx]:
        """Open a write transaction, or join the one that is open; audit rows that are due commit with it."""
        joined = _open.get()
        if joined is not None and joined.platform is self:
            yield joined
            return
        caller = access.current()
        with self.records.begin() as conn:
            tx = Tx(self, conn, caller, self.clock.now())
            token = _open.set(tx)
            try:
                yield tx
                written = audit.settle(tx)
            finally:
                _open.reset(token)
        self.writes += 1
        for entry in written:
            entry.written = True
        audit.follow(tx)

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """Open a consistent read, or join the transaction that is open."""
        joined = _open.get()
        if joined is not None and joined.platform is self:
            yield joined
            return
        with self.records.read() as conn:
            yield Tx(self, conn, access.current(), self.clock.now())

    @property
    def writing(self) -> bool:
        """Whether a write transaction is open in this context."""
        joined = _open.get()
        return joined is not None and joined.platform is self


def _have(port: T | None, name: str) -> T:
    if port is None:
        raise Unavailable(f"This process has no {name}.", hint="Run it under `mainspring up`.")
    return port
