"""The ports: what the rooms ask of the machine, and the back ends answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mainspring.kernel.spans_port import Spans as Spans  # noqa: PLC0414 - a port like the others

if TYPE_CHECKING:
    import numpy as np
    from sqlalchemy import Connection
    from sqlalchemy import Engine as SqlEngine

JSON = Any
"""A value that `json.dumps` takes: None, bool, int, float, str, list or dict of such."""


class Records(Protocol):
    """A relational database: connection, transaction and dialect. Tables belong to rooms."""

    @property
    def sql(self) -> SqlEngine:
        """The SQLAlchemy engine, for migrations."""

    def begin(self) -> AbstractContextManager[Connection]:
        """Open a write transaction: committed at the end of the block, rolled back on an exception."""

    def read(self) -> AbstractContextManager[Connection]:
        """Open a read-only connection that sees one consistent snapshot."""

    def announce(self, conn: Connection) -> None:
        """Say that the worker has something to do, once the write transaction of `conn` has committed."""

    def await_news(self, seconds: float) -> bool:
        """Wait until somebody, in whatever process, announced something, at most so long; tell whether one may have."""

    def version(self) -> int | None:
        """Return a number that is another one after every change of whatever process; None where nobody knows."""

    def backup(self, target: Path) -> None:
        """Write a consistent copy of the database into the file `target` while others go on writing."""

    def restore(self, source: Path) -> None:
        """Replace the whole content by a copy that `backup` wrote; no other process may be connected."""

    def close(self) -> None:
        """Release every connection."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the store: the SHA-256 of its bytes (64 hex digits) and its size in bytes."""

    sha256: str
    size: int


class Files(Protocol):
    """Content-addressed files: the key is the SHA-256 of the bytes, so a file is never overwritten."""

    def put(self, data: bytes | Path | Iterable[bytes]) -> StoredFile:
        """Store the bytes durably and return their address; storing them again changes nothing."""

    def read(self, sha256: str) -> bytes:
        """Return the bytes. Raises NotFound."""

    def stream(self, sha256: str, chunk: int = 1 << 20) -> Iterator[bytes]:
        """Yield the bytes in chunks. Raises NotFound."""

    def path(self, sha256: str) -> Path:
        """Return a local path to the bytes, to be read only. Raises NotFound."""

    def exists(self, sha256: str) -> bool:
        """Tell whether the bytes are there."""

    def delete(self, sha256: str) -> bool:
        """Remove the bytes; False where they were not there."""

    def list(self) -> Iterator[StoredFile]:
        """Yield every stored file."""


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """A local model to serve: base weights and at most one adapter, by content hash."""

    base: str
    """SHA-256 of a GGUF file, or of the first file of weights of a folder."""
    adapter: str = ""
    """SHA-256 of a LoRA adapter, GGUF over GGUF and safetensors over safetensors, or empty."""
    context: int = 2048
    """Tokens of context for each slot."""
    slots: int = 8
    """Requests answered at the same time."""
    runtime: Literal["llamacpp", "transformers"] = "llamacpp"
    embeds: bool = False
    """Whether it makes vectors of texts, rather than answers."""
    parts: tuple[tuple[str, str], ...] = ()
    """For transformers, path and SHA-256 of each file of the model's folder; below `adapter/`, the adapter's."""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> EngineSpec:
        """Rebuild a spec that went through JSON."""
        parts = tuple((str(path), str(key)) for path, key in fields.get("parts", ()))
        return cls(**{**fields, "parts": parts})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a running engine listens, with the key that it asks for."""

    url: str
    api_key: str = field(repr=False)
    adapters: tuple[str, ...] = ()
    """What it holds, by id: a request names each, at 1 the one that it wants and at 0 the others."""


@dataclass(frozen=True, slots=True)
class EngineState:
    """What a running engine is doing. Adapters of one base may share a process, and then its figures."""

    spec: EngineSpec
    state: Literal["starting", "ready", "draining", "failed"]
    pid: int
    restarts: int
    url: str
    rss_bytes: int
    idle_seconds: float
    keep_alive: float = -1.0
    """Seconds of idleness after which it is unloaded; -1: never."""
    memory_bytes: int = 0
    """The most that it is expected to take."""
    running: int = 0
    waiting: int = 0
    """Requests within the engine that wait for a slot."""
    prompt_tokens: int = 0
    """Tokens that were read since it started, those from the prefix cache left out."""
    cached_tokens: int = 0
    """Tokens that the prefix cache saved reading."""
    generated_tokens: int = 0
    generation_seconds: float = 0.0
    """Spent on these, summed over requests."""
    cache_usage: float = 0.0
    """Share of the context of all slots that holds tokens."""
    error: str = ""
    """Why it failed."""


class Engine(Protocol):
    """Local model servers: supervised child processes."""

    def ensure(self, spec: EngineSpec) -> Endpoint:
        """Start the engine where it does not run, wait until it answers, and return its endpoint.

        Raises Invalid for a file that is no model, Unavailable where it does not come up or does not fit.
        """

    def keep(self, spec: EngineSpec, seconds: float | None) -> None:
        """Say how long an engine stays loaded without requests: -1 for ever, None as long as others do."""

    def stop(self, spec: EngineSpec) -> bool:
        """Drain and stop; False where it does not run."""

    def list(self) -> list[EngineState]:
        """Return every engine."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat completion to be made."""

    model: str
    """`model/<name>@<selector>`, `release/<name>@<n>`, or the name of a deployment."""
    messages: Sequence[Mapping[str, JSON]]
    """`{"role", "content"}` each."""
    schema: Mapping[str, JSON] | None = None
    """JSON schema that the answer is constrained to, or None for free text."""
    max_tokens: int | None = 256
    """None, here and below: what the target itself is set to."""
    temperature: float | None = 0.0
    seed: int = 0
    stop: Sequence[str] = ()
    environment: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Attributes for the trace."""
    extra: Mapping[str, JSON] = field(default_factory=dict)
    """Options of the body that have no field here, such as `top_p` and `tools`."""

    def options(self) -> dict[str, JSON]:
        """Return all but model and messages as the body of an OpenAI chat completion names it."""
        usual = {"max_tokens": self.max_tokens, "temperature": self.temperature, "seed": self.seed}
        found: dict[str, JSON] = {**self.extra, **{name: value for name, value in usual.items() if value is not None}}
        if self.stop:
            found["stop"] = list(self.stop)
        if self.schema is not None:
            schema = {"name": "answer", "schema": dict(self.schema)}
            found["response_format"] = {"type": "json_schema", "json_schema": schema}
        return found


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What came back."""

    text: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    cost: float
    latency_ms: float
    ttft_ms: float | None = None
    trace_id: str = ""
    tool_calls: Sequence[Mapping[str, JSON]] = field(default_factory=list)


