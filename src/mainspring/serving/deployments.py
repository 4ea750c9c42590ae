"""Deployments: which release answers under a name, and which one is tried beside it.

The moves are append-only; the deployment as it is now is its latest move.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field
from sqlalchemy import ColumnElement, func, insert, select
from sqlalchemy.exc import IntegrityError

from mainspring.kernel import events
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.records import Record, paginate
from mainspring.kernel.tx import Tx
from mainspring.registry import require_deployable
from mainspring.serving.tables import deployment_moves as table
from mainspring.workspace import is_protected

Weight = Annotated[float, Field(ge=0, le=1)]
"""Share of the traffic that the canary gets, from 0 to 1."""

Action = Literal["create", "roll", "promote", "rollback", "pause", "resume", "shadow"]

Split = Literal["request", "user", "session"]
"""What the traffic is split by: the unit that stays with one release."""


class Subject(NamedTuple):
    """Whom a call is for, as far as it says so."""

    request: str = ""
    """Its trace."""
    user: str = ""
    session: str = ""

    def unit(self, split: Split | Literal[""]) -> str:
        """Return what decides between the two releases: empty where the call does not say it."""
        return str(getattr(self, split)) if split else self.session or self.user or self.request


class Deployment(Record):
    """A deployment as one move made it."""

    name: str
    environment: str
    revision: int
    """Counts the moves, from 1."""
    action: Action
    """The move that made it so."""
    state: Literal["active", "paused"]
    baseline: str
    """Exact reference of the release that answers."""
    canary: str
    """Exact reference of the release that is tried beside it, or empty."""
    weight: float
    """Share of the traffic that the canary gets."""
    split: Split | Literal[""] = ""
    """What stays with one release; empty: the session, else the user, else the request."""
    shadow: str = ""
    """Exact reference of the release that is asked too, after the answer and for nobody to see, or empty."""
    shadow_share: float = 0.0
    """Share of the calls that the shadow gets a copy of."""
    previous: str
    """The baseline before the last promotion, to which a rollback returns; or empty."""
    moved_at: datetime
    moved_by: str
    note: str


def find(tx: Tx, environment: str, name: str) -> Deployment | None:
    """Return a deployment as it is now, or None."""
    query = select(table).where(_of(tx, environment, name)).order_by(table.c.revision.desc()).limit(1)
    row = tx.execute(query).mappings().one_or_none()
    return _shown(row) if row else None


def get(tx: Tx, environment: str, name: str) -> Deployment:
    """Return a deployment as it is now. Raises NotFound."""
    found = find(tx, environment, name)
    if found is None:
        other = ", ".join(elsewhere(tx, name))
        hint = f"There is one in {other}; name the environment." if other else "`mainspring deployment list`."
        raise NotFound(f"There is no deployment {name} in {environment}.", hint=hint)
    return found


def elsewhere(tx: Tx, name: str) -> list[str]:
    """Return the environments that have a deployment of that name, for a caller who may look at deployments."""
    if not tx.caller.may("deployment.read"):
        return []
    mine = (table.c.project == tx.project) & (table.c.name == name)
    return list(tx.execute(select(table.c.environment).where(mine).distinct().order_by(table.c.environment)).scalars())


def page(tx: Tx, environment: str, limit: int, cursor: str = "") -> tuple[list[Deployment], str | None]:
    """Return one page of an environment's deployments by name, as they are now."""
    mine = (table.c.project == tx.project) & (table.c.environment == environment)
    latest = select(table.c.name.label("n"), func.max(table.c.revision).label("m")).where(mine).group_by(table.c.name)
    sub = latest.subquery()
    query = select(table).join(sub, (table.c.name == sub.c.n) & (table.c.revision == sub.c.m)).where(mine)
    rows, following = paginate(tx, query, table.c.name, limit, cursor, newest=False)
    return [_shown(row) for row in rows], following


def history(tx: Tx, environment: str, name: str, limit: int, cursor: str = "") -> tuple[list[Deployment], str | None]:
    """Return one page of a deployment's moves, newest first. Raises NotFound."""
    get(tx, environment, name)
    rows, following = paginate(tx, select(table).where(_of(tx, environment, name)), table.c.id, limit, cursor)
    return [_shown(row) for row in rows], following


def live_at(tx: Tx, environment: str, name: str, moment: datetime) -> Deployment | None:
    """Return a deployment as it was at a moment, or None where it did not exist yet. Raises NotFound."""
    get(tx, environment, name)
    query = select(table).where(_of(tx, environment, name), table.c.moved_at <= moment)
    row = tx.execute(query.order_by(table.c.revision.desc()).limit(1)).mappings().one_or_none()
    return _shown(row) if row else None


def deployable(tx: Tx, ref: str, environment: str) -> str:
    """Return the exact reference of a release that may be deployed there. Raises NotFound, Denied or Conflict."""
    return require_deployable(tx, ref, protected=is_protected(tx, environment)).ref


def move(tx: Tx, now: Deployment | None, environment: str, name: str, action: Action, **changes: Any) -> Deployment:
    """Append a move that changes `changes` of the deployment `now`, and say so to who listens.

    Raises Conflict where another came first.
    """
    before = now.model_dump() if now else {"state": "active", "canary": "", "weight": 0.0, "previous": "", "note": ""}
    after = Deployment(
        **{
            **before,
            "note": "",
            **changes,
            "name": name,
            "environment": environment,
            "revision": now.revision + 1 if now else 1,
            "action": action,
            "moved_at": tx.now,
            "moved_by": tx.caller.member,
        }
    )
    try:
        with tx.conn.begin_nested():
            tx.execute(insert(table).values(id=tx.new_id(), project=tx.project, **after.model_dump()))
    except IntegrityError:
        raise Conflict(f"The deployment {name} was changed at the same time.", hint="Look, and try again.") from None
    events.emit(tx, "deployment.moved", after.model_dump(mode="json"))
    return after


def arm_of(deployment: Deployment, subject: str) -> Literal["baseline", "canary"]:
    """Return which release answers a subject (a session, a user, a trace).

    The same subject stays with the same release while the weight only grows; another deployment, or another canary,
    splits independently, so that it is not always the same users with whom releases are tried.
    """
    if not deployment.canary or not subject:
        return "baseline"
    return "canary" if _place(deployment, deployment.canary, subject) < deployment.weight else "baseline"


def is_shadowed(deployment: Deployment, request: str) -> bool:
    """Tell whether a request is one of those that the shadow gets a copy of."""
    return bool(deployment.shadow) and _place(deployment, deployment.shadow, request) < deployment.shadow_share


def _place(deployment: Deployment, release: str, subject: str) -> float:
    """Return where a subject lies between 0 and 1, the same always for the same."""
    key = f"{deployment.environment}/{deployment.name}/{release}/{subject}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big") / 2**64


def _of(tx: Tx, environment: str, name: str) -> ColumnElement[bool]:
    return (table.c.project == tx.project) & (table.c.environment == environment) & (table.c.name == name)


def _shown(row: Any) -> Deployment:
    return Deployment(**{field: row[field] for field in Deployment.model_fields})
