"""Planning a comparison: rows for a difference, and the difference that rows show."""

import pytest

from mainspring.evals import Experiments, GivenRow
from mainspring.kernel.errors import Invalid


@pytest.fixture
def experiments(platform):
    return Experiments(platform)


def test_rows_and_difference_are_each_the_others_inverse(experiments):
    # By hand: (1.96 + .8416)² (.5 · .5 + .4 · .6) / .1², of two sides that have nothing to do with each other.
    found = experiments.plan(difference=0.1, share=0.6)
    assert found.rows_needed == pytest.approx(385, abs=1)
    assert experiments.plan(difference=0.1, share=0.6, correlation=0.5).rows_needed < 200
    back = experiments.plan(rows=found.rows_needed, share=0.6)
    assert back.detectable == pytest.approx(0.1, rel=0.01)
    assert "80% power" in back.sentence and back.rows_needed is None
    assert experiments.plan(rows=50, share=1.0).detectable > 0.02


def test_variation_is_learned_from_what_was_measured(experiments):
    for name, lost in (("one", 50), ("two", 40)):
        rows = [GivenRow(row=f"r{n}", scores={"quality": float(n >= lost)}) for n in range(100)]
        metric = experiments.record(name, rows).figures[0].metric
    alone = experiments.plan(difference=0.1, experiment="one", metric=metric).rows_needed
    paired = experiments.plan(difference=0.1, experiment="two", against="one", metric=metric).rows_needed
    # Apart: variance .25 a side. Paired: only ten of a hundred rows differ, .1 - .01.
    assert alone == pytest.approx(396, abs=2) and paired == pytest.approx(72, abs=2)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"share": 0.5}, "Nothing to reckon"), ({"rows": 50}, "how scores vary"),
     ({"rows": 50, "share": 0.5, "experiment": "x", "metric": "exact"}, "how scores vary")],
)  # fmt: skip
def test_a_plan_says_what_it_lacks(experiments, given, message):
    with pytest.raises(Invalid, match=message):
        experiments.plan(**given)
