"""A linear classifier over hashed n-grams. Its weights are trained by `scripts/injection/train.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    import numpy as np

_BITS = 17
BUCKETS = 1 << _BITS
_WORD = re.compile(r"[^\W_]+|[<>\[\]{}|#!:/=*-]{2,}")
_WINDOW = 60
"""Words judged together: an order hidden in a long text is not thinned out by the text around it."""
_TOGETHER = 64
"""Windows that are judged in one go."""


def words(text: str) -> list[str]:
    """Split a text into lower-case words and runs of marks that delimit prompts."""
    return _WORD.findall(text.lower())


def features(tokens: list[str]) -> np.ndarray:
    """Return the sorted, distinct buckets (0 to BUCKETS - 1) of words, pairs, triples and pairs with gaps."""
    import numpy as np

    return np.unique(_buckets(_hashes(("^", *tokens, "$"))))


def _hashes(tokens: Sequence[str]) -> np.ndarray:
    import numpy as np

    return np.fromiter((crc32(word.encode("utf-8", "replace")) for word in tokens), np.uint32, len(tokens))


def _buckets(one: np.ndarray) -> np.ndarray:
    """Return the bucket of every n-gram of words by their hashes, along the last axis."""
    import numpy as np

    first, second, third = (one * np.uint32(factor) for factor in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D))
    grams = (
        one,
        first[..., :-1] + second[..., 1:],
        first[..., :-2] + second[..., 1:-1] + third[..., 2:],
        first[..., :-2] ^ third[..., 2:],
        first[..., :-3] ^ second[..., 3:] * np.uint32(0x27D4EB2F),
    )
    mixed = np.concatenate(grams, axis=-1)
    mixed ^= mixed >> np.uint32(15)
    return (mixed * np.uint32(0x2C1B3C6D)) >> np.uint32(32 - _BITS)


def windows(tokens: list[str]) -> list[list[str]]:
    """Cut tokens into windows that overlap by half; one window where they are few."""
    if len(tokens) <= _WINDOW:
        return [tokens]
    return [tokens[at : at + _WINDOW] for at in range(0, len(tokens) - _WINDOW // 2, _WINDOW // 2)]


def probability(text: str) -> float:
    """Return the highest probability, from 0 to 1, that a window of the text is an attempt at prompt injection."""
    weights, bias = _weights()
    tokens = words(text)
    whole = max(0, (len(tokens) - _WINDOW) // (_WINDOW // 2) + 1) if len(tokens) > _WINDOW else 0
    best = -60.0
    for window in windows(tokens)[whole:]:
        buckets = features(window)
        best = max(best, float(weights[buckets].sum()) / len(buckets) ** 0.5 + bias)
    for at in range(0, whole, _TOGETHER):
        best = max(best, _best(tokens, at, min(whole, at + _TOGETHER), weights) + bias)
    return _sigmoid(best)


def _best(tokens: list[str], first: int, last: int, weights: np.ndarray) -> float:
    """Return the highest sum among the whole windows from `first` to before `last`, all of them at once."""
    import numpy as np

    step = _WINDOW // 2
    one = _hashes(tokens[first * step : (last - 1) * step + _WINDOW])
    inner = np.lib.stride_tricks.sliding_window_view(one, _WINDOW)[::step]
    begin, end = _hashes("^"), _hashes("$")
    framed = np.concatenate((np.repeat(begin, len(inner))[:, None], inner, np.repeat(end, len(inner))[:, None]), axis=1)
    buckets = np.sort(_buckets(framed), axis=1)
    new = np.ones(buckets.shape, bool)
    new[:, 1:] = buckets[:, 1:] != buckets[:, :-1]
    sums = (weights[buckets] * new).sum(axis=1) / np.sqrt(new.sum(axis=1))
    return float(sums.max())


def _sigmoid(value: float) -> float:
    from math import exp

    return 1.0 / (1.0 + exp(-max(-60.0, min(60.0, value))))


@lru_cache(maxsize=1)
def _weights() -> tuple[np.ndarray, float]:
    import numpy as np

    packed = BytesIO(files("mainspring.safety").joinpath("injection.npz").read_bytes())
    with np.load(packed, allow_pickle=False) as stored:
        return stored["weights"].astype(np.float32), float(stored["bias"])
