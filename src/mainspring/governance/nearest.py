"""The training rows nearest to a question, by embedding. The vectors of a dataset version are computed once."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mainspring.data import rows as row_store
from mainspring.data.models import Row
from mainspring.governance.graph import sources
from mainspring.governance.models import NearRow
from mainspring.kernel.platform import Platform
from mainspring.kernel.versions import Version

if TYPE_CHECKING:
    import numpy as np

_BATCH = 256
_TEXT = 2000
_SHOWN = 300


def nearest(platform: Platform, datasets: Sequence[Version], question: str, count: int) -> list[NearRow]:
    """Return the `count` training rows whose questions are nearest to `question`, nearest first."""
    import numpy as np

    if not question.strip() or not count or not datasets:
        return []
    asked = platform.embed.embed([question[:_TEXT]])[0]
    found: list[tuple[float, str, str, str]] = []
    for dataset in datasets:
        ids, texts, vectors = vectors_of(platform, dataset)
        if not ids:
            continue
        near = vectors @ asked
        for at in np.argsort(-near, kind="stable")[:count]:
            found.append((float(near[at]), dataset.ref, ids[at], texts[at]))
    found.sort(key=lambda item: -item[0])
    with platform.read() as tx:
        return [
            NearRow(dataset=ref, row_id=row, similarity=round(near, 4), text=text, sources=sources(tx, ref, row))
            for near, ref, row, text in found[:count]
        ]


def vectors_of(platform: Platform, dataset: Version) -> tuple[list[str], list[str], np.ndarray]:
    """Return ids, beginnings of the questions, and unit vectors of shape (rows, dimensions) of the training rows."""
    import numpy as np

    folder = platform.home / "cache" / "vectors"
    path = folder / f"{dataset.sha256}-{_plain(platform.embed.name)}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            return json.loads(stored["ids"].item()), json.loads(stored["texts"].item()), stored["vectors"]
    rows = [row for row in row_store.read(platform.files, dataset.content) if row.split in ("train", "")]
    questions = [question_of(row) for row in rows]
    parts = [platform.embed.embed(questions[at : at + _BATCH]) for at in range(0, len(questions), _BATCH)]
    vectors = np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)
    ids, texts = [row.id for row in rows], [question[:_SHOWN] for question in questions]
    buffer = io.BytesIO()
    packed: dict[str, Any] = {"ids": np.array(json.dumps(ids)), "texts": np.array(json.dumps(texts))}
    np.savez(buffer, allow_pickle=False, vectors=vectors.astype(np.float32), **packed)
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{platform.ids.new()}")
    draft.write_bytes(buffer.getvalue())
    draft.replace(path)
    return ids, texts, vectors


def question_of(row: Row) -> str:
    """Return what a row asks: its last user message, or its text."""
    asked = [message.content for message in row.messages if message.role == "user"]
    return (asked[-1] if asked else row.body())[:_TEXT]


def _plain(name: str) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in name)
