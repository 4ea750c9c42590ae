"""Runs: long work that survives a crash, with its state, progress and log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, insert, select, update

from mainspring.kernel import lineage
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.records import Record, paginate
from mainspring.kernel.tables import run_events, runs
from mainspring.kernel.tx import Tx

RunState = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
FINISHED: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})


class Progress(Record):
    """How far a run is."""

    done: float = 0
    total: float = 0
    """0 where it is not known."""
    message: str = ""
    metrics: dict[str, float] = {}


class Run(Record):
    """Long work, from its start to its end."""

    id: str
    kind: str
    """The job, such as `tune.sft`."""
    state: RunState
    params: dict[str, Any]
    result: Any = None
    error: dict[str, Any] | None = None
    """`code`, `message` and `hint` where it failed."""
    progress: Progress
    attempt: int
    created_at: datetime
    created_by: str
    started_at: datetime | None = None
    finished_at: datetime | None = None


class RunEvent(Record):
    """One line of a run's log, or one point of its metrics."""

    seq: int
    at: datetime
    kind: Literal["log", "progress"]
    body: dict[str, Any]


def create(tx: Tx, kind: str, params: dict[str, Any], inputs: Iterable[str] = ()) -> Run:
    """Queue a run; the worker picks it up once the transaction has committed."""
    caller = tx.caller
    row: dict[str, Any] = {
        "id": tx.new_id(),
        "project": tx.project,
        "kind": kind,
        "state": "queued",
        "params": params,
        "result": None,
        "error": None,
        "progress": Progress().model_dump(),
        "caller": _held(caller),
        "created_at": tx.now,
        "created_by": caller.member,
        "started_at": None,
        "finished_at": None,
        "attempt": 0,
    }
    tx.execute(insert(runs).values(**row))
    tx.platform.records.announce(tx.conn)
    lineage.link(tx, row["id"], inputs=inputs)
    return _run(row)


def get(tx: Tx, run_id: str) -> Run:
    """Return a run of the caller's project. Raises NotFound."""
    row = tx.execute(select(runs).where(runs.c.project == tx.project, runs.c.id == run_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no run {run_id[:64]}.", hint="`mainspring run list` shows what there is.")
    return _run(row)


def list_(
    tx: Tx, *, kind: str = "", state: str = "", limit: int = 100, cursor: str = ""
) -> tuple[list[Run], str | None]:
    """Return one page of runs, newest first."""
    query = select(runs).where(runs.c.project == tx.project)
    if kind:
        query = query.where(runs.c.kind == kind)
    if state:
        query = query.where(runs.c.state == state)
    rows, following = paginate(tx, query, runs.c.id, limit, cursor)
    return [_run(row) for row in rows], following


def cancel(tx: Tx, run_id: str) -> Run:
    """Ask a run to stop: a queued one is cancelled at once, a running one at its next check. Raises Conflict."""
    run = get(tx, run_id)
    if run.state in FINISHED:
        raise Conflict(f"Run {run_id} has {run.state}.", hint="Only a run that is under way can be cancelled.")
    queued = run.state == "queued"
    values = {"state": "cancelled", "finished_at": tx.now} if queued else {"state": "cancelling"}
    tx.execute(update(runs).where(runs.c.id == run_id, runs.c.state == run.state).values(**values))
    return get(tx, run_id)


def cancel_where(tx: Tx, unfit: Callable[[Mapping[str, Any]], bool]) -> int:
    """Ask the project's unfinished runs to stop whose starter `unfit` is true of; return how many.

    `unfit` is given `member`, `key_id`, `role` and `permissions` of whoever started or resumed the run.
    """
    query = select(runs.c.id, runs.c.caller).where(
        runs.c.project == tx.project, runs.c.state.in_(("queued", "running"))
    )
    found = [row.id for row in tx.execute(query).all() if unfit(row.caller)]
    for run_id in found:
        cancel(tx, run_id)
    return len(found)


def resume(tx: Tx, run_id: str) -> Run:
    """Queue a run again that failed or was cancelled; its finished steps are not repeated. Raises Conflict.

    It goes on with the rights of whoever resumes it, in the environment that it was started in.
    """
    run = get(tx, run_id)
    if run.state not in ("failed", "cancelled"):
        raise Conflict(f"Run {run_id} is {run.state}.", hint="Only a run that failed or was cancelled can be resumed.")
    began = tx.execute(select(runs.c.caller).where(runs.c.id == run_id)).scalar_one()["environment"]
    if began != tx.caller.environment:
        raise Conflict(f"Run {run_id} was started in the environment {began}.", hint="Resume it with a key of that.")
    values = {"state": "queued", "error": None, "finished_at": None, "caller": _held(tx.caller)}
    tx.execute(update(runs).where(runs.c.id == run_id).values(**values))
    tx.platform.records.announce(tx.conn)
    return get(tx, run_id)


def log(tx: Tx, run_id: str, kind: Literal["log", "progress"], body: dict[str, Any]) -> None:
    """Append to a run's log; only the process that executes the run does so."""
    last = tx.execute(select(func.max(run_events.c.seq)).where(run_events.c.run_id == run_id)).scalar_one()
    tx.execute(insert(run_events).values(run_id=run_id, seq=(last or 0) + 1, at=tx.now, kind=kind, body=body))


def events_of(tx: Tx, run_id: str, *, after: int = 0, limit: int = 100) -> Sequence[RunEvent]:
    """Return a run's log after a sequence number, oldest first. Raises NotFound."""
    get(tx, run_id)
    e = run_events.c
    query = select(run_events).where(e.run_id == run_id, e.seq > after).order_by(e.seq).limit(min(limit, 1000))
    return [RunEvent(**{name: row[name] for name in RunEvent.model_fields}) for row in tx.execute(query).mappings()]


def _held(caller: Caller) -> dict[str, Any]:
    return {
        "member": caller.member,
        "key_id": caller.key_id,
        "environment": caller.environment,
        "role": caller.role,
        "permissions": sorted(caller.permissions),
        "models": caller.models,
    }


def _run(row: Any) -> Run:
    return Run(**{name: row[name] for name in Run.model_fields})
