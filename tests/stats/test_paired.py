"""Paired comparison: tests against scipy, coverage by simulation, and the verdict in words."""

import numpy as np
import pytest
from scipy import stats as reference

from mainspring import stats


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (5, 0), (9, 3), (4, 4), (40, 61)])
def test_mcnemar_equals_the_binomial_test(gained, lost):
    wanted = reference.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert stats.mcnemar(gained, lost) == pytest.approx(wanted)


def test_wilcoxon_equals_scipy():
    gaps = np.random.default_rng(0).normal(0.3, 1, 40)
    assert stats.wilcoxon(gaps) == pytest.approx(reference.wilcoxon(gaps).pvalue)
    assert stats.wilcoxon([0.0, 0.0]) == 1.0


def test_permutation_is_exact_on_few_rows_and_close_on_many():
    few = np.array([0.5, 1.0, -0.2, 0.7, 0.9])
    wanted = reference.permutation_test((few,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert stats.permutation(few) == pytest.approx(wanted)
    many = np.random.default_rng(1).normal(0.2, 1, 200)
    assert stats.permutation(many) == pytest.approx(reference.ttest_1samp(many, 0).pvalue, abs=0.01)


@pytest.mark.parametrize("n", [20, 35, 50, 100, 200])
@pytest.mark.parametrize(
    ("gain", "loss"),
    [(0.3, 0.05), (0.6, 0.0), (0.1, 0.1), (0.3, 0.3), (0.1, 0.03), (0.05, 0.0), (0.02, 0.0), (0.0, 0.0)],
)
def test_paired_proportions_cover(gain, loss, n):
    draws = np.random.default_rng(2).multinomial(n, [gain, loss, 1 - gain - loss], size=4000)
    found = [stats.paired_proportions(up, down, n) for up, down, _ in draws]
    coverage = np.mean([low <= gain - loss <= high for low, high in found])
    assert coverage >= 0.93
    assert coverage <= 0.985 or n * (gain + loss) < 6


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 100])
def test_the_interval_of_a_mean_difference_covers(n):
    rng, hits, trials = np.random.default_rng(12), 0, 400
    for trial in range(trials):
        base = rng.beta(4, 1, n)
        found = stats.compare_paired(base, base + rng.lognormal(-2, 1, n), seed=trial)
        hits += found.low is not None and found.low <= np.exp(-1.5) <= found.high
    error = 2 * np.sqrt(0.95 * 0.05 / trials)
    assert 0.93 - error <= hits / trials <= 0.98 + error


def test_the_tests_of_no_difference_alarm_as_seldom_as_promised():
    rng, trials = np.random.default_rng(13), 1000
    alarms = np.zeros(3)
    for trial in range(trials):
        gap = rng.laplace(size=30)
        up, down, _ = rng.multinomial(60, [0.15, 0.15, 0.7])
        p = stats.permutation(gap, seed=trial, permutations=300), stats.wilcoxon(gap), stats.mcnemar(int(up), int(down))
        alarms += np.array(p) < 0.05
    assert (alarms / trials <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)).all()
    assert (alarms[:2] / trials >= 0.03).all()


def test_too_few_pairs_of_zeros_and_ones_have_no_interval():
    found = stats.compare_paired([0.0] * 19, [1.0] * 19)
    assert (found.low, found.verdict, found.needed) == (None, "too few rows", 20)
    assert found.p_value < 0.001


def test_too_few_groups_of_zeros_and_ones_have_no_interval():
    groups = [str(i % 10) for i in range(60)]
    found = stats.compare_paired([0.0] * 60, [0.0, 1.0] * 30, groups)
    assert (found.low, found.verdict, found.needed) == (None, "too few rows", 120)


def test_a_clear_gain_is_better():
    rng = np.random.default_rng(3)
    base = rng.random(120)
    found = stats.compare_paired(base, base + rng.normal(0.1, 0.05, 120))
    assert found.verdict == "better"
    assert found.low is not None
    assert 0.08 < found.low < found.difference < found.high < 0.12
    assert found.p_value < 0.001
    assert found.sentence.startswith("Better: difference +0.1")


def test_the_direction_counts():
    rng = np.random.default_rng(4)
    slow = rng.lognormal(3, 0.2, 100)
    assert stats.compare_paired(slow, slow * 1.3, higher_is_better=False).verdict == "worse"
    assert stats.compare_paired(slow, slow * 0.7, higher_is_better=False).verdict == "better"


