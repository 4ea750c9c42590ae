"""Nearness of meaning, by the installation's embedding model."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.evals.scorers.registry import Answer, Bench, scorer
from mainspring.evals.scorers.structured import answer_text, text_of
from mainspring.kernel.errors import Invalid

_BATCH = 256


def _similarities(bench: Bench, answers: Sequence[Answer], argument: str) -> list[float | None]:
    """Return the cosine of answer and reference, row by row."""
    found: list[float | None] = [None] * len(answers)
    pairs = [(place, text_of(answer.reference, argument)) for place, answer in enumerate(answers)]
    able = [(place, reference) for place, reference in pairs if reference is not None]
    for start in range(0, len(able), _BATCH):
        some = able[start : start + _BATCH]
        texts = [answer_text(answers[place], argument) for place, _ in some] + [reference for _, reference in some]
        vectors = bench.platform.embed.embed(texts)
        cosines = (vectors[: len(some)] * vectors[len(some) :]).sum(axis=1)
        for (place, _), cosine in zip(some, cosines, strict=True):
            found[place] = float(min(1.0, max(-1.0, float(cosine))))
    return found


@scorer("embedding", unit="score", margin=0.02, argument="optional", needs=("reference",), batch=_similarities)
def embedding(answer: Answer, argument: str) -> float | None:
    """Cosine of the embeddings of answer and reference, -1 to 1."""
    raise Invalid("The scorer 'embedding' judges all rows of an experiment together.")
