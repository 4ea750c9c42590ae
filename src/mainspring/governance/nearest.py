"""The training rows nearest to a question: a shortlist by words, then by embedding.

Embedding every row of a dataset takes minutes on a plain processor; a shortlist takes a second and needs no cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mainspring.data import rows as row_store
from mainspring.data.models import Row
from mainspring.data.similar import shortlist
from mainspring.governance.graph import learned, sources
from mainspring.governance.models import NearRow
from mainspring.kernel.versions import Version

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform

_CLOSER = 48
"""Rows of the shortlist for each dataset, which the embedding looks at more closely."""
_TEXT = 2000
_SHOWN = 300


def nearest(
    platform: Platform, datasets: Sequence[Version], question: str, count: int, models: Sequence[str] = ()
) -> list[NearRow]:
    """Return the `count` training rows whose questions are nearest to `question`, nearest first.

    Where it was recorded which rows `models` learned, only these are looked at; else the whole training split.
    """
    if not question.strip() or not count or not datasets:
        return []
    question = question[:_TEXT]
    chosen: list[tuple[str, str, str]] = []
    for dataset in datasets:
        rows = [row for row in row_store.read(platform.files, dataset.content) if row.split in ("train", "")]
        with platform.read() as tx:
            known = learned(tx, models, dataset.ref, [row.id for row in rows])
        rows = [row for row in rows if row.id in known] if known else rows
        texts = [question_of(row) for row in rows]
        chosen += [(dataset.ref, rows[at].id, texts[at]) for at in shortlist(texts, question, max(_CLOSER, count))]
    vectors = platform.embed.embed([question, *(text for _, _, text in chosen)])
    likeness = [float(value) for value in vectors[1:] @ vectors[0]]
    found = sorted(zip(likeness, chosen, strict=True), key=lambda item: -item[0])[:count]
    with platform.read() as tx:
        return [
            NearRow(
                dataset=ref, row_id=row, similarity=round(near, 4), text=text[:_SHOWN], sources=sources(tx, ref, row)
            )
            for near, (ref, row, text) in found
        ]


def question_of(row: Row) -> str:
    """Return what a row asks: its last user message, or its text."""
    asked = [message.content for message in row.messages if message.role == "user"]
    return (asked[-1] if asked else row.body())[:_TEXT]
