"""The operations on engines: local models that are loaded, kept and unloaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from mainspring.kernel import versions
from mainspring.kernel.errors import NotFound
from mainspring.kernel.operation import operation
from mainspring.kernel.ports import EngineSpec, EngineState
from mainspring.kernel.records import Name, Record
from mainspring.kernel.refs import parse
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.registry import catalog, file_hashes
from mainspring.serving.engines import queued

Selector = Annotated[str, Field(max_length=80)]
KeepAlive = Annotated[float, Field(ge=-1, le=1e9)]


class EngineInfo(Record):
    """A local model that is loaded. Adapters of one base may share a process, and then its figures."""

    model: str
    """Reference of a model version of the project that it serves."""
    base: str
    """SHA-256 of the weights."""
    adapter: str
    """SHA-256 of the adapter, or empty."""
    runtime: Literal["llamacpp", "transformers"]
    context: int
    """Tokens for each slot."""
    slots: int
    state: Literal["starting", "ready", "draining", "failed"]
    error: str
    """Why it failed."""
    pid: int
    restarts: int
    rss_bytes: int
    memory_bytes: int
    """The most that it is expected to take."""
    idle_seconds: float
    keep_alive: float
    """Seconds of idleness after which it is unloaded; -1: never."""
    running: int
    waiting: int
    """Requests that wait for a slot, in the engine and in the gateway process that tells this."""
    tokens_per_second: float
    """Tokens that one answer gained in a second, on average."""
    generated_tokens: int
    prompt_tokens: int
    """Tokens that were read, those from the prefix cache left out."""
    cached_tokens: int
    cache_usage: float
    """Share of the context of all slots that holds tokens."""


class Engines(Service):
    """Local model engines."""

    noun = "engine"

    @operation("GET /engines", permission="engine.read")
    def list_(self) -> list[EngineInfo]:
        """List the project's models that are loaded, and what their engines are doing."""
        found = self.platform.engine.list()
        with self.read() as tx:
            hashes = {"", *file_hashes(tx)}
            names = _names(tx) if found else {}
        # Projects share the engines: one over an adapter of another project is not shown, though the base is ours too.
        states = [state for state in found if _known(state.spec, hashes)]
        return [_shown(state, names) for state in states]

    @operation("GET /engines/{name}", permission="engine.read")
    def get(self, name: Name, *, selector: Selector = "") -> EngineInfo:
        """Show the engine of a model version that is loaded."""
        with self.read() as tx:
            model, spec = _spec(tx, name, selector)
        for state in self.platform.engine.list():
            if state.spec == spec:
                return _shown(state, {(spec.base, spec.adapter): model})
        raise NotFound(f"{model} is not loaded.", hint=f"`mainspring engine load {name}`, or ask it something.")

    @operation("POST /engines/{name}/load", permission="engine.write")
    def load(self, name: Name, *, selector: Selector = "", keep_alive: KeepAlive | None = None) -> EngineInfo:
        """Load a local model version, or keep one that is loaded for another time.

        It stays for `keep_alive` seconds after its last request: 0 is not at all, -1 for ever; without it, as long as
        the setting engine.keep_alive says.
        """
        with self.read() as tx:
            _, spec = _spec(tx, name, selector)
        self.platform.engine.ensure(spec)
        self.platform.engine.keep(spec, keep_alive)
        return self.get(name, selector=selector)

    @operation("POST /engines/{name}/unload", permission="engine.write")
    def unload(self, name: Name, *, selector: Selector = "") -> EngineInfo:
        """Unload a model version once what it is answering is done; the next request for it loads it again."""
        found = self.get(name, selector=selector)
        with self.read() as tx:
            _, spec = _spec(tx, name, selector)
        self.platform.engine.stop(spec)
        return found.model_copy(update={"state": "draining"})


def _spec(tx: Tx, name: str, selector: str) -> tuple[str, EngineSpec]:
    model = catalog.load(tx, str(parse(f"model/{name}@{selector}" if selector else f"model/{name}")))
    return model.ref, catalog.engine_spec(tx, model)


def _known(spec: EngineSpec, hashes: set[str]) -> bool:
    return spec.base in hashes and spec.adapter in hashes


def _names(tx: Tx) -> Mapping[tuple[str, str], str]:
    """Return the latest version of each model by the weights and the adapter that it is served with."""
    found: dict[tuple[str, str], str] = {}
    for version in versions.names(tx, catalog.KIND, 1000)[0]:
        files = {file["role"]: file["sha256"] for file in reversed(version.content["files"])}
        base, adapter = files.get("weights", ""), ""
        if version.content["base"]:
            below = catalog.load(tx, version.content["base"])
            base = next((file.sha256 for file in below.files if file.role == "weights"), "")
            adapter = files.get("adapter") or files.get("peft", "")
        found.setdefault((base, adapter), version.ref)
    return found


def _shown(state: EngineState, names: Mapping[tuple[str, str], str]) -> EngineInfo:
    spec = state.spec
    same = {name: getattr(state, name) for name in EngineInfo.model_fields if hasattr(state, name)}
    named = {name: getattr(spec, name) for name in ("base", "adapter", "runtime", "context", "slots")}
    speed = state.generated_tokens / state.generation_seconds if state.generation_seconds > 0 else 0.0
    same["waiting"] = state.waiting + queued(spec)
    return EngineInfo(**same, **named, model=names.get((spec.base, spec.adapter), ""), tokens_per_second=speed)
