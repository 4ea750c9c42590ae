"""A linear classifier over hashed n-grams. Its weights are trained by `scripts/injection/train.py`."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    import numpy as np

BUCKETS = 1 << 15
_WORD = re.compile(r"[^\W_]+|[<>\[\]{}|#!:/=*-]{2,}")
_WINDOW = 60
"""Words judged together: an order hidden in a long text is not thinned out by the text around it."""


def words(text: str) -> list[str]:
    """Split a text into lower-case words and runs of marks that delimit prompts."""
    return _WORD.findall(text.lower())


def features(tokens: list[str]) -> np.ndarray:
    """Return the sorted, distinct buckets (0 to BUCKETS - 1) of words, pairs, triples and pairs with gaps."""
    import numpy as np

    one = np.fromiter((crc32(word.encode()) for word in ("^", *tokens, "$")), np.uint32, len(tokens) + 2)
    first, second, third = (one * np.uint32(factor) for factor in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D))
    grams = (
        one,
        first[:-1] + second[1:],
        first[:-2] + second[1:-1] + third[2:],
        first[:-2] ^ third[2:],
        first[:-3] ^ second[3:] * np.uint32(0x27D4EB2F),
    )
    mixed = np.concatenate(grams)
    mixed ^= mixed >> np.uint32(15)
    return np.unique((mixed * np.uint32(0x2C1B3C6D)) >> np.uint32(17))


def windows(tokens: list[str]) -> list[list[str]]:
    """Cut tokens into windows that overlap by half; one window where they are few."""
    if len(tokens) <= _WINDOW:
        return [tokens]
    return [tokens[at : at + _WINDOW] for at in range(0, len(tokens) - _WINDOW // 2, _WINDOW // 2)]


def probability(text: str) -> float:
    """Return the highest probability, from 0 to 1, that a window of the text is an attempt at prompt injection."""
    weights, bias = _weights()
    best = 0.0
    for window in windows(words(text)):
        buckets = features(window)
        best = max(best, _sigmoid(float(weights[buckets].sum()) / len(buckets) ** 0.5 + bias))
    return best


def _sigmoid(value: float) -> float:
    from math import exp

    return 1.0 / (1.0 + exp(-max(-60.0, min(60.0, value))))


@lru_cache(maxsize=1)
def _weights() -> tuple[np.ndarray, float]:
    import numpy as np

    packed = BytesIO(files("mainspring.safety").joinpath("injection.npz").read_bytes())
    with np.load(packed, allow_pickle=False) as stored:
        return stored["weights"].astype(np.float32), float(stored["bias"])
