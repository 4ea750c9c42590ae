"""Runtimes: for each kind of model, the program that serves it, what it is told, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.backends.engine_llamacpp.extent import check_gguf
from mainspring.kernel.ports import EngineSpec

Resolve = Callable[[str], Path]
"""From a file's SHA-256 to where it lies. Raises NotFound."""
_PROCESS = 64 << 20
"""Bytes of an engine process without a model."""
_BATCH = 512
"""Tokens that are computed at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How an engine is to be started, once its files were looked at."""

    module: str
    """The program: `python -m MODULE`."""
    config: Mapping[str, Any]
    """What it reads from standard input, beside its key."""
    weights_bytes: int
    """Of files that are mapped, and so shared by two processes."""
    own_bytes: int
    """What each process takes for itself at most."""


def plan(
    spec: EngineSpec, adapters: tuple[str, ...], resolve: Resolve, *, threads: int, cache_mib: int, shared: bool
) -> Plan:
    """Return how to start a model; `shared` where one process answers with adapters and without.

    Raises Invalid for a file that is no model, NotFound for one that is not stored.
    """
    common = {"context": spec.context, "slots": spec.slots, "threads": threads}
    if spec.runtime == "transformers":
        from mainspring.backends import engine_transformers

        folder = {path: str(resolve(key)) for path, key in spec.parts}
        size = engine_transformers.memory(folder, spec.context, spec.slots)
        return Plan(engine_transformers.MODULE, {**common, "files": folder}, 0, size + 4 * _PROCESS)
    model, loras = resolve(spec.base), [resolve(key) for key in adapters]
    facts = check_gguf(model)
    for path in loras:
        check_gguf(path)
    # A prefix that one adapter wrote must never be read by another: the library's cache does not tell them apart.
    cache = 0 if (shared and adapters) or spec.embeds else cache_mib
    config = {**common, "model": str(model), "adapters": [str(path) for path in loras], "cache_mib": cache}
    weights = model.stat().st_size + sum(path.stat().st_size for path in loras)
    own = _PROCESS + (cache << 20) + _cache_bytes(facts, spec) + _compute_bytes(facts)
    module = "mainspring.backends.engine_llamacpp.child"
    return Plan(module, {**config, "embeds": spec.embeds}, weights, own)


def _cache_bytes(facts: Mapping[str, int], spec: EngineSpec) -> int:
    """Return the bytes of keys and values in 16 bits: two vectors for each layer, head and token of context."""
    heads = facts.get("attention.head_count", 0) or 1
    size = facts.get("embedding_length", 0) // heads
    key, value = facts.get("attention.key_length", 0) or size, facts.get("attention.value_length", 0) or size
    grouped = facts.get("attention.head_count_kv", 0) or heads
    return 2 * facts.get("block_count", 0) * grouped * (key + value) * spec.context * spec.slots


def _compute_bytes(facts: Mapping[str, int]) -> int:
    """Return about the bytes of what is computed on the way, for one batch in 32 bits."""
    widths = 8 * facts.get("embedding_length", 0) + 3 * facts.get("feed_forward_length", 0)
    return 4 * _BATCH * (widths + facts.get("vocab_size", 0))