class Chat(Protocol):
    """A model that answers; serving implements it."""

    def complete(self, request: ChatRequest) -> ChatReply:
        """Answer one request. Raises NotFound, Invalid, Unavailable or a subclass."""

    def complete_many(
        self,
        requests: Sequence[ChatRequest],
        *,
        concurrency: int = 8,
        on_reply: Callable[[int, ChatReply | Exception], None] | None = None,
    ) -> list[ChatReply | Exception]:
        """Answer many, in the order given; `on_reply(index, reply)` is called as each arrives."""


class Embed(Protocol):
    """Text to vectors."""

    @property
    def name(self) -> str:
        """Name of the embedding model."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return an array of float32, shape (len(texts), dimensions), rows of unit length."""

    def count(self, texts: Sequence[str]) -> int:
        """Return how many tokens of the texts are read, by the model's own tokenizer."""


@dataclass(frozen=True, slots=True)
class LogLikelihoodReply:
    """Log-probability of an answer given its messages, in nats, summed over `tokens` answer tokens."""

    total: float
    tokens: int


class LogLikelihood(Protocol):
    """Scores given answers under a model, in the trainer's runtime; tuning implements it."""

    def score(self, model: str, rows: Sequence[Sequence[Mapping[str, JSON]]]) -> list[LogLikelihoodReply]:
        """Score the last (assistant) message of each conversation under the model reference `model`."""


class Runner(Protocol):
    """Executes runs durably: each at least once, its finished steps never again."""

    def submit(self, run_id: str) -> None:
        """Announce a queued run; announcing it again changes nothing."""

    def cancel(self, run_id: str) -> None:
        """Ask a run to stop."""
