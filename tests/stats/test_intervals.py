"""Intervals against reference implementations and, by simulation, against their promise."""

from functools import lru_cache

import numpy as np
import pytest
from scipy import stats as reference

from mainspring import stats


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (1, 20), (19, 20), (20, 20), (37, 100), (999, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_equals_scipy(successes, n, level):
    found = stats.wilson(successes, n, level=level)
    wanted = reference.binomtest(successes, n).proportion_ci(level, method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-12)
    assert found.estimate == successes / n
    assert found.n == n


def test_t_interval_equals_scipy():
    values = np.random.default_rng(1).normal(size=17)
    wanted = reference.ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = stats.t_interval(values)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


def test_bca_equals_scipy():
    values = np.random.default_rng(2).exponential(size=60)
    found = stats.bootstrap_mean(values, resamples=20_000)
    wanted = reference.bootstrap((values,), np.mean, n_resamples=20_000, rng=3, method="BCa").confidence_interval
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=0.02)


def test_bca_of_a_ratio_lies_around_it():
    rng = np.random.default_rng(4)
    hits, size = rng.poisson(3, 80).astype(float), rng.poisson(9, 80).astype(float) + 1
    found = stats.bca_interval(80, lambda rows: float(hits[rows].sum() / size[rows].sum()), resamples=500)
    assert found.low < hits.sum() / size.sum() < found.high
    assert found.high - found.low < 0.2


@pytest.mark.parametrize("values", [[], [0.5], [0.1 * i for i in range(29)]])
def test_too_few_rows_are_refused_with_the_number_that_would_do(values):
    with pytest.raises(stats.TooFewRows) as caught:
        stats.studentised_interval(values)
    assert caught.value.needed == 30


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (19, 20), (34, 34)])
def test_a_share_of_few_rows_has_no_interval(successes, n):
    with pytest.raises(stats.TooFewRows) as caught:
        stats.proportion(successes, n)
    assert caught.value.needed == 35
    with pytest.raises(ValueError, match="40 successes of 39"):
        stats.proportion(40, 39)


def test_a_column_almost_constant_is_refused():
    with pytest.raises(stats.TooFewRows) as caught:
        stats.studentised_interval([0.0] * 38 + [0.4, 0.7])
    assert caught.value.needed == 200


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        stats.t_interval([1.0, float("nan")])


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(5).lognormal(size=40)
    assert stats.studentised_interval(values, seed=9) == stats.studentised_interval(values, seed=9)


def test_mean_interval_takes_the_interval_of_a_share_for_zeros_and_ones():
    assert stats.mean_interval([1.0, 0.0] * 20) == stats.wilson(20, 40)
    assert stats.mean_interval([1.0] * 39 + [0.0]) == stats.agresti_coull(39, 40)
    assert stats.mean_interval(np.linspace(0, 1, 30)).method == "studentised bootstrap"


def test_groups_widen_an_interval_where_rows_of_a_group_are_alike():
    rng = np.random.default_rng(6)
    groups = [f"g{i // 5}" for i in range(200)]
    alike = np.repeat(rng.random(40), 5) + rng.normal(0, 0.01, 200)
    plain, grouped = stats.mean_interval(alike), stats.mean_interval(alike, groups)
    assert grouped.high - grouped.low > 1.8 * (plain.high - plain.low)
    right = (alike > 0.5).astype(float)
    plain, grouped = stats.mean_interval(right), stats.mean_interval(right, groups)
    assert grouped.high - grouped.low > 1.8 * (plain.high - plain.low)


def test_rows_without_a_group_stand_alone():
    values = np.random.default_rng(7).random(30)
    assert stats.mean_interval(values, [""] * 30) == stats.mean_interval(values)


@lru_cache(maxsize=32)
def ends(method, n: int):
    found = [method(k, n) for k in range(n + 1)]
    return np.array([one.low for one in found]), np.array([one.high for one in found])


def exact_coverage(method, p: float, n: int) -> float:
    """By summing the binomial: no simulation."""
    low, high = ends(method, n)
    return float(reference.binom.pmf(np.arange(n + 1), n, p)[(low <= p) & (p <= high)].sum())


@pytest.mark.parametrize("n", [20, 50, 100, 400])
def test_wilson_covers_on_average_over_proportions(n):
    shares = np.linspace(0.02, 0.98, 97)
    coverage = [exact_coverage(stats.wilson, float(p), n) for p in shares]
    assert 0.94 <= np.mean(coverage) <= 0.965
    assert min(coverage) > 0.84


