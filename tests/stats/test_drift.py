"""Drift: two samples from one source raise no alarm, shifted ones do."""

import numpy as np
import pytest
from scipy import stats as reference
from scipy.spatial.distance import jensenshannon

from mainspring.stats import drift


def test_mmd_sees_a_shift_and_sizes_it():
    rng = np.random.default_rng(0)
    left = rng.normal(size=(300, 32))
    near, far = rng.normal(size=(300, 32)) + 0.15, rng.normal(size=(300, 32)) + 1.0
    small, large = drift.mmd(left, near, permutations=300), drift.mmd(left, far, permutations=300)
    assert small.p_value < 0.01
    assert large.p_value < 0.01
    assert 0 < small.effect < large.effect <= 1
    assert (large.n_reference, large.n_current) == (300, 300)


def test_mmd_sees_a_change_that_no_single_axis_shows():
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(400, 1))
    right = np.concatenate([shared, shared + 0.1 * rng.normal(size=(400, 1))], axis=1)
    assert drift.mmd(rng.normal(size=(400, 2)), right, permutations=200).p_value < 0.01


def test_mmd_is_silent_as_often_as_promised():
    rng = np.random.default_rng(2)
    found = [drift.mmd(rng.normal(size=(80, 8)), rng.normal(size=(50, 8)), permutations=99) for _ in range(200)]
    assert np.mean([result.p_value <= 0.05 for result in found]) < 0.1
    assert np.median([result.effect for result in found]) < 0.06


def test_mmd_repeats_itself_by_seed():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(40, 4)), rng.normal(size=(30, 4))
    assert drift.mmd(x, y, seed=5, permutations=99) == drift.mmd(x, y, seed=5, permutations=99)


@pytest.mark.parametrize(
    ("x", "y"), [(np.ones((3, 2)), np.ones((9, 2))), (np.ones((9, 2)), np.ones((9, 3))), (np.full((9, 2), np.nan),) * 2]
)
def test_mmd_refuses_what_it_cannot_compare(x, y):
    with pytest.raises(ValueError, match=r"vectors|finite"):
        drift.mmd(x, y)


def test_samples_of_one_point_do_not_differ():
    result = drift.mmd(np.ones((10, 3)), np.ones((10, 3)), permutations=99)
    assert result.p_value == 1.0
    assert result.effect < 0.001


def test_ks_equals_scipy():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=90), rng.normal(0.5, 1, 70)
    wanted = reference.ks_2samp(x, y)
    assert drift.ks(x, y).p_value == pytest.approx(wanted.pvalue)


def test_psi_reads_as_custom_has_it():
    rng = np.random.default_rng(5)
    x = rng.normal(size=5000)
    assert drift.psi(x, rng.normal(size=5000)) < 0.02
    assert drift.psi(x, rng.normal(1.0, 1, 5000)) > 0.25


def test_categories():
    x, y = ["a"] * 60 + ["b"] * 40, ["a"] * 30 + ["b"] * 50 + ["c"] * 20
    wanted = reference.chi2_contingency([[60, 40, 0], [30, 50, 20]], correction=False)
    found = drift.chi_square(x, y)
    assert found.p_value == pytest.approx(wanted.pvalue)
    assert drift.jensen_shannon(x, y) == pytest.approx(jensenshannon([0.6, 0.4, 0], [0.3, 0.5, 0.2], base=2))
    assert drift.chi_square(["a"], ["a"]).p_value == 1.0
    assert drift.jensen_shannon(["a"], ["b"]) == pytest.approx(1.0)
