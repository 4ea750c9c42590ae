"""The catalog: storing model versions, finding them, and what an engine needs to serve one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from mainspring.kernel import aliases, lineage, versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import EngineSpec
from mainspring.kernel.tables import versions as version_table
from mainspring.kernel.tx import Tx
from mainspring.kernel.versions import Version
from mainspring.registry import files as held
from mainspring.registry.models import ModelContent, ModelFile, ModelVersion

KIND = "model"
_EMBEDDING = frozenset(
    {"bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3", "eurobert"}
    | {"gemma-embedding", "llama-embed"}
)
"""Architectures of GGUF files whose models make vectors and no answers."""


def register(tx: Tx, name: str, content: ModelContent, *, note: str = "", run_id: str = "") -> ModelVersion:
    """Store a model version; its files must be in the store already, and `base` must be an exact reference.

    The project holds the files from then on: whoever takes their hashes from a caller asks `files.require` before.

    With `run_id`, lineage says that the run wrote it and that it came from its base. Raises Invalid, NotFound.
    """
    if content.base:
        base = versions.resolve(tx, content.base, KIND)
        content = content.model_copy(update={"base": base.ref})
    elif content.format == "lora":
        raise Invalid("An adapter needs its base model.", hint="Name it: base=model/name@version.")
    if bool(content.source) == bool(content.files):
        raise Invalid("A model has files, or a provider as its source.", hint="Give one of the two.")
    paths = [file.path for file in content.files]
    if len(set(paths)) != len(paths):
        raise Invalid("Two files of the model have the same path.", hint="Give each its own.")
    for file in content.files:
        if not tx.platform.files.exists(file.sha256):
            raise Invalid(f"The file {file.path} is not in the store.", hint="Upload it first.")
        held.grant(tx, file.sha256)
    stored = versions.commit(tx, KIND, name, content.model_dump(mode="json"), note=note)
    if run_id or (content.base and not stored.existed):
        lineage.link(tx, run_id or tx.new_id(), inputs=[content.base] if content.base else [], outputs=[stored.ref])
    return shown(tx, stored)


def load(tx: Tx, ref: str) -> ModelVersion:
    """Return the model version that a reference such as `model/base@3` names. Raises Invalid, NotFound."""
    return shown(tx, versions.resolve(tx, ref, KIND))


def file_hashes(tx: Tx) -> set[str]:
    """Return the SHA-256 of every file of the project's model versions."""
    table = version_table
    query = select(table.c.content).where(table.c.project == tx.project, table.c.kind == KIND)
    return {file["sha256"] for content in tx.execute(query).scalars() for file in content["files"]}


def engine_spec(tx: Tx, model: ModelVersion | str) -> EngineSpec:
    """Return what an engine needs to serve a model: its weights, or its base's weights and its adapter.

    Raises Invalid for a model that has no GGUF file.
    """
    found = load(tx, model) if isinstance(model, str) else model
    if found.source:
        raise Invalid(f"{found.ref} is served by {found.source}, and has no weights here.", hint="Name a local model.")
    if found.format == "safetensors" or (found.base and load(tx, found.base).format == "safetensors"):
        return _folder_spec(tx, found)
    settings = tx.platform.settings
    weights, adapter = _first(found.files, "weights"), _first(found.files, "adapter")
    if found.format == "gguf" and weights:
        pass
    elif adapter and found.base:
        below = engine_spec(tx, found.base)
        if below.adapter:
            raise Invalid(f"{found.ref} is an adapter over an adapter.", hint="Merge the lower one first.")
        weights = below.base
    elif merged := _first(found.files, "merged"):
        weights, adapter = merged, ""
    else:
        raise Invalid(f"{found.ref} has no GGUF file to serve.", hint="Export it to GGUF, or serve another version.")
    context = min(int(settings["engine.context"]), found.context or 1 << 30)
    slots, embeds = int(settings["engine.slots"]), found.architecture in _EMBEDDING
    return EngineSpec(base=weights, adapter=adapter, context=context, slots=slots, embeds=embeds)


def _folder_spec(tx: Tx, found: ModelVersion) -> EngineSpec:
    """Return what transformers needs: the files of a folder, and of an adapter over it."""
    whole = load(tx, found.base) if found.base else found
    parts = [(file.path, file.sha256) for file in whole.files]
    adapter = ""
    if found.base:
        adapter = _first(found.files, "peft")
        if not adapter:
            raise Invalid(f"{found.ref} is no adapter in safetensors.", hint=f"{whole.ref} takes no other.")
        parts += [(f"adapter/{file.path}", file.sha256) for file in found.files if file.role in ("peft", "config")]
    weights = _first(whole.files, "weights")
    settings = tx.platform.settings
    context = min(int(settings["engine.context"]), whole.context or 1 << 30)
    slots = int(settings["engine.slots"])
    return EngineSpec(
        base=weights, adapter=adapter, context=context, slots=slots, runtime="transformers", parts=tuple(parts)
    )


def ancestors(tx: Tx, model: ModelVersion) -> list[ModelVersion]:
    """Return the models that a model was made from, nearest first."""
    found: list[ModelVersion] = []
    while model.base and len(found) < 16:
        model = load(tx, model.base)
        found.append(model)
    return found


def shown(tx: Tx, version: Version) -> ModelVersion:
    """Return a stored version as a record."""
    pointing = aliases.current(tx, KIND, version.name)
    facts: dict[str, Any] = {
        name: getattr(version, name)
        for name in ("ref", "name", "number", "sha256", "note", "created_at", "created_by", "existed")
    }
    labels = sorted(alias for alias, number in pointing.items() if number == version.number)
    return ModelVersion(**version.content, **facts, aliases=labels)


def _first(files: Sequence[ModelFile], role: str) -> str:
    return next((file.sha256 for file in files if file.role == role), "")
