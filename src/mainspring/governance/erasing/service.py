"""Operations of erasures."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, insert, select

from mainspring.governance.erasing.models import Erasure, ErasureId, ErasurePlan, UserId
from mainspring.governance.erasing.tables import erasures
from mainspring.governance.erasing.weighing import made_of, traces_by, weighed
from mainspring.kernel import runs
from mainspring.kernel.errors import NotFound
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Page, paginate
from mainspring.kernel.runs import Run
from mainspring.kernel.service import Service
from mainspring.traces.forgetting import forget

KIND = "erasure.run"
_PLANNED = 20_000


class Erasures(Service):
    """Erasures of end users: all that traces, and what was made of them, hold of somebody."""

    noun = "erasure"

    @operation("POST /erasures/plan", permission="erasure.read", audit=False)
    def plan(self, user_id: UserId) -> ErasurePlan:
        """Say what an erasure of an end user would remove, and what would stay; nothing is changed."""
        project = self.caller.project
        ids = traces_by(self.platform, project, user_id, _PLANNED + 1)
        taken = ids[:_PLANNED]
        erases = weighed(self.platform, ErasureRequest(project, tuple(taken), user_id))
        with self.read() as tx:
            keeps = made_of(tx, taken)
        subject = self.platform.keyring.pseudonym(project, user_id)
        return ErasurePlan(subject=subject, erases=erases, keeps=keeps, complete=len(ids) == len(taken))

    @operation("POST /erasures", permission="erasure.write", status=202)
    def run(self, user_id: UserId) -> Run:
        """Erase all that is kept of an end user: traces, sessions, scores, comments, and what was made of them.

        Spans of what the user did before that arrive later are dropped. Asking again while it runs changes nothing;
        where it failed, it goes on. Who it was stands in no log: the audit row has a pseudonym.
        """
        e = erasures.c
        with self.begin() as tx:
            subject = forget(tx, user_id)
            mine = (e.project == tx.project) & (e.subject == subject) & e.finished_at.is_(None)
            before = tx.execute(select(erasures).where(mine)).mappings().one_or_none()
            if before is None:
                values = {"id": tx.new_id(), "project": tx.project, "subject": subject, "user_id": user_id}
                run = runs.create(tx, KIND, {"erasure": values["id"]})
                values |= {"run_id": run.id, "asked_by": tx.caller.member}
                tx.execute(insert(erasures).values(**values, erased={}, keeps=[], asked_at=tx.now))
            else:
                run = runs.get(tx, before["run_id"])
                if run.state in ("failed", "cancelled"):
                    run = runs.resume(tx, run.id)
        if run.state == "queued" and not self.platform.writing and self.platform.runner_port is not None:
            self.platform.runner.submit(run.id)
            with self.read() as tx:
                return runs.get(tx, run.id)
        return run

    @operation("GET /erasures/{erasure_id}", permission="erasure.read")
    def get(self, erasure_id: ErasureId) -> Erasure:
        """Show an erasure: when it was asked for and finished, and how much went."""
        with self.read() as tx:
            mine = (erasures.c.project == tx.project) & (erasures.c.id == erasure_id)
            row = tx.execute(select(erasures).where(mine)).mappings().one_or_none()
        if row is None:
            raise NotFound(f"There is no erasure {erasure_id}.", hint="`mainspring erasure list` shows them.")
        return shown(row)

    @operation("GET /erasures", permission="erasure.read")
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Erasure]:
        """List erasures, newest first."""
        with self.read() as tx:
            query = select(erasures).where(erasures.c.project == tx.project)
            rows, following = paginate(tx, query, erasures.c.id, limit, cursor)
        return Page[Erasure](items=[shown(row) for row in rows], next_cursor=following)


def shown(row: RowMapping | dict[str, Any]) -> Erasure:
    """Make the record of a row."""
    return Erasure.model_validate({name: row[name] for name in Erasure.model_fields})
