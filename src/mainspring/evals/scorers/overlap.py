"""Overlap with a reference: ROUGE, BLEU, chrF and TER, equal to the reference packages to the bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from mainspring.evals.scorers.ngrams import bleu_counts
from mainspring.evals.scorers.registry import Answer, Corpus, scorer
from mainspring.evals.scorers.structured import answer_text, text_of
from mainspring.kernel.errors import Invalid

MOST_TER, MOST_LSUM = 90_000, 40_000_000
"""Words of an answer times words of its reference, over which a row has no score: TER may take seconds at it."""
ROUGE_TYPES = ("rouge1", "rouge2", "rougeL")


@lru_cache(maxsize=4)
def _rouge(stemmer: bool, types: tuple[str, ...] = ROUGE_TYPES) -> Any:
    from rouge_score_rs import RougeScorer

    return RougeScorer(list(types), use_stemmer=stemmer)


@lru_cache(maxsize=1)
def _chrf() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF()


@lru_cache(maxsize=1)
def _ter() -> Any:
    from sacrebleu.metrics import TER

    return TER()


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


def rouge_lsum(output: str, reference: str, stemmer: bool = False) -> float:
    """Return the F1 of ROUGE-Lsum, 0 to 1: the union of longest common subsequences, line by line (Lin 2004, §3.2).

    Lines are sentences, as in the package rouge-score, to whose value it is equal.
    """
    return float(_rouge(stemmer, ("rougeLsum",)).score(reference, output)["rougeLsum"].fmeasure)


def bleu(outputs: Sequence[str], references: Sequence[str]) -> float:
    """Return corpus BLEU, 0 to 100 (Papineni et al. 2002), equal to sacrebleu's with its default signature.

    One reference each. Raises Invalid where the lists differ in length or are empty.
    """
    _check_pairs("BLEU", outputs, references)
    hits, totals, length, wanted = bleu_counts(outputs, references)
    return _bleu_figure([*hits, *totals, length, wanted])


def chrf(outputs: Sequence[str], references: Sequence[str]) -> float:
    """Return corpus chrF2, 0 to 100 (Popović 2015), equal to sacrebleu's. Raises Invalid as `bleu` does."""
    _check_pairs("chrF", outputs, references)
    return float(_chrf().corpus_score(list(outputs), [list(references)]).score)


def ter(outputs: Sequence[str], references: Sequence[str]) -> float:
    """Return the translation edit rate in percent, 0 being best (Snover et al. 2006), equal to sacrebleu's.

    Edits are insertions, deletions, substitutions and shifts of words, over the words of the reference. Raises Invalid
    as `bleu` does.
    """
    _check_pairs("TER", outputs, references)
    return float(_ter().corpus_score(list(outputs), [list(references)]).score)


def _check_pairs(name: str, outputs: Sequence[str], references: Sequence[str]) -> None:
    if len(outputs) != len(references) or not outputs:
        raise Invalid(
            f"{name} needs two lists of one length, not {len(outputs)} outputs and {len(references)} references."
        )


def signature(name: str) -> str:
    """Return sacrebleu's signature of `bleu`, `chrf` or `ter`: tokenisation, smoothing, version."""
    metric = _bleu(False) if name == "bleu" else _chrf() if name == "chrf" else _ter()
    metric.corpus_score(["a"], [["a"]])
    return str(metric.get_signature())


def bleu_signature() -> str:
    """Return the signature of the corpus BLEU that is computed."""
    return signature("bleu")


def sentence_bleu(output: str, reference: str) -> float:
    """Return the BLEU of one sentence, 0 to 100, orders without any match left out (sacrebleu's effective order)."""
    return float(_bleu(True).sentence_score(output, [reference]).score)


def _bleu_counts(answer: Answer, argument: str) -> tuple[float, ...] | None:
    """Return hits and totals of 1- to 4-grams, then both lengths, of one row."""
    reference = text_of(answer.reference, argument)
    if reference is None:
        return None
    hits, totals, length, wanted = bleu_counts([answer_text(answer, argument)], [reference])
    return (*hits, *totals, length, wanted)


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