@pytest.mark.parametrize("n", [35, 40, 50, 75, 100, 200, 400])
def test_a_share_is_covered_whatever_it_is(n):
    rare = 1.65 / n
    inner, outer = np.linspace(0.5, 1 - rare, 400), np.linspace(1 - rare, 0.9999, 100)
    inside = [exact_coverage(stats.proportion, float(p), n) for p in inner]
    assert round(min(inside), 3) >= 0.93
    assert max(inside) <= 0.98
    assert min(exact_coverage(stats.proportion, float(p), n) for p in outer) >= 0.93


SAMPLERS = {
    "normal": (lambda rng, n: rng.normal(size=n), 0.0),
    "uniform": (lambda rng, n: rng.random(n), 0.5),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0),
    "lognormal": (lambda rng, n: rng.lognormal(size=n), float(np.exp(0.5))),
    "half zeros": (lambda rng, n: rng.beta(2, 2, size=n) * (rng.random(n) < 0.5), 0.25),
}


def held(hits: float, trials: int) -> bool:
    """Tell whether the share found may come of a coverage between 93 and 98 %: two standard errors are allowed."""
    error = 2 * np.sqrt(0.95 * 0.05 / trials)
    return 0.93 - error <= hits / trials <= 0.98 + error


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 50, 100])
@pytest.mark.parametrize("shape", SAMPLERS)
def test_studentised_bootstrap_covers(shape, n):
    draw, truth = SAMPLERS[shape]
    rng, hits, trials = np.random.default_rng(11), 0, 0
    for trial in range(500):
        try:
            found = stats.studentised_interval(draw(rng, n), seed=trial, resamples=600)
        except stats.TooFewRows:
            continue
        trials += 1
        hits += found.low <= truth <= found.high
    assert trials > 450
    assert held(hits, trials), hits / trials


@pytest.mark.parametrize("n", [10, 50])
def test_t_interval_covers_what_is_normal(n):
    rng, hits, trials = np.random.default_rng(15), 0, 2000
    for _ in range(trials):
        found = stats.t_interval(rng.normal(3.0, 2.0, n))
        hits += found.low <= 3.0 <= found.high
    assert held(hits, trials)


@pytest.mark.slow
@pytest.mark.parametrize("count", [20, 40])
@pytest.mark.parametrize("shape", ["normal", "exponential", "lognormal"])
def test_intervals_over_groups_cover_where_rows_are_alike(shape, count):
    draw, truth = SAMPLERS[shape]
    rng, trials, hits = np.random.default_rng(12), 500, np.zeros(2)
    for trial in range(trials):
        sizes = rng.geometric(0.3, size=count)
        groups = np.repeat(np.arange(count), sizes)
        values = draw(rng, count)[groups] + 0.5 * rng.normal(size=len(groups))
        found = (
            stats.clustered_interval(values, groups.tolist()),
            stats.studentised_interval(values, groups.tolist(), seed=trial, resamples=600),
        )
        hits += [interval.low <= truth <= interval.high for interval in found]
    assert held(hits[1], trials)
    assert held(hits[0], trials) or shape != "normal"


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 60])
def test_bca_covers_a_ratio_of_sums(n):
    rng, hits, trials = np.random.default_rng(16), 0, 400
    for trial in range(trials):
        size = rng.poisson(9, n) + 1.0
        right = rng.binomial(size.astype(int), 0.35).astype(float)
        found = stats.bca_interval(
            n, lambda rows, a=right, b=size: float(a[rows].sum() / b[rows].sum()), seed=trial, resamples=400
        )
        hits += found.low <= 0.35 <= found.high
    assert held(hits, trials)


def test_few_groups_are_refused():
    values = np.random.default_rng(13).random(60)
    with pytest.raises(stats.TooFewRows, match="15 groups are too few"):
        stats.studentised_interval(values, [str(i % 15) for i in range(60)])
    with pytest.raises(stats.TooFewRows, match="at least 10"):
        stats.clustered_interval(values, [str(i % 6) for i in range(60)])


@pytest.mark.parametrize("count", [20, 30, 60])
@pytest.mark.parametrize("p", [0.5, 0.8, 0.9])
def test_a_grouped_proportion_is_covered(p, count):
    alike = 0.3
    rng, trials, hits = np.random.default_rng(14), 800, 0
    for _ in range(trials):
        groups = np.repeat(np.arange(count), rng.integers(1, 8, size=count))
        chance = rng.beta(p * (1 / alike - 1), (1 - p) * (1 / alike - 1), size=count)[groups]
        found = stats.mean_interval((rng.random(len(groups)) < chance).astype(float), groups.tolist())
        hits += found.low <= p <= found.high
    assert held(hits, trials)
