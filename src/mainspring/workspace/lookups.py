"""Lookups: members, environments and keys as the operations of this room and of others ask for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select

from mainspring.kernel import audit, runs
from mainspring.kernel.access import ROLES
from mainspring.kernel.errors import Denied, NotFound
from mainspring.kernel.tx import Tx
from mainspring.workspace.keys import covers
from mainspring.workspace.models import Environment, Member
from mainspring.workspace.tables import environments, keys, members


def member_of(tx: Tx, name: str) -> Member:
    """Return a member of the caller's project. Raises NotFound."""
    query = select(members).where(members.c.project == tx.project, members.c.name == name)
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"{name} is not a member of {tx.project}.", hint="`mainspring member list` shows who is.")
    return as_member(row)


def is_protected(tx: Tx, environment: str) -> bool:
    """Tell whether an environment of the caller's project takes approved releases only. Raises NotFound."""
    return environment_of(tx, environment).protected


def protected_environments(tx: Tx) -> list[Environment]:
    """Return the protected environments of the caller's project, by name."""
    query = select(environments).where(environments.c.project == tx.project, environments.c.protected)
    return [as_environment(row) for row in tx.execute(query.order_by(environments.c.name)).mappings()]


def environment_for(tx: Tx, environment: str) -> str:
    """Return the environment that a write concerns: the caller's own, or the one that is named.

    Raises NotFound for an unknown one, Denied where the caller's key is bound to another.
    """
    own = tx.caller.environment
    if environment in ("", own):
        return own
    environment_of(tx, environment)
    if tx.caller.key_id and not key_roams(tx):
        raise Denied(f"This key is bound to {own}.", hint=f"Use a key of {environment}, or one that roams.")
    return environment


def key_made_by(tx: Tx) -> str:
    """Return the member who made the key that the caller uses; empty where there is no such key."""
    query = select(keys.c.created_by).where(keys.c.id == tx.caller.key_id)
    return str(tx.execute(query).scalar_one_or_none() or "")


def key_roams(tx: Tx) -> bool:
    """Tell whether the caller's key may choose another project and environment."""
    query = select(keys.c.roams).where(keys.c.id == tx.caller.key_id)
    return bool(tx.execute(query).scalar_one_or_none())


def still_may(tx: Tx, member: str, key_id: str, permission: str, made: datetime) -> bool:
    """Tell whether what somebody handed out still holds: a member with the permission, by a key that is not revoked.

    An empty `key_id` is whoever acted without a key. A key that has expired since had its time when it was used. What
    was `made` before the member was added, for one who was removed in between, ended with the removal.
    """
    of = select(members.c.role, members.c.created_at)
    held = tx.execute(of.where(members.c.project == tx.project, members.c.name == member)).one_or_none()
    if held is None or held.created_at > made or not covers(ROLES[held.role], permission):
        return False
    ended = select(keys.c.id).where(keys.c.id == key_id, keys.c.revoked_at.is_not(None))
    return not key_id or tx.execute(ended).one_or_none() is None


def key_of(tx: Tx, key_id: str) -> RowMapping:
    """Return the row of a key of the caller's project. Raises NotFound."""
    query = select(keys).where(keys.c.project == tx.project, keys.c.id == key_id)
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no key {key_id}.", hint="`mainspring key list` shows what there is.")
    return row


def environment_of(tx: Tx, name: str) -> Environment:
    """Return an environment of the caller's project. Raises NotFound."""
    query = select(environments).where(environments.c.project == tx.project, environments.c.name == name)
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no environment {name}.", hint="`mainspring environment list` shows what there is.")
    return as_environment(row)


def require_covered(held: frozenset[str], permission: str) -> None:
    """Raise Denied for a permission that is not held."""
    if not covers(held, permission):
        raise Denied(f"You cannot give '{permission}', which you do not hold.", hint="Ask an admin of the project.")


def cancel_runs(tx: Tx, unfit: Callable[[Mapping[str, Any]], bool]) -> None:
    """Cancel what would go on with rights that are gone; whoever has them may resume it."""
    cancelled = runs.cancel_where(tx, unfit)
    if cancelled:
        audit.note(cancelled_runs=cancelled)


def as_environment(row: Any) -> Environment:
    """Make the record of a row."""
    return Environment(**{name: row[name] for name in Environment.model_fields})


def as_member(row: Any) -> Member:
    """Make the record of a row."""
    return Member(**{name: row[name] for name in Member.model_fields})
