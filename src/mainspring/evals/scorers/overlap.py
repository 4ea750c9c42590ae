"""Word overlap with a reference: ROUGE and BLEU, equal to the reference packages to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from mainspring.evals.scorers.registry import Answer, Corpus, scorer
from mainspring.evals.scorers.structured import answer_text, text_of
from mainspring.kernel.errors import Invalid

ROUGE_TYPES = ("rouge1", "rouge2", "rougeL")


@lru_cache(maxsize=2)
def _rouge(stemmer: bool) -> Any:
    from rouge_score_rs import RougeScorer

    return RougeScorer(list(ROUGE_TYPES), use_stemmer=stemmer)


@lru_cache(maxsize=2)
def _bleu(sentence: bool) -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU(effective_order=sentence, force=True)


def rouge(output: str, reference: str, stemmer: bool = False) -> dict[str, float]:
    """Return the F1 of ROUGE-1, ROUGE-2 and ROUGE-L, 0 to 1 (Lin 2004), equal to the package rouge-score.

    `stemmer` applies Porter's to words of more than three letters.
    """
    found = _rouge(stemmer).score(reference, output)
    return {name: float(found[name].fmeasure) for name in ROUGE_TYPES}


def bleu(outputs: Sequence[str], references: Sequence[str]) -> float:
    """Return corpus BLEU, 0 to 100 (Papineni et al. 2002), equal to sacrebleu's with its default signature.

    One reference each. Raises Invalid where the lists differ in length or are empty.
    """
    if len(outputs) != len(references) or not outputs:
        raise Invalid(
            f"BLEU needs two lists of one length, not {len(outputs)} outputs and {len(references)} references."
        )
    return float(_bleu(False).corpus_score(list(outputs), [list(references)]).score)


def bleu_signature() -> str:
    """Return sacrebleu's signature of the corpus BLEU that is computed: tokenisation, smoothing, version."""
    metric = _bleu(False)
    metric.corpus_score(["a"], [["a"]])
    return str(metric.get_signature())


def sentence_bleu(output: str, reference: str) -> float:
    """Return the BLEU of one sentence, 0 to 100, orders without any match left out (sacrebleu's effective order)."""
    return float(_bleu(True).sentence_score(output, [reference]).score)


def _bleu_counts(answer: Answer, argument: str) -> tuple[float, ...] | None:
    """Return hits and totals of 1- to 4-grams, then both lengths, of one row."""
    reference = text_of(answer.reference, argument)
    if reference is None:
        return None
    found = _bleu(False).corpus_score([answer_text(answer, argument)], [[reference]])
    return (*found.counts, *found.totals, found.sys_len, found.ref_len)


def _bleu_figure(sums: Sequence[float]) -> float:
    from sacrebleu.metrics import BLEU

    whole = [round(value) for value in sums]
    return float(BLEU.compute_bleu(whole[:4], whole[4:8], whole[8], whole[9], smooth_method="exp").score)


@scorer(
    "bleu",
    unit="score",
    margin=2.0,
    argument="optional",
    needs=("reference",),
    corpus=Corpus(_bleu_counts, _bleu_figure),
)
def _row_bleu(answer: Answer, argument: str) -> float | None:
    """Corpus BLEU, 0 to 100; rows show sentence BLEU."""
    reference = text_of(answer.reference, argument)
    return None if reference is None else sentence_bleu(answer_text(answer, argument), reference)


def _register(kind: str, title: str) -> None:
    """Register one ROUGE type, with and without the stemmer."""
    for suffix, stemmer in (("", False), ("-stem", True)):

        def score(answer: Answer, argument: str, stemmer: bool = stemmer) -> float | None:
            reference = text_of(answer.reference, argument)
            return None if reference is None else rouge(answer_text(answer, argument), reference, stemmer)[kind]

        score.__doc__ = f"{title} F1 against the reference{', words stemmed' if stemmer else ''}."
        scorer(kind + suffix, unit="score", margin=0.02, argument="optional", needs=("reference",))(score)


for _kind, _title in zip(ROUGE_TYPES, ("ROUGE-1", "ROUGE-2", "ROUGE-L"), strict=True):
    _register(_kind, _title)
