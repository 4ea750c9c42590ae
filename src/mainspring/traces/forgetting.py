"""Forgetting: users who were erased. What they did before, and what arrives of it only now, is not taken any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, insert, select

from mainspring.kernel import events
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.kernel.tx import Tx
from mainspring.traces.capture import hashed
from mainspring.traces.models import nanoseconds
from mainspring.traces.tables import forgotten_users

LATE = "traces.late"
"""The event that names traces of which something arrived for a user who was erased since they began."""
_KEPT = timedelta(days=30)
"""How long late spans are looked out for: no exporter tries for as long."""


def names_of(platform: Platform, project: str, user_id: str) -> tuple[str, str]:
    """Return what spans may call a user: by the name, or by the hash that a rule of capture put in its place."""
    return user_id, hashed(user_id, platform.keyring.key(f"capture/{project}"))


def forget(tx: Tx, user_id: str) -> str:
    """Take no more of what a user did until now; return the user's pseudonym, which is all that is kept of the user."""
    names = names_of(tx.platform, tx.project, user_id)
    subjects = [tx.platform.keyring.pseudonym(tx.project, name) for name in names]
    f = forgotten_users.c
    tx.execute(delete(forgotten_users).where(f.project == tx.project, f.subject.in_(subjects) | _old(tx)))
    for subject in subjects:
        tx.execute(insert(forgotten_users).values(project=tx.project, subject=subject, before=tx.now))
    return subjects[0]


def forgotten(tx: Tx) -> dict[str, int]:
    """Return the pseudonyms of the project's users who were erased lately, and when, in nanoseconds."""
    f = forgotten_users.c
    rows = tx.execute(select(f.subject, f.before).where(f.project == tx.project, ~_old(tx)))
    return {row.subject: nanoseconds(row.before) for row in rows}


def late(platform: Platform, known: Mapping[str, int], spans: Sequence[Span]) -> set[str]:
    """Return the traces of these spans, all of one project, that a user began before being erased."""
    subjects: dict[str, int] = {}
    found = set()
    for span in spans:
        if not span.user_id:
            continue
        before = subjects.get(span.user_id)
        if before is None:
            before = known.get(platform.keyring.pseudonym(span.project, span.user_id), 0)
            subjects[span.user_id] = before
        if span.start_ns < before:
            found.add(span.trace_id)
    return found


def report(tx: Tx, trace_ids: set[str]) -> None:
    """See to it that what is stored of late traces already, or comes later without a user's name, is erased."""
    events.emit(tx, LATE, {"trace_ids": sorted(trace_ids)})


def _old(tx: Tx) -> ColumnElement[bool]:
    return forgotten_users.c.before < tx.now - _KEPT
