"""What the worker does for improvement areas: looks for them, by hand or by schedule, and forgets what is erased."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from mainspring.kernel import access, hooks, runs
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import JSON
from mainspring.monitoring.areas import finding, store
from mainspring.monitoring.areas.models import FindSettings
from mainspring.monitoring.areas.tables import searches

KIND = "issue.find"
_log = logging.getLogger(__name__)


@job(KIND)
def find(task: Job) -> JSON:
    """Look for areas; the result says what was found."""
    p = task.params
    found = finding.find(task.platform, p["target"], p["environment"], FindSettings(**p["settings"]))
    task.log(f"{found.fresh} new bad traces: {found.joined} joined an area, {len(found.opened)} areas are new.")
    return found.model_dump(mode="json")


def run_due(platform: Platform) -> int:
    """Start every search that is due, of all projects, unless its last run is still under way; return how many."""
    with access.acting_as(access.system()), platform.read() as tx:
        due = select(searches).where(searches.c.enabled, searches.c.due_at <= tx.now)
        rows = tx.execute(due.order_by(searches.c.due_at).limit(100)).mappings().all()
    started = 0
    for row in rows:
        with access.acting_as(access.system(row["project"], row["environment"])):
            try:
                started += _start(platform, row["id"])
            except Exception:  # the others start all the same, and this one is tried at the next turn
                _log.exception("a search for areas of %s could not start", row["project"])
    return started


def _start(platform: Platform, search_id: str) -> int:
    with platform.begin() as tx:
        row = store.search(tx, search_id)
        values: dict[str, Any] = {"due_at": tx.now + timedelta(minutes=row["every_minutes"])}
        run = None
        if not row["run_id"] or _finished(platform, row["run_id"]):
            params = {"target": row["target"], "environment": row["environment"], "settings": row["settings"]}
            run = runs.create(tx, KIND, params)
            values["run_id"] = run.id
        tx.execute(update(searches).where(searches.c.id == search_id).values(**values))
    if run is not None and platform.runner_port is not None:
        platform.runner.submit(run.id)
    return int(run is not None)


def _finished(platform: Platform, run_id: str) -> bool:
    with platform.read() as tx:
        try:
            return runs.get(tx, run_id).state in runs.FINISHED
        except MainspringError:
            return True


def erase(platform: Platform, request: ErasureRequest, really: bool) -> int:
    """Take erased traces out of their areas; the hook of improvement areas."""
    with access.acting_as(access.system(request.project)), platform.begin() as tx:
        return store.forget(tx, request.trace_ids, really=really)


hooks.erasable("areas", erase)
hooks.periodic("monitoring.areas", 15.0, run_due, select(searches.c.id).where(searches.c.enabled))
