"""What the worker does for online evaluation: draws and scores, looks at the past, forgets what is erased."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select

from mainspring.kernel import access, hooks
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import JSON
from mainspring.monitoring.online import sampling, scoring, store
from mainspring.monitoring.online.tables import evaluators, tasks


@job("evaluator.backfill")
def backfill(task: Job) -> JSON:
    """Draw from the calls of the past and score them; calls that were scored before are left as they are."""
    name, params = str(task.params["evaluator"]), task.params
    with task.read() as tx:
        row, project = store.find(tx, name), tx.project

    def enrol() -> dict[str, Any]:
        since, until, limit = int(params["since_ns"]), int(params["until_ns"]), int(params["limit"])
        spans = sampling.drawn(task.platform, project, row, since, until, limit=limit)
        found = [(span.trace_id, span.span_id) for span in spans]
        with task.begin() as tx:
            return {"drawn": len(found), "new": store.enrol(tx, row, found, task.run_id)}

    counted = task.step("draw", enrol)
    left = counted["new"]
    while left:
        task.check_cancelled()
        scored = scoring.work(task.platform, name, task.run_id)
        with task.read() as tx:
            left, waits = store.pending(tx, row, task.run_id), store.waits(tx, row)
        task.progress(counted["new"] - left, counted["new"], waits or f"{counted['new'] - left} calls scored")
        if not scored:
            break
    message = f"{left} calls wait; the evaluator goes on with them." if left else ""
    task.progress(1, 1, message or "done")
    return {**counted, "waiting": left}


def erase(platform: Platform, request: ErasureRequest, really: bool) -> int:
    """Forget the tasks of erased traces; the hook of online evaluation. Their scores go with the traces."""
    count, ids = 0, request.trace_ids
    with access.acting_as(access.system(request.project)), platform.begin() as tx:
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            mine = (tasks.c.project == request.project) & tasks.c.trace_id.in_(some)
            count += tx.execute(select(func.count()).where(mine)).scalar_one()
            if really:
                tx.execute(delete(tasks).where(mine))
    return count


hooks.erasable("online", erase)
hooks.periodic("monitoring.online", 5.0, scoring.work_due, select(evaluators.c.id).where(evaluators.c.enabled))
