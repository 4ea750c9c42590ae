"""Jobs: the functions that runs execute, in the worker, at least once and with their finished steps remembered."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import insert, select, update

from mainspring.kernel import access, events, lineage
from mainspring.kernel import runs as run_store
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import Cancelled, Invalid, MainspringError
from mainspring.kernel.ports import JSON
from mainspring.kernel.tables import run_steps, runs
from mainspring.kernel.tx import Tx

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform

_log = logging.getLogger(__name__)
JobFunction = Callable[["Job"], JSON]
_jobs: dict[str, JobFunction] = {}


def job(kind: str) -> Callable[[JobFunction], JobFunction]:
    """Register the function that executes runs of a kind; what it returns (JSON) becomes the run's result."""

    def register(function: JobFunction) -> JobFunction:
        _jobs[kind] = function
        return function

    return register


class Job:
    """What a job's function is given."""

    def __init__(self, platform: Platform, run_id: str, params: Mapping[str, Any], caller: Caller) -> None:
        self.platform = platform
        self.run_id = run_id
        self.params = params
        self.caller = caller
        self._reported = 0.0

    @property
    def workdir(self) -> Path:
        """A folder of the run's own, kept across restarts and resumption."""
        folder = self.platform.home / "runs" / self.run_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def begin(self) -> AbstractContextManager[Tx]:
        """Open a write transaction on behalf of who started the run."""
        return self.platform.begin()

    def read(self) -> AbstractContextManager[Tx]:
        """Open a consistent read on behalf of who started the run."""
        return self.platform.read()

    def step(self, key: str, work: Callable[[], JSON]) -> JSON:
        """Do `work` and remember its JSON result under `key`; later calls, after a crash too, return that result.

        A crash between the work and the remembering repeats the work: it must bear that.
        """
        mine = (run_steps.c.run_id == self.run_id) & (run_steps.c.key == key)
        with self.read() as tx:
            done = tx.execute(select(run_steps.c.result).where(mine)).one_or_none()
        if done is not None:
            return done[0]
        self.check_cancelled()
        result = work()
        with self.begin() as tx:
            tx.execute(insert(run_steps).values(run_id=self.run_id, key=key, result=result, at=tx.now))
        return result

    def progress(self, done: float, total: float, message: str = "", **metrics: float) -> None:
        """Say how far the run is. Calls closer than 0.2 s are dropped, but for the last (`done` = `total`)."""
        now = time.monotonic()
        if now - self._reported < 0.2 and done != total:
            return
        self._reported = now
        state = run_store.Progress(done=done, total=total, message=message[:500], metrics=metrics).model_dump()
        with self.begin() as tx:
            tx.execute(update(runs).where(runs.c.id == self.run_id).values(progress=state))
            run_store.log(tx, self.run_id, "progress", state)

    def log(self, text: str, **more: JSON) -> None:
        """Append a line to the run's log, with what it tells in fields."""
        with self.begin() as tx:
            run_store.log(tx, self.run_id, "log", {"text": text[:10_000], **more})

    def link(self, *, inputs: tuple[str, ...] = (), outputs: tuple[str, ...] = ()) -> None:
        """Record lineage between the run and versions that it read and wrote."""
        with self.begin() as tx:
            lineage.link(tx, self.run_id, inputs=inputs, outputs=outputs)

    def check_cancelled(self) -> None:
        """Raise Cancelled where somebody asked the run to stop."""
        with self.read() as tx:
            if run_store.get(tx, self.run_id).state == "cancelling":
                raise Cancelled("The run was cancelled.", hint=f"`mainspring run resume {self.run_id}` goes on.")


def unfinished(platform: Platform, limit: int = 100) -> list[tuple[str, int, str]]:
    """Return the runs that have not ended, of all projects, oldest first: ids, attempts made so far, and states."""
    waiting = runs.c.state.in_(("queued", "running", "cancelling"))
    with access.acting_as(access.system()), platform.read() as tx:
        query = select(runs.c.id, runs.c.attempt, runs.c.state).where(waiting).order_by(runs.c.id).limit(limit)
        return [(row.id, row.attempt, row.state) for row in tx.execute(query)]


def execute(platform: Platform, run_id: str) -> None:
    """Execute a run that is queued or was cut off; one that has finished is left as it is."""
    with access.acting_as(access.system()), platform.read() as tx:
        row = tx.execute(select(runs).where(runs.c.id == run_id)).mappings().one_or_none()
    if row is None or row["state"] in run_store.FINISHED:
        return
    held = row["caller"]
    caller = Caller(
        held["member"],
        held["key_id"],
        row["project"],
        held["environment"],
        held["role"],
        frozenset(held["permissions"]),
        tuple(held["models"]) if held["models"] is not None else None,
    )
    with access.acting_as(caller):
        if row["state"] == "cancelling":
            _finish(platform, run_id, row["kind"], "cancelled")
            return
        with platform.begin() as tx:
            values: dict[str, Any] = {"state": "running", "attempt": row["attempt"] + 1}
            values["started_at"] = row["started_at"] or tx.now
            waiting = (runs.c.id == run_id) & (runs.c.state == row["state"])
            begun = tx.execute(update(runs).where(waiting).values(**values)).rowcount
        if not begun:
            # Somebody cancelled it between the look and the start.
            execute(platform, run_id)
            return
        task = Job(platform, run_id, row["params"], caller)
        try:
            function = _jobs.get(row["kind"])
            if function is None:
                raise Invalid(f"No job is named {row['kind']}.", hint="The worker may be older than the server.")
            result = function(task)
        except Cancelled:
            _finish(platform, run_id, row["kind"], "cancelled")
        except MainspringError as error:
            _finish(platform, run_id, row["kind"], "failed", error=error.to_dict()["error"])
        except Exception as error:
            _log.exception("run %s (%s) failed", run_id, row["kind"])
            problem = {"code": "internal", "message": f"{type(error).__name__}: {error}"[:2000], "hint": "See the log."}
            _finish(platform, run_id, row["kind"], "failed", error=problem)
        else:
            _finish(platform, run_id, row["kind"], "succeeded", result=result)


def _finish(
    platform: Platform,
    run_id: str,
    kind: str,
    state: Literal["succeeded", "failed", "cancelled"],
    *,
    result: JSON = None,
    error: JSON = None,
) -> None:
    with platform.begin() as tx:
        values = {"state": state, "result": result, "error": error, "finished_at": tx.now}
        tx.execute(update(runs).where(runs.c.id == run_id).values(**values))
        events.emit(tx, "run.finished", {"run_id": run_id, "kind": kind, "state": state})
