"""Volumes: how likely as much as now is, in one window or in several on end, if a key goes on as before."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mainspring.monitoring.attacks.usual import LEAST_ACTIVE, mean

_TREND = 12
"""Windows from which a key's growth is taken into account."""
_OWN = 4
"""Earlier windows of the same hour, or day of the week, from which these are told apart."""
_STEADIEST = 0.1
"""No key is taken to be steadier than this, as a standard deviation of logarithms."""
_MOST_ALIKE = 0.9
_LEAST_OF_RUN = 2


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a window, or several on end, may be expected to hold."""

    now: float
    windows: int
    """Of them, those in which the key was used."""
    usual: float
    """The middle of what is expected."""
    usual_now: float
    """Of it, that of the present window."""
    most: float
    """The largest that there was before, at the same place in the period."""
    chance: float
    """Of so much or more."""


@dataclass(slots=True)
class _Past:
    """Logarithms of active windows, by their place in a period, with a common trend."""

    period: int
    places: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    """For each place, how many windows ago, and the value."""
    centres: dict[int, tuple[float, float]] = field(default_factory=dict)
    """For each place, the means of the times and of the values."""
    slope: float = 0.0
    across: float = 0.0
    """Sum of squares of the times, where there is a trend; else 0."""
    freedom: int = 0
    scatter: float = 0.0

    def middle(self, back: int) -> float:
        """Return what is expected so many windows ago."""
        at, level = self.centres[back % self.period]
        return level + self.slope * (-back - at)

    def alike(self) -> float:
        """Return the correlation of windows on end, as large as chance may hide it."""
        off = {back: value - self.middle(back) for some in self.places.values() for back, value in some}
        pairs = [value * off[back + 1] for back, value in off.items() if back + 1 in off]
        whole = sum(value * value for value in off.values())
        if not pairs or not whole:
            return _MOST_ALIKE
        return min(_MOST_ALIKE, max(0.0, sum(pairs) / whole) + 1 / math.sqrt(len(pairs)))


def forecast(
    values: Mapping[int, float], windows: int, *, periods: Sequence[int], scale: float = 1.0, length: int = 1
) -> Forecast | None:
    """Foretell the volume of the present window by the active ones before it, and say how likely so much or more is.

    `values` are by how many windows ago, from 0; `periods` are lengths, in windows, after which a pattern may come
    again, the longest first: the first of which there are four earlier windows at the same place counts. Logarithms
    are taken to scatter normally about the mean of their place in the period, plus a common trend: the chance is that
    of the prediction interval of least squares, by Student's t (Seber and Lee 2003, section 5.3). The scatter is never
    taken to be smaller than chance alone makes it, the counts being Poisson's. With a `length` the mean of so many
    windows on end, the present one the last, is held against those before them; its variance is that of windows whose
    correlation falls geometrically with their distance. None under five active windows before, or two in the run.
    """
    from scipy import special

    last = [0] if length == 1 else [back for back in range(length) if values.get(back, 0.0) > 0]
    active = {back: math.log1p(v / scale) for back, v in values.items() if length <= back <= windows and v > 0}
    past = _fitted(active, periods)
    if (
        past is None
        or len(last) < min(length, _LEAST_OF_RUN)
        or any(back % past.period not in past.places for back in last)
    ):
        return None
    many = len(last)
    middles = [past.middle(back) for back in last]
    expected = [scale * math.expm1(max(0.0, middle)) for middle in middles]
    chance_alone = sum(1 / max(1.0, one / scale) for one in expected) / many
    scatter = max(past.scatter, _STEADIEST**2, chance_alone)
    alike = past.alike() if many > 1 else 0.0
    # The variance of the mean itself, that of the means of the places, and that of the trend.
    own = sum(alike ** abs(one - other) for one in last for other in last) / many**2
    places = Counter(back % past.period for back in last)
    level = sum(times**2 / len(past.places[place]) for place, times in places.items()) / many**2
    away = sum(-back - past.centres[back % past.period][0] for back in last) / many
    variance = scatter * (own + level + (away**2 / past.across if past.across else 0.0))
    over = sum(math.log1p(values.get(back, 0.0) / scale) for back in last) / many - sum(middles) / many
    return Forecast(
        now=sum(values.get(back, 0.0) for back in last),
        windows=many,
        usual=sum(expected),
        usual_now=expected[0],
        most=max(
            sum(values.get(back + more, 0.0) for more in range(length))
            for back in range(length, windows + 1)
            if back % past.period == 0
        ),
        chance=float(special.stdtr(past.freedom, -over / math.sqrt(variance))),
    )


def _fitted(active: Mapping[int, float], periods: Sequence[int]) -> _Past | None:
    if len(active) < LEAST_ACTIVE:
        return None
    past = _Past(next((one for one in periods if sum(back % one == 0 for back in active) >= _OWN), 1))
    for back, value in active.items():
        past.places.setdefault(back % past.period, []).append((back, value))
    for place, some in past.places.items():
        past.centres[place] = mean(-float(back) for back, _ in some), mean(value for _, value in some)
    groups = {place: some for place, some in past.places.items() if len(some) > 1}
    count = sum(map(len, groups.values()))
    across = along = whole = 0.0
    for place, some in groups.items():
        at, level = past.centres[place]
        across += sum((-back - at) ** 2 for back, _ in some)
        along += sum((-back - at) * (value - level) for back, value in some)
        whole += sum((value - level) ** 2 for _, value in some)
    if count >= _TREND and across > 0:
        past.slope, past.across = along / across, across
    past.freedom = count - len(groups) - bool(past.across)
    if past.freedom < LEAST_ACTIVE - 1:
        return None
    past.scatter = (whole - past.slope * along) / past.freedom
    return past
