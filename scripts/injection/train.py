"""Train the prompt-injection classifier and write its weights: `python scripts/injection/train.py`.

Honest text is the grammar's, and the docstrings of the standard library of the Python that runs this. Logistic
regression with L2 penalty by mini-batch gradient descent; the same seed gives the same weights.
"""

from __future__ import annotations

import ast
import random
import sys
import sysconfig
from pathlib import Path

import numpy as np
from grammar import attacks, benign

from mainspring.safety.classifier import BUCKETS, features, windows, words

HIDDEN = 0.25
PENALTY = 2e-4
TARGET = Path(__file__).parents[2] / "src/mainspring/safety/injection.npz"


def docstrings(limit: int, rng: random.Random) -> list[str]:
    """Return docstrings of the standard library, as an honest sample of technical English."""
    found = []
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        if {"site-packages", "test", "tests", "lib2to3"} & set(path.relative_to(root).parts):
            continue
        tree = ast.parse(path.read_text("utf-8", errors="ignore"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node)):
                found.append(f"{node.name}\n{text}")
    return rng.sample(sorted(found), min(limit, len(found)))


def cut(text: str, rng: random.Random) -> str:
    """Return the beginning of a text, as it stands in a question: what is short says less of what it is not."""
    return text[: rng.randint(40, 220)]


def embedded(text: str, around: list[str], rng: random.Random) -> str:
    """Return an attack as it is met: alone, or behind, before or between honest texts."""
    place = rng.random()
    before = rng.choice(around) if place > 0.6 else ""
    after = rng.choice(around) if 0.45 < place < 0.6 or place > 0.85 else ""
    return f"{' '.join(before.split()[-40:])} {text} {' '.join(after.split()[:25])}".strip()


def rows(texts: list[str]) -> list[np.ndarray]:
    """Return the features of each text's first window."""
    return [features(windows(words(text))[0]) for text in texts]


def train(seed: int = 7) -> tuple[np.ndarray, float, dict[str, float]]:
    """Return weights, bias and the figures on texts held out.

    Of each text a quarter of the features is hidden, others in each round: so no phrase is learnt by one of its words.
    """
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    manual = docstrings(6000, rng)
    plain = benign(4000, rng)
    bad = [embedded(text, manual + plain, rng) for _, text in attacks(30000, rng)]
    good = benign(26000, rng) + manual + [cut(text, rng) for text in manual for _ in range(2)]
    data = [(row, 1.0) for row in rows(bad)] + [(row, 0.0) for row in rows(good)]
    rng.shuffle(data)
    held, data = data[:3000], data[3000:]
    weights, bias = np.zeros(BUCKETS), 0.0
    for epoch in range(8):
        rng.shuffle(data)
        rate = 0.5 / (1 + epoch)
        for whole, label in data:
            row = whole[noise.random(len(whole)) > HIDDEN]
            scale = 1 / max(1, len(row)) ** 0.5
            error = label - 1 / (1 + np.exp(-(weights[row].sum() * scale + bias)))
            weights[row] += rate * (error * scale - PENALTY * weights[row])
            bias += 0.1 * rate * error
    scores = [weights[row].sum() / max(1, len(row)) ** 0.5 + bias for row, _ in held]
    right = sum((score > 0) == (label > 0) for score, (_, label) in zip(scores, held, strict=True))
    return weights, bias, {"held_out_accuracy": right / len(held), "rows": len(data)}


def main() -> None:
    """Train, report on standard error, write the file."""
    weights, bias, figures = train()
    np.savez_compressed(TARGET, weights=weights.astype(np.float16), bias=np.float32(bias))
    sys.stderr.write(f"{figures} {TARGET.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
