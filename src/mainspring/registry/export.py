"""Export and verification: a model version as one archive, and whether its files are what they were."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from pathlib import Path

from mainspring.kernel.errors import NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import canonical
from mainspring.registry import files
from mainspring.registry.card import front_matter
from mainspring.registry.models import ExportedFile, FileCheck, ModelCheck, ModelFile, ModelVersion

_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(platform: Platform, model: ModelVersion) -> ExportedFile:
    """Write a model's files, its chat template, its card's head and a manifest into one zip archive of the project's.

    The same version always gives the same bytes: times are fixed and nothing is compressed.
    """
    folder = platform.home / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="export-") as draft:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            texts = {
                "README.md": front_matter(model) + f"\n# {model.name}\n\nVersion {model.number}: `{model.ref}`.\n",
                "mainspring.json": canonical({"ref": model.ref, "sha256": model.sha256, **_content(model)}) + "\n",
            }
            if model.chat_template:
                texts["chat_template.jinja"] = model.chat_template
            taken = {file.path for file in model.files}
            for path, text in texts.items():
                if path not in taken:
                    archive.writestr(zipfile.ZipInfo(path, _EPOCH), text)
            for file in model.files:
                entry = zipfile.ZipInfo(file.path, _EPOCH)
                entry.file_size = file.size
                with archive.open(entry, "w", force_zip64=True) as sink:
                    for chunk in platform.files.stream(file.sha256):
                        sink.write(chunk)
        draft.flush()
        stored = files.keep(platform, Path(draft.name))
    name = f"{model.name}-{model.number}.zip"
    return ExportedFile(ref=model.ref, file=stored.sha256, size=stored.size, name=name)


def _content(model: ModelVersion) -> dict[str, object]:
    body = model.model_dump(mode="json", exclude={"aliases", "existed", "ref", "sha256"})
    return {key: value for key, value in body.items() if key != "chat_template"}


def verify(platform: Platform, model: ModelVersion) -> ModelCheck:
    """Read every file of a model and compare its hash and size with what was recorded."""
    found = [_check(platform, file) for file in model.files]
    return ModelCheck(ref=model.ref, verified=all(file.ok for file in found), files=found)


def _check(platform: Platform, file: ModelFile) -> FileCheck:
    digest, size, reason = hashlib.sha256(), 0, ""
    try:
        for chunk in platform.files.stream(file.sha256):
            digest.update(chunk)
            size += len(chunk)
    except NotFound:
        reason = "the file is missing"
    else:
        if digest.hexdigest() != file.sha256:
            reason = "the file was changed"
        elif size != file.size:
            reason = f"the file has {size} bytes where {file.size} were recorded"
    return FileCheck(path=file.path, sha256=file.sha256, ok=not reason, reason=reason)
