"""The difference of two independent samples keeps its level, and is not offered where no method holds."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.stats import TooFewRows
from mainspring.stats.independent import difference, difference_test


def test_newcombe_agrees_with_the_published_example():
    # Newcombe 1998, table II, example (a), method 10: 56/70 - 48/80.
    found = difference([1.0] * 56 + [0.0] * 14, [1.0] * 48 + [0.0] * 32)
    assert (round(found.estimate, 4), round(found.low, 4), round(found.high, 4)) == (0.2, 0.0524, 0.3339)


def test_welch_agrees_with_scipy():
    from scipy import stats

    rng = np.random.default_rng(0)
    left, right = rng.normal(1, 2, 30), rng.normal(0, 1, 50)
    found = difference(left, right)
    known = stats.ttest_ind(left, right, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((known.low, known.high))


@pytest.mark.parametrize(("n", "m", "p", "q"), [(20, 20, 0.5, 0.5), (20, 200, 0.9, 0.6), (40, 100, 0.05, 0.3)])
def test_the_interval_covers_as_often_as_it_says(n, m, p, q):
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(600):
        found = difference((rng.random(n) < p).astype(float), (rng.random(m) < q).astype(float))
        covered += found.low <= p - q <= found.high
    assert 0.925 <= covered / 600 <= 0.99


def test_too_few_rows_get_none():
    with pytest.raises(TooFewRows):
        difference([1.0] * 19, [0.0] * 50)
    with pytest.raises(TooFewRows):
        difference([0.5] * 30, [0.7] * 30)


def test_the_test_of_a_difference_holds_its_level_far_out_and_for_skewed_scores():
    rng = np.random.default_rng(4)
    for draw in (
        lambda n: (rng.random(n) < 0.1).astype(float),
        lambda n: rng.choice([0.0, 0.25, 1.0], n, p=[0.1, 0.1, 0.8]),
    ):
        p_values = np.array([difference_test(draw(25), draw(150))[0] for _ in range(2000)])
        assert (p_values <= 0.05).mean() <= 0.065 and (p_values <= 0.005).mean() <= 0.01
    assert difference_test([0.0] * 20 + [1.0] * 5, [1.0] * 100)[1] == "Fisher's exact test"