def test_every_row_gained_still_has_an_interval_of_some_width():
    found = stats.compare_paired(np.zeros(100), np.ones(100))
    assert found.verdict == "better"
    assert found.low is not None
    assert 0.9 < found.low < 1.0
    assert found.test == "McNemar, exact"


def test_few_rows_are_said_to_be_few_and_how_many_would_do():
    rng = np.random.default_rng(5)
    base = (rng.random(40) < 0.5).astype(float)
    other = (rng.random(40) < 0.5).astype(float)
    found = stats.compare_paired(base, other, margin=0.05)
    assert found.verdict == "too few rows"
    assert found.needed is not None
    assert found.needed > 1000
    assert f"about {found.needed} rows would do" in found.sentence


def test_many_rows_without_a_gap_show_no_difference():
    base = np.random.default_rng(6).random(3000)
    found = stats.compare_paired(base, np.roll(base, 1), margin=0.05)
    assert found.verdict == "no difference shown"
    assert found.needed is None


def test_under_thirty_scores_there_is_no_interval():
    found = stats.compare_paired([0.1, 0.3, 0.2], [0.4, 0.9, 0.5])
    assert (found.low, found.high, found.verdict, found.needed) == (None, None, "too few rows", 30)


def test_as_many_rows_as_an_interval_asks_for_are_not_said_to_do_where_they_would_show_nothing():
    before, after = [1.0] * 9 + [0.0] * 10, [0.0] * 4 + [1.0] * 10 + [0.0] * 5
    found = stats.compare_paired(before, after)
    assert (found.n, found.low) == (19, None)
    assert found.needed == stats.rows_needed(float(np.std(np.subtract(after, before), ddof=1)), 1 / 19)
    assert found.needed > 1000


def test_identical_columns_show_no_difference():
    base = np.random.default_rng(7).random(50)
    found = stats.compare_paired(base, base)
    assert (found.difference, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert found.verdict == "no difference shown"


def test_groups_make_the_verdict_more_careful():
    rng = np.random.default_rng(8)
    gap = np.repeat(rng.normal(0.02, 0.1, 25), 8)
    base = rng.random(200)
    groups = [str(i // 8) for i in range(200)]
    plain, grouped = stats.compare_paired(base, base + gap), stats.compare_paired(base, base + gap, groups)
    assert grouped.method == "studentised bootstrap over groups"
    assert grouped.high - grouped.low > 2 * (plain.high - plain.low)
    assert grouped.p_value > plain.p_value


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="3 rows of the baseline against 2"):
        stats.compare_paired([1, 2, 3], [1, 2])


def test_false_alarms_are_as_rare_as_promised():
    rng, alarms = np.random.default_rng(9), 0
    for _ in range(200):
        base = rng.beta(2, 3, 60)
        found = stats.compare_paired(base, np.clip(base + rng.normal(0, 0.2, 60), -1, 2))
        alarms += found.verdict in {"better", "worse"}
    assert alarms / 200 < 0.095


def test_planning_and_judging_agree():
    rows = stats.rows_needed(0.5, 0.1)
    assert rows == 197
    assert stats.detectable_difference(0.5, rows) == pytest.approx(0.1, rel=0.01)
    rng = np.random.default_rng(10)
    shown = reference.ttest_1samp(rng.normal(0.1, 0.5, (2000, rows)), 0, axis=1).pvalue < 0.05
    assert shown.mean() == pytest.approx(0.8, abs=0.03)
    assert stats.rows_needed_for_proportions(0.5, 0.6) == pytest.approx(388, abs=2)


def test_not_worse_asks_the_whole_interval():
    inside = stats.Interval(-0.01, -0.03, 0.01, 0.95, 200, "t")
    assert stats.not_worse(inside, 0.05)
    assert not stats.not_worse(inside, 0.02)
    assert stats.not_worse(inside, 0.02, higher_is_better=False)


def test_corrections_equal_published_values():
    p = [0.01, 0.04, 0.03, 0.005]
    assert stats.holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.benjamini_hochberg(p) == pytest.approx(reference.false_discovery_control(p))
    assert stats.holm([]) == []
