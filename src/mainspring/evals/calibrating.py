"""The job that calibrates a judge."""

from __future__ import annotations

from mainspring.data import rows as dataset_rows
from mainspring.evals import calibration, store
from mainspring.evals.judging import Judging
from mainspring.evals.models import ExperimentRow
from mainspring.evals.questions import contexts
from mainspring.evals.repeats import as_units
from mainspring.evals.scorers import metric
from mainspring.evals.scorers.judges import load
from mainspring.evals.scoring import answer_of
from mainspring.kernel import versions
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.ports import JSON

KIND = "scorer.calibrate"


@job(KIND)
def run(task: Job) -> JSON:
    """Have judged what people judged, compare, and store the calibration."""
    p = task.params
    with task.read() as tx:
        ref, judge = load(tx, p["judge"].partition("/")[2])
        experiment = store.load(tx, p["experiment"])
        rows = as_units(list(store.read_rows(task.platform.files, experiment.file)))
        people = calibration.human_values(tx, rows, p["human"], judge.steps)
    name = f"judge:{ref.partition('/')[2]}"
    judged = {row.row: value for row in rows if (value := row.scores.get(name)) is not None}
    missing = [row for row in rows if row.row in people and row.row not in judged]
    if missing:
        task.log(f"{len(missing)} rows are judged now")
        passages = _passages(task, experiment.dataset, missing) if "contexts" in judge.shows else {}
        answers = [answer_of(row, passages.get(row.row, ())) for row in missing]
        for row, value in zip(missing, metric(name).values(Judging(task).bench(), answers), strict=True):
            if value is not None:
                judged[row.row] = value
    found = calibration.calibrate(judge, ref, experiment, rows, judged, people, human=p["human"])
    with task.begin() as tx:
        content = found.model_dump(mode="json", exclude={"ref", "created_at", "created_by", "existed"})
        stored = versions.commit(tx, "calibration", ref.partition("/")[2].partition("@")[0], content)
    return {**content, "ref": stored.ref}


def _passages(task: Job, dataset: str, rows: list[ExperimentRow]) -> dict[str, tuple[str, ...]]:
    """Return the passages of the dataset's rows, by row id."""
    if not dataset:
        return {}
    with task.read() as tx:
        content = versions.resolve(tx, dataset, "dataset").content
    wanted = {row.row for row in rows}
    every = dataset_rows.read(task.platform.files, content)
    return {row.id: contexts(row.meta.get("contexts")) for row in every if row.id in wanted}
