"""Where experiments are kept: a row in the database, the answers in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update

from mainspring.evals.models import Experiment, ExperimentRow
from mainspring.evals.tables import calls, experiments
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.ports import Files
from mainspring.kernel.records import Record, paginate
from mainspring.kernel.tables import canonical, runs
from mainspring.kernel.tx import Tx
from mainspring.registry import grant_file


def write_rows(files: Files, rows: Iterable[Record]) -> str:
    """Store rows as JSON lines in zstd and return the file's address."""
    import zstandard

    lines = "\n".join(canonical(row.model_dump()) for row in rows)
    return files.put(zstandard.ZstdCompressor(level=3).compress(lines.encode())).sha256


def read_rows(files: Files, sha256: str) -> Iterator[ExperimentRow]:
    """Yield the rows of a file that `write_rows` stored. Raises NotFound."""
    for line in lines(files, sha256):
        yield ExperimentRow.model_validate(json.loads(line))


def lines(files: Files, sha256: str) -> list[str]:
    """Return the lines of a file of rows, each the JSON of one. Raises NotFound."""
    import zstandard

    text = zstandard.ZstdDecompressor().decompress(files.read(sha256)).decode()
    return [line for line in text.split("\n") if line]


def held_against(tx: Tx, experiment: Experiment, baseline: str) -> Experiment:
    """Note which experiment another was held against."""
    mine = (experiments.c.project == tx.project) & (experiments.c.id == experiment.id)
    tx.execute(update(experiments).where(mine).values(baseline=baseline))
    return experiment.model_copy(update={"baseline": baseline})


def matching(
    lines: Iterable[str], errors: bool, query: str, metric: str, at_most: float | None, at_least: float | None
) -> list[ExperimentRow]:
    """Return the rows that fit: without an answer, with a text in them, with a score within bounds."""
    wanted = query.lower()
    found = []
    for line in lines:
        row = json.loads(line)
        score = row["scores"].get(metric)
        if errors and not row["error"]:
            continue
        if metric and (score is None or not _within(score, at_most, at_least)):
            continue
        if wanted and wanted not in canonical([row["messages"], row["reference"], row["answer"], row["row"]]).lower():
            continue
        found.append(ExperimentRow.model_validate(row))
    return found


def _within(score: float, at_most: float | None, at_least: float | None) -> bool:
    return (at_most is None or score <= at_most) and (at_least is None or score >= at_least)


def remove(tx: Tx, experiment: Experiment) -> bool:
    """Delete an experiment with the answers that it paid for; tell whether no other has its file of rows."""
    e = experiments.c
    tx.execute(delete(experiments).where(e.project == tx.project, e.id == experiment.id))
    tx.execute(delete(calls).where(calls.c.project == tx.project, calls.c.run_id == experiment.id))
    return tx.execute(select(e.id).where(e.file == experiment.file).limit(1)).one_or_none() is None


def save(tx: Tx, experiment: Experiment) -> None:
    """Store an experiment, whose file the project holds from then on; storing the same again changes nothing."""
    e = experiments.c
    if tx.execute(select(e.id).where(e.project == tx.project, e.id == experiment.id)).one_or_none() is None:
        tx.execute(insert(experiments).values(project=tx.project, **experiment.model_dump()))
        grant_file(tx, experiment.file)


def load(tx: Tx, name: str) -> Experiment:
    """Return an experiment by its id, or the latest of a name. Raises NotFound, Conflict for one that still runs."""
    mine = experiments.c.project == tx.project
    for column in (experiments.c.id, experiments.c.name):
        query = select(experiments).where(mine, column == name).order_by(experiments.c.id.desc()).limit(1)
        row = tx.execute(query).mappings().one_or_none()
        if row is not None:
            return _shown(row)
    run = select(runs.c.state).where(runs.c.project == tx.project, runs.c.id == name, runs.c.kind == "experiment.run")
    state = tx.execute(run).scalar_one_or_none()
    if state == "succeeded":
        raise NotFound(f"The experiment {name} was deleted.", hint="`mainspring experiment list` shows what there is.")
    if state is not None:
        raise Conflict(f"The experiment {name} is {state}.", hint=f"`mainspring run get {name}` says more.")
    raise NotFound(f"There is no experiment '{name[:100]}'.", hint="`mainspring experiment list` shows what there is.")


def page(
    tx: Tx, *, name: str, dataset: str, target: str, prompt: str, suite: str, limit: int, cursor: str
) -> tuple[list[Experiment], str | None]:
    """Return one page of experiments, newest first; empty filters match all, references match any selector."""
    query = select(experiments).where(experiments.c.project == tx.project)
    if name:
        query = query.where(experiments.c.name == name)
    e = experiments.c
    for column, wanted in ((e.dataset, dataset), (e.target, target), (e.prompt, prompt), (e.suite, suite)):
        if wanted:
            exact = column == wanted
            query = query.where(exact if "@" in wanted else exact | column.startswith(f"{wanted}@", autoescape=True))
    rows, following = paginate(tx, query, experiments.c.id, limit, cursor)
    return [_shown(row) for row in rows], following


def _shown(row: RowMapping) -> Experiment:
    fields: dict[str, Any] = {field: row[field] for field in Experiment.model_fields}
    return Experiment(**fields)
