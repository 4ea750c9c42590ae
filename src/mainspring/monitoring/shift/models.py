"""Records of the drift report."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from mainspring.kernel.records import Record

FeatureKind = Literal["meaning", "number", "share", "category"]


class FeatureShift(Record):
    """One feature of calls, then and now."""

    feature: str
    kind: FeatureKind
    """`meaning` is compared by embeddings, numbers by their distribution."""
    n_reference: int
    n: int
    reference: float | None
    """Median of numbers, share of a yes; null for meanings and categories."""
    now: float | None
    p_value: float
    """Chance of a difference this large where nothing changed."""
    adjusted: float
    """The same after Holm's correction over all features of the report."""
    effect: float
    """From 0 to 1: the largest gap of two distributions, the difference of two shares, Cramér's V, or the root of half
    the squared discrepancy of meanings."""
    min_effect: float
    drifted: bool
    """Whether `adjusted` is at most alpha and `effect` at least `min_effect`."""
    method: str
    trace_ids: list[str]
    """Calls that moved it: least like the reference, or furthest out."""


class TopicShift(Record):
    """A group of inputs alike in meaning, and its share then and now."""

    words: list[str]
    """What tells it from the others."""
    reference: float
    now: float
    p_value: float
    adjusted: float
    """After Holm's correction over all topics."""
    moved: bool
    trace_ids: list[str]


class DriftReport(Record):
    """Whether traffic is still like what it is held against."""

    target: str
    release: str
    against: str
    """What it is held against: dataset versions and experiments, or a time."""
    n: int
    n_reference: int
    least: int
    """Values a side under which a feature is left out."""
    alpha: float
    """The chance of any false alarm over all features, where nothing changed, is at most this."""
    features: list[FeatureShift]
    left_out: list[str]
    """Features with too few values on a side."""
    topics: list[TopicShift]
    """What the inputs are about; an explanation, and no alarm of its own."""
    drifted: bool
    verdict: str
    checked_at: datetime
