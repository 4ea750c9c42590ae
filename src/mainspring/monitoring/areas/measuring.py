"""Measuring: how much worse calls that ask like an area's do, by calls that had no part in finding it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainspring import stats
from mainspring.monitoring.areas import halves
from mainspring.monitoring.areas.gathering import Seen
from mainspring.monitoring.areas.models import Effect
from mainspring.stats.independent import difference, difference_test
from mainspring.stats.intervals import TooFewRows

if TYPE_CHECKING:
    import numpy as np

_NOBODY = "There is nothing to hold it against: calls that the area was found by do not count."


@dataclass(frozen=True, slots=True)
class Region:
    """Where an area lies, and which calls may say how it does."""

    score: str
    """Empty for errors."""
    asked: Sequence[float]
    """The middle of the questions that it was found by; empty where there was no text."""
    since_ns: int
    """When it was found: later calls had no part in it."""
    apart: bool
    """Whether it was found by one half of the calls alone, so that the other half had no part in it either."""


def effects(
    regions: Sequence[Region],
    seen: Sequence[Seen],
    values: Mapping[str, Mapping[str, float]],
    vectors: Mapping[str, np.ndarray],
    near: float,
    *,
    alpha: float = 0.05,
) -> list[Effect]:
    """Hold all calls that ask like each area's against the others, and correct for all areas at once.

    The bad calls alone would be worse by their choice, and so would be those that made the area. Intervals share the
    error out among the areas (Dunn 1961), p-values are Holm's; an area is `shown` to do worse where both say so, which
    where nothing differs happens to any of them in at most `alpha` of the looks.
    """
    sides = [_sides(one, seen, values.get(one.score, {}), vectors, near) for one in regions]
    notes = [_untold(*side) for side in sides]
    tested = [at for at, note in enumerate(notes) if not note]
    told = {at: difference_test(*sides[at]) for at in tested}
    adjusted = dict(zip(tested, stats.holm([told[at][0] for at in tested]), strict=True)) if tested else {}
    return [
        _effect(one, side, note, alpha, len(tested), told.get(at), adjusted.get(at))
        for at, (one, side, note) in enumerate(zip(regions, sides, notes, strict=True))
    ]


def _sides(
    one: Region, seen: Sequence[Seen], values: Mapping[str, float], vectors: Mapping[str, np.ndarray], near: float
) -> tuple[list[float], list[float]]:
    """Return the values of the calls that ask like an area's and of the others; of a session one counts."""
    import numpy as np

    inside: list[float] = []
    outside: list[float] = []
    middle = np.asarray(one.asked, dtype=np.float64)
    units: set[str] = set()
    for call in seen if len(middle) else ():
        if call.unit in units or not (call.at_ns >= one.since_ns or (one.apart and not halves.finds(call.unit))):
            continue
        value = values.get(call.trace_id) if one.score else float(call.failed)
        if value is not None:
            units.add(call.unit)
            (inside if float(middle @ vectors[call.asked]) >= near else outside).append(value)
    return inside, outside


def _untold(inside: Sequence[float], outside: Sequence[float]) -> str:
    """Say why no interval can be offered; empty where one can."""
    if not inside or not outside:
        return _NOBODY
    try:
        difference(inside, outside)
    except TooFewRows as few:
        return f"No interval: {few}."
    return ""


def _effect(
    one: Region,
    side: tuple[list[float], list[float]],
    note: str,
    alpha: float,
    areas: int,
    told: tuple[float, str] | None,
    p_adjusted: float | None,
) -> Effect:
    inside, outside = side
    means = [sum(values) / len(values) if values else None for values in side]
    plain = Effect(
        metric=one.score or "errors",
        inside=means[0],
        outside=means[1],
        difference=None if means[0] is None or means[1] is None else means[0] - means[1],
        low=None,
        high=None,
        level=1 - alpha,
        n_inside=len(inside),
        n_outside=len(outside),
        note=note,
    )
    if told is None or p_adjusted is None:
        return plain
    found = difference(inside, outside, level=1 - alpha / areas)
    worse = found.high < 0 if one.score else found.low > 0
    return plain.model_copy(
        update={
            "difference": found.estimate,
            "low": found.low,
            "high": found.high,
            "method": found.method,
            "p_value": told[0],
            "p_adjusted": p_adjusted,
            "test": told[1],
            "areas": areas,
            "shown": worse and p_adjusted <= alpha,
        }
    )
