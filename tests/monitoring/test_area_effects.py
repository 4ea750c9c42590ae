"""Areas on pure noise: none is shown to do worse beyond the stated rate; a planted one is."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.monitoring.areas.finding import asked_by, grouped
from mainspring.monitoring.areas.gathering import Bad, Seen
from mainspring.monitoring.areas.measuring import Region, effects
from mainspring.monitoring.areas.models import FindSettings


def look(rng, *, calls=500, topics=0, scale="share", planted=0.0):
    """Search once among calls whose scores do not depend on what is asked, or are lower by `planted` in one topic.

    Without topics the questions lie anywhere, so that every group is made by chance. Returns the groups and effects.
    """
    of = rng.integers(0, max(1, topics), calls)
    points = np.eye(topics)[of] + rng.normal(0, 0.15, (calls, topics)) if topics else rng.normal(size=(calls, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    vectors = {str(at): points[at] for at in range(calls)}
    chance = np.where(of == 0, planted, 0.0) if topics else np.zeros(calls)
    good = rng.random(calls) < 0.75 - chance
    scores = good.astype(float) if scale == "share" else np.where(good, 1.0, rng.choice([0.0, 0.25, 0.5], calls))
    units = [f"{rng.integers(1 << 60):x}" for _ in range(calls)]
    seen = [Seen(str(at), str(at), False, 0, units[at]) for at in range(calls)]
    bad = [
        Bad(str(at), 0, "", "scores", "helpful", scores[at], str(at), str(at), units[at])
        for at in range(calls)
        if scores[at] <= 0.5
    ]
    settings = FindSettings()
    groups = grouped(bad, vectors, settings)
    regions = [Region("helpful", asked_by(group, vectors), 1, group.apart) for group in groups]
    values = {"helpful": {str(at): float(scores[at]) for at in range(calls)}}
    return of, groups, effects(regions, seen, values, vectors, settings.near)


def false_share(looks, seed, **how):
    rng = np.random.default_rng(seed)
    found = [look(rng, **how)[2] for _ in range(looks)]
    assert sum(one.p_value is not None for told in found for one in told) > looks, "areas are measured at all"
    return sum(any(one.shown for one in told) for told in found) / looks


@pytest.mark.parametrize("how", [{"topics": 12}, {"topics": 0}, {"topics": 0, "scale": "steps"}], ids=str)
def test_on_pure_noise_areas_are_falsely_shown_at_most_as_often_as_stated(how):
    assert false_share(60, 3, **how) <= 0.12, "5 % of 60, and what chance adds to it in 99 of 100 runs"


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"topics": 12}, {"topics": 0}, {"topics": 0, "scale": "steps"}], ids=str)
def test_on_pure_noise_over_many_looks(how):
    assert false_share(1000, 5, **how) <= 0.066, "5 % of 1,000, and what chance adds to it in 99 of 100 runs"


def test_intervals_of_all_areas_hold_together():
    rng = np.random.default_rng(9)
    missed = looks = 0
    for _ in range(60):
        _, _, told = look(rng, topics=12)
        measured = [one for one in told if one.low is not None]
        looks += bool(measured)
        missed += any(not one.low <= 0 <= one.high for one in measured)
    assert looks > 50 and missed / looks <= 0.12


def test_a_planted_area_is_found_and_no_other():
    found = wrong = 0
    for seed in range(20):
        of, groups, told = look(np.random.default_rng(seed), topics=8, calls=800, planted=0.5)
        for group, effect in zip(groups, told, strict=True):
            ours = np.mean([of[int(one.trace_id)] == 0 for one in group.members]) > 0.5
            found += effect.shown and ours
            wrong += effect.shown and not ours
    assert found >= 18 and wrong <= 2
