"""What the worker does for erasures: the run itself, part by part, and a second look once every process has settled."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import RowMapping, delete, select, update

from mainspring.governance.erasing.service import KIND, shown
from mainspring.governance.erasing.tables import erasures
from mainspring.governance.erasing.weighing import PART, made_of, mentioning, traces_by, weighed
from mainspring.kernel import access, audit, events, hooks
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import JSON
from mainspring.kernel.tables import run_steps
from mainspring.traces.erasure import erase_everywhere
from mainspring.traces.forgetting import LATE
from mainspring.traces.models import nanoseconds

_SETTLES = timedelta(seconds=10)
"""After this long every process knows of an erasure, and what one held in memory is written."""
_AHEAD = timedelta(minutes=5)
"""By how much the clock of an application may be ahead; a user who goes on while the run does keeps it no longer."""


@job(KIND)
def erase(task: Job) -> JSON:
    """Erase a user part by part. A part is counted before it goes, so that a kill in between loses no count."""
    with task.read() as tx:
        row = tx.execute(select(erasures).where(erasures.c.id == task.params["erasure"])).mappings().one()
    if row["finished_at"] is not None:
        return _result(row)
    platform, project, user_id = task.platform, row["project"], row["user_id"]
    until = nanoseconds(row["asked_at"] + _AHEAD)
    erased: Counter[str] = Counter()
    kept: Counter[str] = Counter()

    def take() -> JSON:
        platform.spans.flush()
        ids = _found(platform, project, user_id, until)
        # What names the user, and no trace, is taken together with the last part: the one that is empty.
        request = ErasureRequest(project, tuple(ids), "" if ids else user_id)
        with task.read() as tx:
            keeps = {one.ref: one.rows for one in made_of(tx, ids)}
        return {"ids": ids, "erased": weighed(platform, request), "keeps": keeps}

    for number in range(1 << 30):
        part = task.step(f"take {number}", take)
        task.step(f"erase {number}", partial(_gone, platform, project, part["ids"], user_id))
        erased.update(part["erased"])
        kept.update(part["keeps"])
        task.progress(number + 1, 0, f"{erased['traces']} traces erased")
        if not part["ids"]:
            break
    keeps = [{"ref": ref, "rows": rows} for ref, rows in sorted(kept.items())]
    with task.begin() as tx:
        values = {"erased": dict(erased), "keeps": keeps, "finished_at": tx.now}
        tx.execute(update(erasures).where(erasures.c.id == row["id"]).values(**values))
        tx.execute(delete(run_steps).where(run_steps.c.run_id == task.run_id))
        detail = {"subject": row["subject"], **{name: many for name, many in erased.items() if many}}
        audit.append(tx, "erasure.done", f"erasure/{row['id']}", "ok", detail)
    task.progress(1, 1, f"{erased['traces']} traces erased")
    return _result({**row, **values})


def settle_due(platform: Platform) -> int:
    """Look again for what other processes still held when an erasure ran, and forget the name; return how many."""
    e = erasures.c
    with access.acting_as(access.system()), platform.read() as tx:
        due = select(erasures).where(e.settled_at.is_(None), e.finished_at <= tx.now - _SETTLES)
        rows = tx.execute(due.order_by(e.id).limit(100)).mappings().all()
    for row in rows:
        with access.acting_as(access.system(row["project"])):
            erased = Counter[str](row["erased"])
            project, user_id = row["project"], row["user_id"]
            ids = _found(platform, project, user_id, nanoseconds(row["asked_at"]))
            erased.update(weighed(platform, ErasureRequest(project, tuple(ids), "" if ids else user_id)))
            _gone(platform, project, ids, user_id)
            done = {} if ids else {"user_id": "", "settled_at": platform.clock.now()}
            with platform.begin() as tx:
                tx.execute(update(erasures).where(e.id == row["id"]).values(erased=dict(erased), **done))
    return len(rows)


@events.on(LATE, consumer="governance.erasing")
def erase_late(platform: Platform, payload: dict[str, Any]) -> None:
    """Erase traces of which something arrived for a user who was erased since they began."""
    erase_everywhere(platform, access.current().project, payload["trace_ids"])


def _found(platform: Platform, project: str, user_id: str, until_ns: int) -> list[str]:
    mine = traces_by(platform, project, user_id, PART, until_ns)
    return mine or mentioning(platform, project, user_id, until_ns)


def _gone(platform: Platform, project: str, ids: list[str], user_id: str) -> JSON:
    with access.acting_as(access.system(project)):
        if ids:
            erase_everywhere(platform, project, ids)
        else:
            for hook in list(hooks.erasure_hooks.values()):
                hook(platform, ErasureRequest(project, (), user_id), True)
    return None


def _result(row: RowMapping | dict[str, Any]) -> JSON:
    return shown(row).model_dump(mode="json")


hooks.periodic("governance.erasing", 10.0, settle_due, select(erasures.c.id).where(erasures.c.settled_at.is_(None)))
