"""Watch: a difference between two arms of running traffic, with an interval that holds at every look.

Units arrive one by one, each with its arm and its value. Whenever both arms have brought something since the last time,
the means of what they brought make one difference. Both halves of it were seen at the same time, so that a change of
the traffic, or of its split, moves both alike. The differences are bounded and, given the past, centred on the true
difference, which is what a confidence sequence needs; nothing but a few sums has to be kept between looks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mainspring.stats.arrays import np
from mainspring.stats.intervals import Interval


@dataclass(frozen=True, slots=True)
class Arm:
    """What one arm has brought: how many units, and the sum of their values."""

    n: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float | None:
        """Mean of the values, or None where there are none."""
        return self.total / self.n if self.n else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Candidate minus baseline over units whose values lie in [low, high], as far as it is known.

    Empirical Bernstein with predictable plug-in bets (Waudby-Smith and Ramdas 2024, theorem 2 and eq. 15) over the
    differences scaled to [0, 1]; the ends are the running intersection, so they never widen.
    """

    level: float = 0.95
    low: float = 0.0
    high: float = 1.0
    baseline: Arm = Arm()
    candidate: Arm = Arm()
    open_baseline: Arm = Arm()
    """What the baseline brought since the last difference."""
    open_candidate: Arm = Arm()
    n: int = 0
    """How many differences there are."""
    total: float = 0.0
    scatter: float = 0.0
    weight: float = 0.0
    weighted: float = 0.0
    cost: float = 0.0
    floor: float = 0.0
    ceiling: float = 1.0

    def with_units(self, units: Iterable[tuple[bool, float]]) -> Watch:
        """Return the watch after more units, in order of arrival: whether it is the candidate's, and its value.

        Raises ValueError for a value outside the bounds.
        """
        span = self.high - self.low
        course = _Course(1 - self.level, *(getattr(self, name) for name in _SUMS))
        every = ([self.baseline.n, self.baseline.total], [self.candidate.n, self.candidate.total])
        new = (
            [self.open_baseline.n, self.open_baseline.total],
            [self.open_candidate.n, self.open_candidate.total],
        )
        for candidate, value in units:
            if not self.low <= value <= self.high:
                raise ValueError(f"{value} lies outside {self.low} to {self.high}")
            for arm in (every[candidate], new[candidate]):
                arm[0] += 1
                arm[1] += value
            left, right = new
            if left[0] and right[0]:
                course.add(((right[1] / right[0] - left[1] / left[0]) / span + 1) / 2)
                new = ([0, 0.0], [0, 0.0])
        arms = [Arm(int(n), total) for n, total in (*every, *new)]
        return replace(
            self,
            baseline=arms[0],
            candidate=arms[1],
            open_baseline=arms[2],
            open_candidate=arms[3],
            **{name: getattr(course, name) for name in _SUMS},
        )

    def interval(self) -> Interval | None:
        """Return the difference of the means within its confidence sequence; None before the first difference."""
        left, right = self.baseline.mean, self.candidate.mean
        if left is None or right is None or not self.n:
            return None
        span = self.high - self.low
        ends = (2 * self.floor - 1) * span, (2 * self.ceiling - 1) * span
        return Interval(right - left, *ends, self.level, self.n, "empirical Bernstein confidence sequence")

    def reach(self, n: int) -> float | None:
        """Return about how far from the truth the sequence's ends would be after `n` differences that scatter alike.

        None before there are ten differences to learn the scatter from.
        """
        if self.n < 10 or n < 1:
            return None
        variance = (0.25 + self.scatter) / (self.n + 1)
        count = np.arange(1, min(n, 1_000_000) + 1)
        bets = np.minimum(np.sqrt(2 * math.log(2 / (1 - self.level)) / (variance * count * np.log(count + 1))), 0.5)
        cost = variance * float(np.sum(-np.log1p(-bets) - bets))
        half = (math.log(2 / (1 - self.level)) + cost) / float(np.sum(bets))
        return 2 * min(1.0, half) * (self.high - self.low)


_SUMS = ("n", "total", "scatter", "weight", "weighted", "cost", "floor", "ceiling")


@dataclass(slots=True)
class _Course:
    """The sums of a watch while differences are added, one by one."""

    alpha: float
    n: int
    total: float
    scatter: float
    weight: float
    weighted: float
    cost: float
    floor: float
    ceiling: float

    def add(self, x: float) -> None:
        """Take in one difference, scaled to [0, 1]."""
        before, penalty = self.n + 1, math.log(2 / self.alpha)
        mean, variance = (0.5 + self.total) / before, (0.25 + self.scatter) / before
        bet = min(math.sqrt(2 * penalty / (variance * before * math.log(before + 1))), 0.5)
        self.cost += (x - mean) ** 2 * (-math.log1p(-bet) - bet)
        self.weight += bet
        self.weighted += bet * x
        self.total += x
        self.n += 1
        self.scatter += (x - (0.5 + self.total) / (self.n + 1)) ** 2
        centre, half = self.weighted / self.weight, (penalty + self.cost) / self.weight
        self.floor, self.ceiling = max(self.floor, centre - half), min(self.ceiling, centre + half)
