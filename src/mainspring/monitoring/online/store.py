"""Evaluators and their tasks as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.tx import Tx
from mainspring.monitoring.online.models import Choice, Counts, Evaluator, Task
from mainspring.monitoring.online.tables import evaluators, tasks

_KEY = ("evaluator_id", "trace_id", "span_id")
_TAKEN = timedelta(minutes=15)
"""After so long a task whose worker said nothing, since it was killed, is anybody's again."""


def add(tx: Tx, values: dict[str, Any], seen_ns: int) -> Evaluator:
    """Store an evaluator, which looks at calls from now on. Raises Conflict where its name is taken."""
    row = {**values, "id": tx.new_id(), "project": tx.project, "enabled": True, "seen_ns": seen_ns, "looks": 0}
    try:
        with tx.conn.begin_nested():
            tx.execute(insert(evaluators).values(**row, created_at=tx.now, created_by=tx.caller.member))
    except IntegrityError:
        raise Conflict(f"There is an evaluator {values['name']} already.", hint="Take another name.") from None
    return shown(tx, find(tx, values["name"]))


def find(tx: Tx, name: str) -> RowMapping:
    """Return the row of an evaluator. Raises NotFound."""
    mine = (evaluators.c.project == tx.project) & (evaluators.c.name == name)
    row = tx.execute(select(evaluators).where(mine)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no evaluator {name}.", hint="`mainspring evaluator list` shows them.")
    return row


def shown(tx: Tx, row: RowMapping) -> Evaluator:
    """Return an evaluator as a record, with what became of the calls that it drew."""
    mine = tasks.c.evaluator_id == row["id"]
    by_state = select(tasks.c.state, func.count().label("count")).where(mine).group_by(tasks.c.state)
    counts = {str(one["state"]): int(one["count"]) for one in tx.execute(by_state).mappings()}
    wrong = select(tasks.c.error).where(mine, tasks.c.error != "").order_by(tasks.c.at.desc()).limit(1)
    kept = ("name", "metric", "score", "rate", "max_cost_per_day", "enabled", "created_at", "created_by")
    return Evaluator(
        **{name: row[name] for name in kept},
        choice=Choice(**row["choice"]),
        counts=Counts(**{state: counts.get(state, 0) for state in Counts.model_fields}),
        spent_today=spent_today(tx, row),
        waits=waits(tx, row),
        last_error=tx.execute(wrong).scalar_one_or_none() or "",
    )


def spent_today(tx: Tx, row: RowMapping) -> float:
    """Return the US dollars that an evaluator's judges cost since midnight (UTC)."""
    midnight = tx.now.replace(hour=0, minute=0, second=0, microsecond=0)
    query = select(func.sum(tasks.c.cost)).where(tasks.c.evaluator_id == row["id"], tasks.c.at >= midnight)
    return float(tx.execute(query).scalar_one() or 0.0)


def waits(tx: Tx, row: RowMapping) -> str:
    """Say why an evaluator does not go on; empty where it does."""
    if not row["enabled"]:
        return "It is switched off."
    most = row["max_cost_per_day"]
    if most is not None and spent_today(tx, row) >= most:
        return f"The ${most:g} of today are spent; it goes on tomorrow (UTC)."
    return ""


def enrol(tx: Tx, row: RowMapping, drawn: Sequence[tuple[str, str]], run_id: str = "") -> int:
    """Add calls (trace id, span id) that are not known yet; return how many."""
    added = 0
    for start in range(0, len(drawn), 200):
        some = drawn[start : start + 200]
        mine = (tasks.c.evaluator_id == row["id"]) & tasks.c.trace_id.in_([trace_id for trace_id, _ in some])
        known = {
            (one.trace_id, one.span_id) for one in tx.execute(select(tasks.c.trace_id, tasks.c.span_id).where(mine))
        }
        fresh = [pair for pair in dict.fromkeys(some) if pair not in known]
        if fresh:
            usual = {"evaluator_id": row["id"], "project": tx.project, "state": "pending", "attempts": 0}
            usual |= {"not_before": tx.now, "value": None, "error": "", "cost": 0.0, "run_id": run_id, "at": tx.now}
            tx.execute(insert(tasks), [{**usual, "trace_id": trace, "span_id": span} for trace, span in fresh])
        added += len(fresh)
    return added


def take(tx: Tx, row: RowMapping, limit: int, run_id: str | None = None) -> list[RowMapping]:
    """Take tasks that may be worked on now, oldest first; of a run, where one is named.

    Nobody else is given them for a while: a judge is asked, and paid, once for each.
    """
    mine = (tasks.c.evaluator_id == row["id"]) & (tasks.c.state == "pending") & (tasks.c.not_before <= tx.now)
    if run_id is not None:
        mine &= tasks.c.run_id == run_id
    query = select(tasks).where(mine).order_by(tasks.c.not_before).limit(limit).with_for_update(skip_locked=True)
    taken = list(tx.execute(query).mappings())
    for one in taken:
        key = [tasks.c[name] == one[name] for name in _KEY]
        tx.execute(update(tasks).where(*key).values(not_before=tx.now + _TAKEN))
    return taken


def pending(tx: Tx, row: RowMapping, run_id: str) -> int:
    """Count the tasks of a run that wait."""
    mine = (tasks.c.evaluator_id == row["id"]) & (tasks.c.state == "pending") & (tasks.c.run_id == run_id)
    return int(tx.execute(select(func.count()).where(mine)).scalar_one())


def finish(tx: Tx, task: RowMapping, state: str, **values: Any) -> bool:
    """Put a task into its state; False where another worker was faster, whose result stays."""
    mine = tasks.c.attempts == task["attempts"]
    for name in _KEY:
        mine &= tasks.c[name] == task[name]
    change = update(tasks).where(mine, tasks.c.state == "pending")
    return bool(tx.execute(change.values(state=state, attempts=task["attempts"] + 1, at=tx.now, **values)).rowcount)


def as_task(row: RowMapping) -> Task:
    """Make the record of a row."""
    return Task(**{name: row[name] for name in Task.model_fields})


def retry(tx: Tx, row: RowMapping, since: datetime | None) -> int:
    """Take failed tasks up again; return how many."""
    mine = (tasks.c.evaluator_id == row["id"]) & (tasks.c.state == "failed")
    if since is not None:
        mine &= tasks.c.at >= since
    change = update(tasks).where(mine).values(state="pending", attempts=0, error="", not_before=tx.now)
    return tx.execute(change).rowcount
