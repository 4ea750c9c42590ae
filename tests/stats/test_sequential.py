"""Confidence sequences hold at every look, not at one chosen before."""

import numpy as np
import pytest

from mainspring import stats


@pytest.mark.parametrize("p", [0.02, 0.3, 0.95])
def test_the_proportion_is_covered_at_every_look(p):
    rng, missed, trials = np.random.default_rng(1), 0, 120
    looks = np.unique(np.geomspace(1, 1000, 25).astype(int))
    for _ in range(trials):
        hits = np.cumsum(rng.random(1000) < p)
        found = [stats.proportion_sequence(int(hits[n - 1]), int(n)) for n in looks]
        missed += any(not interval.low <= p <= interval.high for interval in found)
    assert missed / trials <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)


def test_a_bounded_mean_is_covered_at_every_look():
    rng, missed, trials = np.random.default_rng(2), 0, 120
    for _ in range(trials):
        # The ends are the running intersection: that the last holds says that every look did.
        found = stats.bounded_sequence(rng.beta(0.5, 2, 800))
        missed += not found.low <= 0.2 <= found.high
    assert missed / trials <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)


def test_a_difference_is_covered_at_every_look():
    rng, missed, trials = np.random.default_rng(3), 0, 120
    looks = np.unique(np.geomspace(1, 800, 20).astype(int))
    for _ in range(trials):
        left, right = np.cumsum(rng.random(800) < 0.1), np.cumsum(rng.random(800) < 0.25)
        found = [
            stats.difference_sequence((int(left[n - 1]), int(n)), (int(right[n // 2]), int(n // 2 + 1))) for n in looks
        ]
        missed += any(not interval.low <= 0.15 <= interval.high for interval in found)
    assert missed / trials <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)


def test_sequences_narrow_as_rows_arrive():
    widths = [stats.proportion_sequence(n // 10, n) for n in (10, 100, 1000, 10_000)]
    spans = [found.high - found.low for found in widths]
    assert spans == sorted(spans, reverse=True)
    assert spans[-1] < 0.05


def test_a_difference_is_seen_in_time_and_only_if_there():
    same, worse = stats.difference_sequence((10, 500), (11, 480)), stats.difference_sequence((10, 500), (60, 480))
    assert same.low < 0 < same.high
    assert worse.low > 0
    assert worse.n == 480


def test_bounds_are_kept():
    with pytest.raises(ValueError, match="outside"):
        stats.bounded_sequence([0.2, 1.4])
    found = stats.bounded_sequence([3.0] * 200, low=1, high=5)
    assert 1 <= found.low < 3 < found.high <= 5
    with pytest.raises(stats.TooFewRows):
        stats.proportion_sequence(0, 0)
    with pytest.raises(ValueError, match="5 successes of 3"):
        stats.proportion_sequence(5, 3)
    assert stats.proportion_sequence(0, 5).low == 0.0
    assert stats.proportion_sequence(5, 5).high == 1.0
