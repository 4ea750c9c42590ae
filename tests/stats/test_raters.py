"""Agreement of raters: published examples, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.stats import fleiss_kappa, krippendorff_alpha
from mainspring.stats.intervals import TooFewRows

# Krippendorff (2011), example C: four observers, twelve units, some left out.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
UNITS = [[float(one[at]) for one in OBSERVERS if one[at] is not None] for at in range(12)]
# Fleiss (1971) on fourteen raters, ten units and five categories, as textbooks print it.
COUNTS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


@pytest.mark.parametrize(("scale", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_the_published_one(scale, published):
    found = krippendorff_alpha(UNITS, scale)
    assert found.value == pytest.approx(published, abs=5e-4)
    assert (found.units, found.ratings, found.low) == (11, 40, None)


def test_fleiss_is_the_published_one():
    found = fleiss_kappa([[float(at) for at, count in enumerate(row) for _ in range(count)] for row in COUNTS])
    assert found.value == pytest.approx(0.210, abs=5e-4)


@given(st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=4), min_size=2, max_size=12))
def test_alpha_does_not_depend_on_the_order_of_raters_or_units(units):
    forwards = krippendorff_alpha(units, "ordinal").value
    backwards = krippendorff_alpha([unit[::-1] for unit in units[::-1]], "ordinal").value
    assert forwards == pytest.approx(backwards) if forwards is not None else backwards is None
    assert forwards is None or forwards <= 1 + 1e-12


def test_what_cannot_be_told_is_not_told():
    assert krippendorff_alpha([[1, 1], [1, 1]]).value is None
    with pytest.raises(TooFewRows):
        krippendorff_alpha([[1], [2]])
    with pytest.raises(ValueError, match="different values"):
        krippendorff_alpha([[float(at), float(at) + 0.5] for at in range(200)])
    with pytest.raises(ValueError, match="same number"):
        fleiss_kappa([[1, 2], [1, 2, 3]])
    # Nearly no dispute: a bootstrap would claim to be surer than it can be.
    assert krippendorff_alpha([[1, 1]] * 30 + [[0, 0]] * 30 + [[0, 1]] * 4).low is None


def test_the_interval_covers():
    rng = np.random.default_rng(5)

    def rated(n):
        truth = rng.random(n) < 0.4
        return np.where(rng.random((3, n)) < 0.85, truth, ~truth).astype(float).T.tolist()

    expected = krippendorff_alpha(rated(20_000)).value
    covered = [
        found.low <= expected <= found.high
        for found in (krippendorff_alpha(rated(80), seed=seed) for seed in range(150))
        if found.low is not None
    ]
    assert len(covered) == 150
    assert np.mean(covered) >= 0.9
