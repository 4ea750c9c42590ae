"""Texts per CPU-second of what data preparation and guards spend their time on, on this machine's own docstrings."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mainspring.data import dedup, text
from mainspring.data.corpus import make_corpus
from mainspring.data.importers import read_rows
from mainspring.data.similar import shortlist
from mainspring.safety import Policy, Rule, StreamGuard, apply


def timed(name: str, count: int, work: Callable[[], object]) -> None:
    """Do the work once and print its rate."""
    began = time.process_time()
    work()
    seconds = time.process_time() - began
    print(f"{name:42} {count / seconds:12,.0f} /CPU-s   ({seconds:.2f} CPU-s for {count:,})")


def guarded(texts: Sequence[str], detector: str) -> None:
    """Apply one detector to every text."""
    policy = Policy(rules=[Rule(detector=detector, action="mask")])
    for one in texts:
        apply(policy, one, "input")


def streamed(texts: Sequence[str]) -> int:
    """Send every text through a stream guard in pieces of five characters; return the number of pieces."""
    policy = Policy(rules=[Rule(detector="pii", action="mask"), Rule(detector="secrets", action="mask")])
    pieces = 0
    for one in texts:
        guard = StreamGuard(policy)
        for at in range(0, len(one), 5):
            guard.feed(one[at : at + 5])
            pieces += 1
        guard.finish()
    return pieces


def main() -> None:
    """Print one line for each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.jsonl"
        count = 3000
        timed(
            "corpus: rows made",
            count,
            lambda: make_corpus(path, packages=["python", "numpy", "scipy"], per_package=1000),
        )
        texts = [row.body() for _, row in read_rows(path)]
        count = len(texts)
        timed("import: rows read and checked", count, lambda: list(read_rows(path)))
    timed("normalise", count, lambda: [text.normalise(one) for one in texts])
    timed("language", count, lambda: [text.language(one) for one in texts])
    timed("exact duplicates", count, lambda: dedup.exact(texts))
    timed("near duplicates, Jaccard 0.8", count, lambda: dedup.near(texts, 0.8))
    timed("shortlist by words, one query", count, lambda: shortlist(texts, texts[0], 50))
    for detector in ("pii", "secrets", "toxicity", "injection"):
        timed(f"guard: {detector}", count, lambda detector=detector: guarded(texts, detector))  # type: ignore[misc]
    some = texts[:200]
    timed("guarded stream: pieces of 5 characters", sum(-(-len(one) // 5) for one in some), lambda: streamed(some))


if __name__ == "__main__":
    main()
