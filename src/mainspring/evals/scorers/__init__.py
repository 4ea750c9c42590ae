"""Scorers: functions that judge an answer, registered by name.

`metric("field:package")` gives one with its argument; `rouge` and `bleu` are there for direct use.
"""

from mainspring.evals.scorers.overlap import bleu, bleu_signature, rouge, sentence_bleu
from mainspring.evals.scorers.registry import Answer, Corpus, Metric, Scorer, metric, registered, scorer
from mainspring.evals.scorers.structured import parse_json
from mainspring.evals.scorers.text import normalise
from mainspring.evals.scorers.usage import perplexity

__all__ = [
    "Answer",
    "Corpus",
    "Metric",
    "Scorer",
    "bleu",
    "bleu_signature",
    "metric",
    "normalise",
    "parse_json",
    "perplexity",
    "registered",
    "rouge",
    "scorer",
    "sentence_bleu",
]
