"""Scorers: functions that judge an answer, registered by name.

`metric("field:package")` gives one with its argument; `rouge` and `bleu` are there for direct use.
"""

from mainspring.evals.scorers import code, embedding, harm, judges, patterns, retrieval, tools
from mainspring.evals.scorers.overlap import (
    bleu,
    bleu_signature,
    chrf,
    rouge,
    rouge_lsum,
    sentence_bleu,
    signature,
    ter,
)
from mainspring.evals.scorers.registry import (
    Answer,
    Bench,
    Corpus,
    Metric,
    Scorer,
    metric,
    registered,
    scorer,
)
from mainspring.evals.scorers.structured import parse_json
from mainspring.evals.scorers.text import normalise
from mainspring.evals.scorers.usage import perplexity

BUILT_IN = (code, embedding, harm, judges, patterns, retrieval, tools)
"""Importing these modules registers their scorers."""

__all__ = [
    "Answer",
    "Bench",
    "Corpus",
    "Metric",
    "Scorer",
    "bleu",
    "bleu_signature",
    "chrf",
    "metric",
    "normalise",
    "parse_json",
    "perplexity",
    "registered",
    "rouge",
    "rouge_lsum",
    "scorer",
    "sentence_bleu",
    "signature",
    "ter",
]
