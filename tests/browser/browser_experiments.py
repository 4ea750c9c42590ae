"""Experiments of every kind: compared, imported, large, stopped, under way and failed."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from mainspring.evals.models import GivenRow
from mainspring.evals.service import Experiments
from mainspring.kernel import runs
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import runs as run_table
from mainspring.traces.service import Scores

MANY = 2_000


def make_runs_of_experiments(platform: Platform, dataset: str, prompt: str, base: str) -> str:
    """Leave one experiment under way and one failed; return the first one's id."""
    params = {"dataset": dataset, "target": base, "prompt": prompt, "split": "test", "scorers": ["json"]}
    with platform.begin() as tx:
        under_way = runs.create(tx, "experiment.run", {**params, "name": "nightly", "max_cost": 2.5}, [dataset])
        failed = runs.create(tx, "experiment.run", {**params, "name": "too-early"}, [dataset])
        progress = {"done": 21, "total": 60, "message": "asking", "metrics": {}}
        began = tx.now - timedelta(seconds=30)
        states: dict[str, dict[str, Any]] = {
            under_way.id: {"state": "running", "progress": progress, "started_at": began},
            failed.id: {
                "state": "failed",
                "started_at": began,
                "finished_at": tx.now,
                "error": {
                    "code": "unavailable",
                    "message": "The target answered no row.",
                    "hint": "Try one row first.",
                },
            },
        }
        for run_id, values in states.items():
            tx.execute(update(run_table).where(run_table.c.id == run_id).values(attempt=1, **values))
    return under_way.id


def make_more_experiments(platform: Platform, dataset: str, prompt: str, base: str, tuned: str) -> dict[str, str]:
    """Add a third candidate, one that its budget stopped, one of perplexity alone, and two large imported ones."""
    service = Experiments(platform)
    asked: dict[str, Any] = {"prompt": prompt, "scorers": ["json", "schema", "field:package"]}
    third = service.run(dataset, tuned, name="tuned-hot", temperature=0.7, seed=3, **asked).id
    service.run(dataset, tuned, name="capped", max_calls=20, temperature=0.2, **asked)
    draw = random.Random(11)
    alone = [GivenRow(row=f"p{n}", scores={"perplexity": draw.lognormvariate(2, 0.3)}) for n in range(60)]
    service.record("perplexity-alone", alone, dataset=dataset, target=base)
    before, after = ([_given(n, quality) for n in range(MANY)] for quality in (0.6, 0.7))
    large = [service.record(name, rows).id for name, rows in (("nightly-old", before), ("nightly-new", after))]
    return {"third": third, "old": large[0], "new": large[1]}


def make_scores_by_people(platform: Platform, baseline: str, candidate: str) -> None:
    """Have a person prefer most of the candidate's answers to 30 rows."""
    service, scores = Experiments(platform), Scores(platform)
    for experiment, good in ((baseline, 0), (candidate, 1)):
        for place, row in enumerate(service.rows(experiment, limit=30).items):
            scores.create("taste", trace_id=row.trace_id, number=float(good if place % 6 else 1 - good))


def _given(number: int, quality: float) -> GivenRow:
    draw = random.Random(number)
    place, words = draw.random(), f"Answer to question {number}, "
    good = place < quality
    return GivenRow(
        row=f"case-{number}",
        question=f"What does case {number} ask for?",
        reference=f"{words}plainly.",
        answer=f"{words}{'plainly.' if good else 'in too many words for anybody to read.'}",
        scores={"helpful": float(good), "penalty:wordy": 0.1 if good else 0.8 + place / 10},
    )
