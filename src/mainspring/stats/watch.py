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

import numpy as np

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

    def plus(self, value: float) -> Arm:
        """Return the arm with one unit more."""
        return Arm(self.n + 1, self.total + value)


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
        now = self
        for candidate, value in units:
            if not self.low <= value <= self.high:
                raise ValueError(f"{value} lies outside {self.low} to {self.high}")
            if candidate:
                now = replace(now, candidate=now.candidate.plus(value), open_candidate=now.open_candidate.plus(value))
            else:
                now = replace(now, baseline=now.baseline.plus(value), open_baseline=now.open_baseline.plus(value))
            left, right = now.open_baseline.mean, now.open_candidate.mean
            if left is not None and right is not None:
                scaled = ((right - left) / (self.high - self.low) + 1) / 2
                now = replace(now._with(scaled), open_baseline=Arm(), open_candidate=Arm())
        return now

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

    def _with(self, x: float) -> Watch:
        """Return the watch after one difference, scaled to [0, 1]."""
        alpha, count = 1 - self.level, self.n + 1
        mean, variance = (0.5 + self.total) / count, (0.25 + self.scatter) / count
        bet = min(math.sqrt(2 * math.log(2 / alpha) / (variance * count * math.log(count + 1))), 0.5)
        cost = self.cost + (x - mean) ** 2 * (-math.log1p(-bet) - bet)
        weight, weighted, total = self.weight + bet, self.weighted + bet * x, self.total + x
        centre, half = weighted / weight, (math.log(2 / alpha) + cost) / weight
        return replace(
            self,
            n=count,
            total=total,
            scatter=self.scatter + (x - (0.5 + total) / (count + 1)) ** 2,
            weight=weight,
            weighted=weighted,
            cost=cost,
            floor=max(self.floor, centre - half),
            ceiling=min(self.ceiling, centre + half),
        )
