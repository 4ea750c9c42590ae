"""Agreement with people, and figures corrected for a judge's errors: known values, and coverage by simulation."""

import numpy as np
import pytest

from mainspring import stats


def test_kappa_equals_the_published_example():
    # Cohen (1960), table 1: 200 rows, kappa .492.
    table = np.array([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    first, second = (np.repeat(lines.ravel(), table.ravel()) for lines in np.indices((3, 3)))
    found = stats.agreement(first.tolist(), second.tolist(), 3)
    assert found.share == pytest.approx(0.70)
    assert found.kappa == pytest.approx(0.4915, abs=1e-3)
    assert found.kappa_low is not None
    assert found.kappa_low < found.kappa < found.kappa_high
    assert found.confusion == table.tolist()


def test_weights_forgive_near_misses():
    people = [0, 1, 2, 3, 4] * 10
    near = [min(4, step + 1) if step else 0 for step in people]
    plain, weighted = (stats.agreement(near, people, 5, weighted=way) for way in (False, True))
    assert plain.kappa < 0.5 < weighted.kappa


def test_chance_and_constancy_have_their_own_kappa():
    rng = np.random.default_rng(1)
    found = stats.agreement(rng.integers(0, 2, 4000).tolist(), rng.integers(0, 2, 4000).tolist(), 2)
    assert abs(found.kappa) < 0.06
    assert stats.agreement([1, 1, 1], [1, 1, 1], 2).kappa is None
    with pytest.raises(ValueError, match="outside 0 to 1"):
        stats.agreement([2], [0], 2)
    with pytest.raises(stats.TooFewRows):
        stats.agreement([], [], 2)


def judged(rng, p, n, right, wrong):
    """Draw what people say, and a judge who passes `right` of the good and `wrong` of the bad."""
    good = rng.random(n) < p
    said = np.where(good, rng.random(n) < right, rng.random(n) < wrong)
    return good.astype(float), said.astype(float)


@pytest.mark.parametrize(("p", "right", "wrong"), [(0.5, 0.9, 0.2), (0.8, 0.95, 0.4), (0.7, 0.6, 0.6), (0.7, 0.7, 0.0)])
@pytest.mark.parametrize("labels", [50, 150])
def test_prediction_powered_covers_whatever_the_judge(p, right, wrong, labels):
    rng, hits, trials = np.random.default_rng(2), 0, 0
    for _ in range(800):
        people, judge = judged(rng, p, labels, right, wrong)
        others = judged(rng, p, 600, right, wrong)[1]
        try:
            found = stats.prediction_powered(people, judge, others)
        except stats.TooFewRows:
            continue
        trials += 1
        hits += found.low <= p <= found.high
    assert trials > 720
    error = 2 * np.sqrt(0.95 * 0.05 / trials)
    assert 0.93 - error <= hits / trials <= 0.98 + error


@pytest.mark.parametrize(
    ("n", "p", "right", "wrong"), [(30, 0.9, 0.98, 0.1), (60, 0.9, 0.98, 0.1), (30, 0.5, 0.98, 0.02)]
)
def test_kappa_is_covered_where_hardly_anybody_disagrees(n, p, right, wrong):
    share = np.array([[(1 - p) * (1 - wrong), p * (1 - right)], [(1 - p) * wrong, p * right]])
    expected = float((share.sum(axis=1) * share.sum(axis=0)).sum())
    truth = (float(np.trace(share)) - expected) / (1 - expected)
    rng, hits, trials = np.random.default_rng(6), 0, 400
    for trial in range(trials):
        table = rng.multinomial(n, share.ravel()).reshape(2, 2)
        judge, people = (np.repeat(lines.ravel(), table.ravel()).tolist() for lines in np.indices((2, 2)))
        found = stats.agreement(judge, people, 2, seed=trial)
        hits += found.kappa_low is None or found.kappa_low <= truth <= found.kappa_high
    error = 2 * np.sqrt(0.95 * 0.05 / trials)
    assert 0.93 - error <= hits / trials <= 0.98 + error


def test_thirty_agreements_do_not_make_a_judge_perfect():
    found = stats.agreement([0] + [1] * 29, [0] + [1] * 29, 2)
    assert (found.kappa, found.kappa_high) == (1.0, 1.0)
    assert found.kappa_low < 0.6
    assert 0.8 < stats.agreement([0, 1] * 50, [0, 1] * 50, 2).kappa_low < 1.0


def test_rows_of_a_group_count_for_less_where_judges_are_compared():
    people = [0, 0, 0, 0, 1, 1, 1, 1] * 20
    judge = [0, 0, 0, 0, 1, 1, 1, 1] * 14 + [1, 1, 1, 1, 0, 0, 0, 0] * 6
    plain = stats.agreement(judge, people, 2)
    grouped = stats.agreement(judge, people, 2, [row // 4 for row in range(160)])
    assert grouped.kappa == plain.kappa
    assert grouped.kappa_high - grouped.kappa_low > 1.7 * (plain.kappa_high - plain.kappa_low)
    assert stats.agreement(judge, people, 2, [row // 16 for row in range(160)]).kappa_low is None


@pytest.mark.parametrize(("labels", "p", "right", "wrong"), [(40, 0.8, 0.98, 0.02), (150, 0.95, 0.99, 0.01)])
def test_a_good_judge_is_not_taken_for_a_perfect_one(labels, p, right, wrong):
    rng, hits, trials = np.random.default_rng(7), 0, 0
    for _ in range(400):
        people, judge = judged(rng, p, labels, right, wrong)
        try:
            found = stats.prediction_powered(people, judge, judged(rng, p, 2000, right, wrong)[1])
        except stats.TooFewRows:
            continue
        trials += 1
        hits += found.low <= p <= found.high
    assert hits / trials >= 0.95


@pytest.mark.parametrize(("size", "alike"), [(5, 0.5), (3, 0.9)])
def test_prediction_powered_covers_rows_that_come_in_groups(size, alike):
    rng, p, count, hits, trials = np.random.default_rng(8), 0.7, 125, 0, 500
    groups = np.repeat(np.arange(count), size)
    labelled = 25 * size
    for _ in range(trials):
        chance = rng.beta(p * (1 / alike - 1), (1 - p) * (1 / alike - 1), size=count)[groups]
        good = rng.random(len(groups)) < chance
        judge = np.where(good, rng.random(len(groups)) < 0.8, rng.random(len(groups)) < 0.3).astype(float)
        people = good.astype(float)
        found = stats.prediction_powered(people[:labelled], judge[:labelled], judge[labelled:], groups.tolist())
        hits += found.low <= p <= found.high
    error = 2 * np.sqrt(0.95 * 0.05 / trials)
    assert 0.93 - error <= hits / trials <= 0.98 + error
    with pytest.raises(stats.TooFewRows, match="groups"):
        stats.prediction_powered(people[:40], judge[:40], [], np.repeat(np.arange(10), 4).tolist())


def test_prediction_powered_covers_scores():
    rng, hits, trials = np.random.default_rng(3), 0, 800
    for _ in range(trials):
        truth = rng.beta(4, 2, 460)
        judge = np.clip(truth * 0.6 + 0.3 + rng.normal(0, 0.1, 460), 0, 1)
        found = stats.prediction_powered(truth[:60], judge[:60], judge[60:])
        hits += found.low <= 4 / 6 <= found.high
    error = 2 * np.sqrt(0.95 * 0.05 / trials)
    assert 0.93 - error <= hits / trials <= 0.98 + error


def test_a_good_judge_narrows_the_interval_and_a_bad_one_does_not_widen_it():
    rng = np.random.default_rng(4)
    people, judge = judged(rng, 0.7, 100, 0.97, 0.05)
    others = judged(rng, 0.7, 2000, 0.97, 0.05)[1]
    alone = stats.prediction_powered(people, judge, [])
    good = stats.prediction_powered(people, judge, others)
    coin = rng.integers(0, 2, 2100).astype(float)
    bad = stats.prediction_powered(people, coin[:100], coin[100:])
    assert good.high - good.low < 0.6 * (alone.high - alone.low)
    assert bad.high - bad.low < 1.05 * (alone.high - alone.low)


def test_few_labels_are_refused_with_the_number_that_would_do():
    with pytest.raises(stats.TooFewRows) as caught:
        stats.prediction_powered([1.0, 0.0] * 10, [1.0, 0.0] * 10, [1.0] * 50)
    assert caught.value.needed == 30
    with pytest.raises(stats.TooFewRows) as caught:
        stats.prediction_powered([1.0] * 39 + [0.0], [1.0] * 40, [1.0] * 50)
    assert caught.value.needed == 200


@pytest.mark.parametrize(("p", "right", "wrong"), [(0.5, 0.9, 0.2), (0.8, 0.95, 0.3), (0.3, 0.8, 0.1)])
def test_rogan_and_gladen_cover(p, right, wrong):
    rng, hits, trials = np.random.default_rng(5), 0, 1500
    for _ in range(trials):
        passed = int(judged(rng, p, 300, right, wrong)[1].sum())
        errors = {
            "right_passes": (int(rng.binomial(60, right)), 60),
            "right_fails": (60 - int(rng.binomial(60, wrong)), 60),
        }
        found = stats.rogan_gladen(passed, 300, **errors)
        hits += found.low <= p <= found.high
    error = 2 * np.sqrt(0.95 * 0.05 / trials)
    assert 0.93 - error <= hits / trials <= 0.98 + error


def test_rogan_and_gladen_equal_the_formula():
    found = stats.rogan_gladen(60, 100, right_passes=(90, 100), right_fails=(80, 100))
    assert found.estimate == pytest.approx((0.6 + 0.8 - 1) / (0.9 + 0.8 - 1))
    with pytest.raises(ValueError, match="better than chance"):
        stats.rogan_gladen(60, 100, right_passes=(50, 100), right_fails=(50, 100))
    with pytest.raises(stats.TooFewRows):
        stats.rogan_gladen(60, 100, right_passes=(5, 5), right_fails=(80, 100))
