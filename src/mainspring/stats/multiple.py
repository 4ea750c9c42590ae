"""Corrections for many tests at once."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.stats.arrays import np
from mainspring.stats.intervals import checked


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that the chance of any false alarm is held (Holm 1979)."""
    p = checked(p_values, least=0)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    return _back(order, np.minimum(steps, 1.0))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that the expected share of false alarms is held (Benjamini and Hochberg 1995)."""
    p = checked(p_values, least=0)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / (np.arange(len(p)) + 1)
    steps = np.minimum.accumulate(scaled[::-1])[::-1]
    return _back(order, np.minimum(steps, 1.0))


def _back(order: np.ndarray, adjusted: np.ndarray) -> list[float]:
    """Put adjusted values back in the order that they came in."""
    result = np.empty(len(order))
    result[order] = adjusted
    return [float(value) for value in result]
