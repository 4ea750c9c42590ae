"""Where experiments are kept: a row in the database, the answers in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import RowMapping, insert, select

from mainspring.evals.models import Experiment, ExperimentRow
from mainspring.evals.tables import experiments
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.ports import Files
from mainspring.kernel.records import paginate
from mainspring.kernel.tables import canonical, runs
from mainspring.kernel.tx import Tx


def write_rows(files: Files, rows: Iterable[ExperimentRow]) -> str:
    """Store rows as JSON lines in zstd and return the file's address."""
    import zstandard

    lines = "\n".join(canonical(row.model_dump()) for row in rows)
    return files.put(zstandard.ZstdCompressor(level=3).compress(lines.encode())).sha256


def read_rows(files: Files, sha256: str) -> Iterator[ExperimentRow]:
    """Yield the rows of a file that `write_rows` stored. Raises NotFound."""
    import zstandard

    for line in zstandard.ZstdDecompressor().decompress(files.read(sha256)).decode().split("\n"):
        if line:
            yield ExperimentRow.model_validate(json.loads(line))


def save(tx: Tx, experiment: Experiment) -> None:
    """Store an experiment; storing the same again changes nothing."""
    e = experiments.c
    if tx.execute(select(e.id).where(e.project == tx.project, e.id == experiment.id)).one_or_none() is None:
        tx.execute(insert(experiments).values(project=tx.project, **experiment.model_dump()))


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
    if state is not None:
        raise Conflict(f"The experiment {name} is {state}.", hint=f"`mainspring run get {name}` says more.")
    raise NotFound(f"There is no experiment '{name[:100]}'.", hint="`mainspring experiment list` shows what there is.")


def page(
    tx: Tx, *, name: str, dataset: str, target: str, limit: int, cursor: str
) -> tuple[list[Experiment], str | None]:
    """Return one page of experiments, newest first; empty filters match all, references match any selector."""
    query = select(experiments).where(experiments.c.project == tx.project)
    if name:
        query = query.where(experiments.c.name == name)
    for column, wanted in ((experiments.c.dataset, dataset), (experiments.c.target, target)):
        if wanted:
            exact = column == wanted
            query = query.where(exact if "@" in wanted else exact | column.startswith(f"{wanted}@", autoescape=True))
    rows, following = paginate(tx, query, experiments.c.id, limit, cursor)
    return [_shown(row) for row in rows], following


def _shown(row: RowMapping) -> Experiment:
    fields: dict[str, Any] = {field: row[field] for field in Experiment.model_fields}
    return Experiment(**fields)
