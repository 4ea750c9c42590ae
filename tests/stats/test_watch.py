"""The watched difference: what a canary is judged by."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring import stats
from mainspring.stats import Watch

Unit = tuple[bool, float]


def arrivals(rng: np.random.Generator, n: int, share: float, baseline: float, candidate: float) -> list[Unit]:
    """Units of two releases of which each succeeds at its own rate."""
    arms = rng.random(n) < share
    values = rng.random(n) < np.where(arms, candidate, baseline)
    return [(bool(arm), float(value)) for arm, value in zip(arms, values, strict=True)]


def test_it_is_the_bounded_sequence_over_the_differences() -> None:
    rng = np.random.default_rng(1)
    left, right = rng.random(200), rng.random(200)
    units = [unit for a, b in zip(left, right, strict=True) for unit in ((False, float(a)), (True, float(b)))]
    found = Watch().with_units(units).interval()
    expected = stats.bounded_sequence(right - left, low=-1.0, high=1.0)
    assert found is not None
    assert (found.low, found.high, found.n) == pytest.approx((expected.low, expected.high, 200))
    assert found.estimate == pytest.approx(float(right.mean() - left.mean()))


def test_looking_more_often_changes_nothing() -> None:
    units = arrivals(np.random.default_rng(2), 400, 0.3, 0.8, 0.7)
    at_once, one_by_one = Watch().with_units(units), Watch()
    for unit in units:
        one_by_one = one_by_one.with_units([unit])
    assert at_once == one_by_one
    assert at_once.baseline.n + at_once.candidate.n == 400


def test_before_both_arms_came_nothing_is_known() -> None:
    assert Watch().interval() is None
    alone = Watch().with_units([(False, 0.5)] * 50)
    assert alone.interval() is None and alone.reach(1000) is None
    both = alone.with_units([(True, 0.5)])
    assert both.interval() is not None and both.n == 1
    with pytest.raises(ValueError, match="outside"):
        both.with_units([(True, 1.5)])


def test_drift_of_the_traffic_and_steps_of_the_split_look_like_no_difference() -> None:
    """Rates fall from .9 to .4 while the candidate's share grows: plain means differ by much, the releases do not."""
    rng, missed = np.random.default_rng(3), 0
    for _ in range(20):
        early, late = arrivals(rng, 600, 0.1, 0.9, 0.9), arrivals(rng, 600, 0.8, 0.4, 0.4)
        found = Watch().with_units(early + late).interval()
        assert found is not None and found.estimate < -0.15
        missed += not found.low <= 0 <= found.high
    assert missed <= 2


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize(("baseline", "candidate"), [(0.95, 0.95), (0.8, 0.7), (0.5, 0.5)])
def test_the_difference_is_covered_at_every_look(share: float, baseline: float, candidate: float) -> None:
    rng, missed, trials = np.random.default_rng(4), 0, 100
    for _ in range(trials):
        # The ends are the running intersection: that the last holds says that every look did.
        found = Watch().with_units(arrivals(rng, 1000, share, baseline, candidate)).interval()
        assert found is not None
        missed += not found.low <= candidate - baseline <= found.high
    assert missed / trials <= 0.05


def test_the_reach_tells_what_the_ends_will_be() -> None:
    rng = np.random.default_rng(5)
    early = Watch().with_units(arrivals(rng, 500, 0.5, 0.8, 0.8))
    late = early.with_units(arrivals(rng, 4000, 0.5, 0.8, 0.8))
    found, expected = late.interval(), early.reach(late.n)
    assert found is not None and expected is not None
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.25)
