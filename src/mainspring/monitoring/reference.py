"""The reference of drift: the inputs of the data that a release's model was trained on, found by lineage."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.data import rows as row_store
from mainspring.data.models import Row
from mainspring.kernel import lineage, versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.kernel.tx import Tx
from mainspring.kernel.versions import Version
from mainspring.registry import ancestors, load, load_release

if TYPE_CHECKING:
    import numpy as np


def training_data(tx: Tx, release: str) -> str:
    """Return the dataset version that the release's model was trained on, or one of its ancestors was.

    Raises Invalid where lineage knows of none, NotFound for an unknown release.
    """
    model = load(tx, load_release(tx, release).model)
    for candidate in [model, *ancestors(tx, model)]:
        found = [edge.ref for edge in lineage.inputs_of(tx, candidate.ref) if edge.ref.startswith("dataset/")]
        if found:
            return found[0]
    raise Invalid(
        f"{release} was not trained on a dataset that is known here.", hint="Name the dataset to compare with."
    )


def inputs(platform: Platform, version: Version, split: str, limit: int, seed: int) -> list[str]:
    """Return the inputs of up to `limit` rows of a dataset version, drawn at random by the seed.

    Without a split named, rows of the split `train` are drawn where there are any, else all. Raises Invalid for
    a split without rows.
    """
    texts: dict[str, list[str]] = {}
    for row in row_store.read(platform.files, version.content):
        said = asked(row)
        if said:
            texts.setdefault(row.split, []).append(said)
    chosen = texts.get(split or "train")
    if chosen is None:
        if split:
            raise Invalid(
                f"{version.ref} has no rows of the split {split}.", hint=f"It has {', '.join(sorted(texts))}."
            )
        chosen = [text for some in texts.values() for text in some]
    return random.Random(seed).sample(chosen, min(limit, len(chosen)))  # noqa: S311


def asked(row: Row) -> str:
    """Return what the user said last in a row, or its plain text."""
    said = [message.content for message in row.messages if message.role == "user"]
    return said[-1] if said else row.text


def vectors(platform: Platform, version: Version, split: str, limit: int, seed: int) -> np.ndarray:
    """Return the embedded inputs, float32 of shape (n, dimensions); they are kept in the home folder's cache."""
    import numpy as np

    choice = f"{version.sha256}/{split}/{limit}/{seed}/{platform.embed.name}"
    path = platform.home / "cache" / "drift" / f"{hashlib.sha256(choice.encode()).hexdigest()}.npy"
    try:
        kept: np.ndarray = np.load(path, allow_pickle=False)
        return kept
    except (OSError, ValueError):
        pass
    texts = inputs(platform, version, split, limit, seed)
    if not texts:
        raise Invalid(f"{version.ref} has no inputs to compare with.")
    found = platform.embed.embed(texts)
    _keep(path, found)
    return found


def resolve(tx: Tx, dataset: str) -> Version:
    """Return the dataset version that a reference names. Raises Invalid, NotFound."""
    return versions.resolve(tx, dataset, "dataset")


def _keep(path: Path, found: Any) -> None:
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{random.getrandbits(64):x}.part")
    with draft.open("wb") as file:
        np.save(file, found, allow_pickle=False)
    draft.replace(path)