def _chrf_counts(answer: Answer, argument: str) -> tuple[float, ...] | None:
    """Return of 1- to 6-grams of characters, in turn, those of the answer, of the reference and of both."""
    reference = text_of(answer.reference, argument)
    if reference is None:
        return None
    own, other = (_grams(text) for text in (answer_text(answer, argument), reference))
    counts: list[float] = []
    for mine, theirs in zip(own, other, strict=True):
        hits = sum(min(count, theirs[gram]) for gram, count in mine.items() if gram in theirs)
        counts += [sum(mine.values()) if theirs else 0, sum(theirs.values()), hits]
    return tuple(counts)


def _grams(text: str) -> list[Counter[str]]:
    plain = "".join(text.split())
    return [Counter(plain[at : at + n] for at in range(len(plain) - n + 1)) for n in range(1, 7)]


def _chrf_figure(sums: Sequence[float]) -> float:
    """Return F2 of the mean precision and the mean recall over the orders that both sides have."""
    triples = [sums[at : at + 3] for at in range(0, len(sums), 3)]
    used = [(own, other, hits) for own, other, hits in triples if own > 0 and other > 0]
    if not used:
        return 0.0
    precision = recall = 0.0
    for own, other, hits in used:  # in this order, so that the last bit is right too
        precision += hits / own
        recall += hits / other
    precision, recall = precision / len(used), recall / len(used)
    if not precision + recall:
        return 0.0
    return 100 * (5 * precision * recall / (4 * precision + recall))


@scorer(
    "chrf",
    unit="score",
    margin=2.0,
    argument="optional",
    needs=("reference",),
    corpus=Corpus(_chrf_counts, _chrf_figure),
)
def _row_chrf(answer: Answer, argument: str) -> float | None:
    """Corpus chrF2 over characters, 0 to 100."""
    counts = _chrf_counts(answer, argument)
    return None if counts is None else _chrf_figure(counts)


def _ter_counts(answer: Answer, argument: str) -> tuple[float, ...] | None:
    """Return the edits and the words of the reference."""
    reference = text_of(answer.reference, argument)
    if reference is None:
        return None
    output = answer_text(answer, argument)
    if work(output, reference) > MOST_TER:
        return None
    found = _ter().sentence_score(output, [reference])
    return float(found.num_edits), float(found.ref_length)


def _ter_figure(sums: Sequence[float]) -> float:
    edits, length = sums
    return 100 * (edits / length) if length > 0 else (100.0 if edits > 0 else 0.0)


@scorer(
    "ter",
    unit="score",
    higher_is_better=False,
    margin=2.0,
    argument="optional",
    needs=("reference",),
    corpus=Corpus(_ter_counts, _ter_figure),
)
def _row_ter(answer: Answer, argument: str) -> float | None:
    """Translation edit rate in percent of the reference's words; 0 is best. Texts have at most about 300 words."""
    counts = _ter_counts(answer, argument)
    return None if counts is None else _ter_figure(counts)


def work(output: str, reference: str) -> int:
    """Return the words and line ends of a text times those of another, which comparing the two is about as dear as."""
    first, second = (len(text.split()) + text.count("\n") for text in (output, reference))
    return first * second


def _register(kind: str, title: str) -> None:
    """Register one ROUGE type, with and without the stemmer."""
    for suffix, stemmer in (("", False), ("-stem", True)):

        def score(answer: Answer, argument: str, stemmer: bool = stemmer) -> float | None:
            reference = text_of(answer.reference, argument)
            if reference is None:
                return None
            output = answer_text(answer, argument)
            if kind != "rougeLsum":
                return rouge(output, reference, stemmer)[kind]
            return rouge_lsum(output, reference, stemmer) if work(output, reference) <= MOST_LSUM else None

        score.__doc__ = f"{title} F1 against the reference{', words stemmed' if stemmer else ''}."
        scorer(kind + suffix, unit="score", margin=0.02, argument="optional", needs=("reference",))(score)


for _kind in (*ROUGE_TYPES, "rougeLsum"):
    _register(_kind, f"ROUGE-{_kind.removeprefix('rouge')}")
