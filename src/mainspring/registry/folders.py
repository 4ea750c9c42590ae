"""Folders: a whole model in safetensors as Hugging Face lays it out, brought in as one zip archive.

What can run code when it is read is left behind: only weights in safetensors, JSON and plain text are taken.
"""

from __future__ import annotations

import json
import math
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mainspring.kernel.errors import Invalid, TooLarge
from mainspring.kernel.platform import Platform
from mainspring.registry.formats import inspect_weights
from mainspring.registry.models import FileRole, ModelContent, ModelFile

_MOST_FILES = 200
_LARGEST_TEXT = 64 << 20
_ROLES: dict[str, FileRole] = {
    "config.json": "config",
    "generation_config.json": "config",
    "model.safetensors.index.json": "config",
    "tokenizer.json": "tokenizer",
    "tokenizer.model": "tokenizer",
    "tokenizer_config.json": "tokenizer",
    "special_tokens_map.json": "tokenizer",
    "added_tokens.json": "tokenizer",
    "vocab.json": "tokenizer",
    "merges.txt": "tokenizer",
    "vocab.txt": "tokenizer",
    "chat_template.jinja": "template",
}
_VOCABULARIES = {"tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"}


def is_archive(path: Path) -> bool:
    """Tell whether a file is a zip archive with a model's folder in it; PyTorch's own archives are none."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(PurePosixPath(name).name == "config.json" for name in archive.namelist())


def unpack(platform: Platform, path: Path, *, license: str) -> ModelContent:
    """Store the files of an archive and return what makes the model. Raises Invalid for one that is not whole."""
    with zipfile.ZipFile(path) as archive:
        entries = _entries(archive)
        weights = [name for name in entries if name.endswith(".safetensors")]
        if not weights or not _VOCABULARIES & set(entries):
            raise Invalid(
                "The folder lacks weights in safetensors or a tokenizer.", hint="Save both with `save_pretrained`."
            )
        config = _document(archive, entries["config.json"])
        if config.get("auto_map"):
            raise Invalid("The model brings code of its own, which is not run here.", hint="Use another architecture.")
        files = [_stored(platform, archive, name, entry) for name, entry in sorted(entries.items())]
        parameters = sum(inspect_weights(platform.files.path(each.sha256)).parameters for each in files if _heavy(each))
        template = _template(archive, entries)
    return ModelContent(
        format="safetensors",
        files=files,
        license=license,
        chat_template=template,
        architecture=str(config.get("model_type") or "")[:200],
        parameters=parameters,
        context=_whole(config.get("max_position_embeddings")),
    )


def _heavy(file: ModelFile) -> bool:
    return file.role == "weights"


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return what is taken of an archive, by name; the folder may be its root or one folder in it."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > 10 * _MOST_FILES:
        raise TooLarge("The archive holds too many files.", hint="Pack the model's folder alone.")
    root = min((PurePosixPath(i.filename) for i in infos if i.filename.endswith("config.json")), key=_depth).parent
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        place = PurePosixPath(info.filename)
        known = place.name in _ROLES or place.suffix == ".safetensors"
        if place.parent == root and known and not place.name.startswith("."):
            found[place.name] = info
    if "config.json" not in found or len(found) > _MOST_FILES:
        raise Invalid("The archive is no model's folder.", hint="Pack the folder that holds config.json.")
    return found


def _depth(path: PurePosixPath) -> tuple[int, int]:
    return len(path.parts), len(path.name)


def _stored(platform: Platform, archive: zipfile.ZipFile, name: str, entry: zipfile.ZipInfo) -> ModelFile:
    """Store one file, checked to be what its name says."""
    role: FileRole = "weights" if name.endswith(".safetensors") else _ROLES[name]
    if role != "weights" and entry.file_size > _LARGEST_TEXT:
        raise TooLarge(f"{name} is too large.", hint="Pack the model's folder alone.")
    folder = platform.home / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="import-") as draft:
        with archive.open(entry) as source:
            for chunk in _chunks(source, entry.file_size):
                draft.write(chunk)
        draft.flush()
        if role == "weights":
            inspect_weights(Path(draft.name))
        stored = platform.files.put(Path(draft.name))
    return ModelFile(path=name, sha256=stored.sha256, size=stored.size, role=role)


def _chunks(source: Any, size: int) -> Iterator[bytes]:
    """Yield at most the bytes that the archive announces, so that a bomb ends where it said it would."""
    left = size
    while left > 0 and (chunk := source.read(min(left, 1 << 20))):
        left -= len(chunk)
        yield chunk


def _document(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> dict[str, Any]:
    if entry.file_size > _LARGEST_TEXT:
        raise TooLarge(f"{entry.filename} is too large.", hint="Pack the model's folder alone.")
    try:
        found = json.loads(archive.read(entry))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Invalid(f"{entry.filename} is no JSON object.", hint="Save the model again.")
    return found


def _template(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> str:
    if "chat_template.jinja" in entries:
        return archive.read(entries["chat_template.jinja"])[:200_000].decode("utf-8", "replace")
    if "tokenizer_config.json" in entries:
        found = _document(archive, entries["tokenizer_config.json"]).get("chat_template")
        return found[:200_000] if isinstance(found, str) else ""
    return ""


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) and 0 < value < 1 << 40 else 0
