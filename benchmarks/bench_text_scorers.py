"""ROUGE and BLEU of 2,000 pairs against the reference packages: equal values, and how much faster."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

PAIRS = 2000
FACTOR = 50
T = TypeVar("T")


def pairs(seed: int) -> list[tuple[str, str]]:
    """Make pairs of texts that share some of their words."""
    rng = random.Random(seed)
    words = [f"word{number}" for number in range(400)]
    made = []
    for _ in range(PAIRS):
        reference = rng.choices(words, k=rng.randint(20, 60))
        output = [word if rng.random() < 0.6 else rng.choice(words) for word in reference]
        made.append((" ".join(output), " ".join(reference)))
    return made


def timed(work: Callable[[], T], rounds: int) -> tuple[T, float]:
    """Return what `work` returns and its least CPU time, in seconds: the figure that other load disturbs least."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        result = work()
        best = min(best, time.process_time() - begun)
    return result, best


def main() -> int:
    """Measure, print, and return 1 where values differ or ROUGE is not fast enough."""
    import sacrebleu
    from rouge_score.rouge_scorer import RougeScorer

    from mainspring.evals.scorers import bleu, rouge

    texts = pairs(1)
    outputs, references = [pair[0] for pair in texts], [pair[1] for pair in texts]
    rouge("warm up", "warm up")
    bleu(["warm up"], ["warm up"])
    ours, ours_seconds = timed(lambda: [rouge(output, reference) for output, reference in texts], 7)
    ours_bleu, ours_bleu_seconds = timed(lambda: bleu(outputs, references), 3)
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    scored, theirs_seconds = timed(lambda: [scorer.score(reference, output) for output, reference in texts], 3)
    theirs_bleu, theirs_bleu_seconds = timed(lambda: sacrebleu.corpus_bleu(outputs, [references]).score, 3)
    theirs = [{name: score.fmeasure for name, score in one.items()} for one in scored]
    times = theirs_seconds / ours_seconds
    both = (theirs_seconds + theirs_bleu_seconds) / (ours_seconds + ours_bleu_seconds)
    print(f"ROUGE of {PAIRS} pairs {ours_seconds:.3f} s, rouge-score {theirs_seconds:.3f} s: {times:.0f} times")
    print(
        f"BLEU of {PAIRS} pairs {ours_bleu_seconds:.3f} s, sacrebleu {theirs_bleu_seconds:.3f} s: "
        f"{theirs_bleu_seconds / ours_bleu_seconds:.1f} times; both together {both:.0f} times"
    )
    same = ours == theirs and ours_bleu == theirs_bleu
    print("equal values" if same else "values differ")
    return 0 if same and times >= FACTOR else 1


if __name__ == "__main__":
    raise SystemExit(main())
