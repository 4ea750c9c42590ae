"""Scores: judgements of traces, spans and sessions, feedback of users among them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select

from mainspring.kernel.errors import Invalid
from mainspring.kernel.records import paginate
from mainspring.kernel.tx import Tx
from mainspring.traces.models import Score
from mainspring.traces.tables import scores

_CHUNK = 500
SHOWN = 100
"""Scores that come with a trace at once."""


def put(
    tx: Tx,
    name: str,
    *,
    trace_id: str = "",
    span_id: str = "",
    session_id: str = "",
    number: float | None = None,
    label: str | None = None,
    comment: str = "",
    correction: str = "",
    source: str = "human",
    at: datetime | None = None,
) -> Score:
    """Store a score, given now or `at` a moment before. Raises Invalid where it has no target or says nothing."""
    if not trace_id and not session_id:
        raise Invalid("A score judges a trace, a span or a session.", hint="Give trace_id or session_id.")
    if span_id and not trace_id:
        raise Invalid("A span is judged within its trace.", hint="Give trace_id with span_id.")
    if number is None and label is None and not comment and not correction:
        raise Invalid("The score says nothing.", hint="Give number, label, comment or correction.")
    values: dict[str, Any] = {
        "id": tx.new_id(),
        "name": name,
        "number": number,
        "label": label,
        "comment": comment,
        "correction": correction,
        "source": source,
        "trace_id": trace_id,
        "span_id": span_id,
        "session_id": session_id,
        "created_at": min(at, tx.now) if at else tx.now,
        "created_by": tx.caller.member,
    }
    tx.execute(insert(scores).values(project=tx.project, **values))
    return Score(**values)


def put_once(
    tx: Tx,
    name: str,
    *,
    trace_id: str = "",
    span_id: str = "",
    session_id: str = "",
    number: float | None,
    label: str | None,
    comment: str,
    correction: str = "",
    source: str = "model",
    at: datetime | None = None,
) -> None:
    """Store a judgement, unless the same is stored already or it says nothing: exporters repeat themselves."""
    said: dict[str, Any] = {"number": number, "label": label, "comment": comment, "correction": correction}
    if number is None and label is None and not comment and not correction:
        return
    target: dict[str, Any] = {"trace_id": trace_id, "span_id": span_id, "session_id": session_id}
    same = [scores.c.project == tx.project, scores.c.name == name]
    same += [scores.c[column] == value for column, value in target.items()]
    for row in tx.execute(select(scores).where(*same)).mappings():
        if all(row[column] == value for column, value in said.items()):
            return
    put(tx, name, source=source, at=at, **target, **said)


def of_traces(tx: Tx, trace_ids: Sequence[str]) -> list[Score]:
    """Return the scores of some traces and of their spans, oldest first."""
    found: list[Score] = []
    for start in range(0, len(trace_ids), _CHUNK):
        some = scores.c.trace_id.in_(trace_ids[start : start + _CHUNK])
        query = select(scores).where(scores.c.project == tx.project, some).order_by(scores.c.id)
        found += [as_score(row) for row in tx.execute(query).mappings()]
    return found


def latest(tx: Tx, *wanted: ColumnElement[bool], limit: int = SHOWN) -> tuple[list[Score], str | None]:
    """Return the newest scores of a choice, oldest first, and the cursor with which a list goes on to older ones."""
    rows, following = paginate(tx, select(scores).where(scores.c.project == tx.project, *wanted), scores.c.id, limit)
    return [as_score(row) for row in reversed(rows)], following


def find(
    tx: Tx,
    *,
    name: str = "",
    at_most: float | None = None,
    at_least: float | None = None,
    label: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 10_000,
) -> list[Score]:
    """Return scores of traces that match, newest first, at most `limit`; those of `until` itself do not."""
    query = select(scores).where(*conditions(tx, name=name, at_most=at_most, at_least=at_least, label=label))
    query = query.where(scores.c.trace_id != "")
    if since is not None:
        query = query.where(scores.c.created_at >= since)
    if until is not None:
        query = query.where(scores.c.created_at < until)
    return [as_score(row) for row in tx.execute(query.order_by(scores.c.id.desc()).limit(limit)).mappings()]


def conditions(
    tx: Tx, *, name: str = "", at_most: float | None = None, at_least: float | None = None, label: str = ""
) -> list[ColumnElement[bool]]:
    """Return the SQL conditions of a choice of scores."""
    found: list[ColumnElement[bool]] = [scores.c.project == tx.project]
    if name:
        found.append(scores.c.name == name)
    if at_most is not None:
        found.append(scores.c.number <= at_most)
    if at_least is not None:
        found.append(scores.c.number >= at_least)
    if label:
        found.append(scores.c.label == label)
    return found


def erase(tx: Tx, trace_ids: Sequence[str], *, really: bool = True) -> int:
    """Remove the scores of traces; return how many there were."""
    count = 0
    for start in range(0, len(trace_ids), _CHUNK):
        mine = (scores.c.project == tx.project) & scores.c.trace_id.in_(trace_ids[start : start + _CHUNK])
        if really:
            count += tx.execute(delete(scores).where(mine)).rowcount
        else:
            count += tx.execute(select(func.count()).where(mine)).scalar_one()
    return count


def erase_sessions(tx: Tx, session_ids: Sequence[str], *, really: bool = True) -> int:
    """Remove the scores of whole sessions, which name no trace; return how many there were."""
    count = 0
    for start in range(0, len(session_ids), _CHUNK):
        mine = (scores.c.project == tx.project) & scores.c.session_id.in_(session_ids[start : start + _CHUNK])
        mine &= scores.c.trace_id == ""
        if really:
            count += tx.execute(delete(scores).where(mine)).rowcount
        else:
            count += tx.execute(select(func.count()).where(mine)).scalar_one()
    return count


def as_score(row: RowMapping) -> Score:
    """Make the record of a row."""
    return Score(**{name: row[name] for name in Score.model_fields})
