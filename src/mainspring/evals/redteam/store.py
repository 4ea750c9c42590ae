"""Where runs of attacks are kept: a row in the database, the attacks in a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select

from mainspring.evals import store as experiments
from mainspring.evals.redteam.models import AttackResult, RedTeam
from mainspring.evals.redteam.tables import redteams
from mainspring.evals.tables import calls
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.ports import Files
from mainspring.kernel.records import paginate
from mainspring.kernel.tables import runs
from mainspring.kernel.tx import Tx
from mainspring.registry import grant_file

KIND = "redteam.run"
_HINT = "`mainspring redteam list` shows what there is."


def write(files: Files, found: Sequence[AttackResult]) -> str:
    """Store what came of attacks; return the file's address."""
    return experiments.write_rows(files, found)


def read(files: Files, sha256: str) -> list[AttackResult]:
    """Return what came of attacks, in their order. Raises NotFound."""
    return [AttackResult.model_validate(json.loads(line)) for line in experiments.lines(files, sha256)]


def save(tx: Tx, found: RedTeam) -> None:
    """Store a run of attacks; storing the same again changes nothing."""
    mine = (redteams.c.project == tx.project) & (redteams.c.id == found.id)
    if tx.execute(select(redteams.c.id).where(mine)).one_or_none() is None:
        tx.execute(insert(redteams).values(project=tx.project, **found.model_dump(mode="json") | {
            "created_at": found.created_at}))  # fmt: skip
        grant_file(tx, found.file)


def load(tx: Tx, name: str) -> RedTeam:
    """Return a run by its id, or the latest of a name. Raises NotFound, Conflict for one that is under way."""
    mine = redteams.c.project == tx.project
    for column in (redteams.c.id, redteams.c.name):
        query = select(redteams).where(mine, column == name).order_by(redteams.c.id.desc()).limit(1)
        row = tx.execute(query).mappings().one_or_none()
        if row is not None:
            return _shown(row)
    run = select(runs.c.state).where(runs.c.project == tx.project, runs.c.id == name, runs.c.kind == KIND)
    state = tx.execute(run).scalar_one_or_none()
    if state == "succeeded":
        raise NotFound(f"The attacks {name} were deleted.", hint=_HINT)
    if state is not None:
        raise Conflict(f"The attacks {name} are {state}.", hint=f"`mainspring run get {name}` says more.")
    raise NotFound(f"There are no attacks '{name[:100]}'.", hint=_HINT)


def page(tx: Tx, *, name: str, target: str, limit: int, cursor: str) -> tuple[list[RedTeam], str | None]:
    """Return one page of runs, newest first; a target without a version matches any."""
    query = select(redteams).where(redteams.c.project == tx.project)
    if name:
        query = query.where(redteams.c.name == name)
    if target:
        exact = redteams.c.target == target
        query = query.where(
            exact if "@" in target else exact | redteams.c.target.startswith(f"{target}@", autoescape=True)
        )
    rows, following = paginate(tx, query, redteams.c.id, limit, cursor)
    return [_shown(row) for row in rows], following


def remove(tx: Tx, found: RedTeam) -> bool:
    """Delete a run with the answers that it paid for; tell whether no other has its file."""
    tx.execute(delete(redteams).where(redteams.c.project == tx.project, redteams.c.id == found.id))
    tx.execute(delete(calls).where(calls.c.project == tx.project, calls.c.run_id == found.id))
    held = select(redteams.c.id).where(redteams.c.file == found.file).limit(1)
    return tx.execute(held).one_or_none() is None


def _shown(row: RowMapping) -> RedTeam:
    fields: dict[str, Any] = {name: row[name] for name in RedTeam.model_fields}
    return RedTeam(**fields)
