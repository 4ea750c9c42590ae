"""Operations of API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import insert, select, update

from mainspring.kernel import audit
from mainspring.kernel.access import ROLES
from mainspring.kernel.errors import Conflict, Denied
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, paginate
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.workspace.keys import canonical, forget, mint, within
from mainspring.workspace.lookups import (
    cancel_runs,
    environment_for,
    environment_of,
    key_of,
    key_roams,
    member_of,
    require_covered,
)
from mainspring.workspace.models import Asked, Hours, Key, KeyState, NewKey, Note, Permission
from mainspring.workspace.tables import keys


class Keys(Service):
    """API keys of the project."""

    noun = "key"

    @operation("POST /keys", permission="key.write", status=201)
    def create(
        self,
        member: Name | None = None,
        *,
        environment: Name = "production",
        permissions: Annotated[list[Permission], Field(max_length=200)] | None = None,
        models: Annotated[list[Asked], Field(max_length=200)] | None = None,
        expires_hours: Annotated[float, Field(gt=0, le=24 * 3660)] | None = None,
        roams: bool = False,
        note: Note = "",
    ) -> NewKey:
        """Make a key for a member (the caller where none is named) and show it, once.

        It can do no more than its member's role, than `permissions`, and than the key that made it. `models` says what
        it may ask for: deployments, `model/…`, `release/…` or `PROVIDER/…`, with a trailing * for any ending. A key
        that roams can be made for oneself only: it opens every project that one is a member of.
        """
        with self.begin() as tx:
            owner = member_of(tx, member or tx.caller.member)
            wanted = sorted(ROLES[owner.role]) if permissions is None else permissions
            for permission in wanted:
                require_covered(tx.caller.permissions, permission)
            environment_of(tx, environment)
            environment_for(tx, environment)
            if roams and (owner.name != tx.caller.member or not key_roams(tx)):
                raise Denied("A key that roams is made for oneself, with a key that roams.", hint="Leave `roams` out.")
            expires = None if expires_hours is None else tx.now + timedelta(hours=expires_hours)
            fields = {"environment": environment, "member": owner.name, "note": note, "roams": roams}
            ends, asked = _within_own(tx, expires), _models(tx, models)
            return add_key(tx, tx.project, **fields, permissions=permissions, models=asked, expires_at=ends)

    @operation("GET /keys", permission="key.read")
    def list_(self, *, member: Name | None = None, limit: Limit = 100, cursor: Cursor = "") -> Page[Key]:
        """List the keys of the project, or of one member, newest first; the secrets are not known any more."""
        with self.read() as tx:
            query = select(keys).where(keys.c.project == tx.project)
            if member:
                query = query.where(keys.c.member == member)
            rows, following = paginate(tx, query, keys.c.id, limit, cursor)
            return Page[Key](items=[_key(tx, row) for row in rows], next_cursor=following)

    @operation("POST /keys/{id}/rotate", permission="key.write", status=201)
    def rotate(self, id: Name, *, overlap_hours: Hours = 24.0) -> NewKey:
        """Make a key in the place of another, which stays valid for `overlap_hours` more."""
        with self.begin() as tx:
            old = key_of(tx, id)
            if _state(tx, old) != "active":
                raise Conflict(f"Key {id} is {_state(tx, old)}.", hint="Make a new key with `mainspring key create`.")
            owner = member_of(tx, old["member"])
            for permission in sorted(ROLES[owner.role]) if old["permissions"] is None else old["permissions"]:
                require_covered(tx.caller.permissions, permission)
            environment_for(tx, old["environment"])
            if old["roams"] and (owner.name != tx.caller.member or not key_roams(tx)):
                raise Denied(
                    "A key that roams is rotated by its own member, with a key that roams.", hint="Revoke it instead."
                )
            _models(tx, old["models"])
            same = ("environment", "member", "note", "roams", "permissions", "models", "expires_at")
            kept = {name: old[name] for name in same}
            kept["expires_at"] = _within_own(tx, kept["expires_at"])
            made = add_key(tx, tx.project, **kept)
            end = tx.now + timedelta(hours=overlap_hours)
            end = end if old["expires_at"] is None else min(end, old["expires_at"])
            tx.execute(update(keys).where(keys.c.id == id).values(expires_at=end, replaced_by=made.id))
        forget(self.platform)
        return made

    @operation("POST /keys/{id}/revoke", permission="key.write")
    def revoke(self, id: Name) -> Key:
        """End a key at once, and cancel the runs that it started; revoking it again changes nothing."""
        with self.begin() as tx:
            if key_of(tx, id)["revoked_at"] is None:
                tx.execute(update(keys).where(keys.c.id == id).values(revoked_at=tx.now))
                cancel_runs(tx, lambda held: held["key_id"] == id)
            ended = _key(tx, key_of(tx, id))
        forget(self.platform)
        return ended


def add_key(tx: Tx, project: str, **fields: Any) -> NewKey:
    """Store a key with a new secret and return both; `fields` are those of the table that the caller decides."""
    key_id = tx.new_id().replace("-", "")
    token, mac = mint(tx.platform, key_id)
    row: dict[str, Any] = {
        **fields,
        "id": key_id,
        "project": project,
        "mac": mac,
        "created_at": tx.now,
        "created_by": tx.caller.member,
        "revoked_at": None,
        "last_used_at": None,
        "replaced_by": "",
    }
    tx.execute(insert(keys).values(**row))
    # With the key that the audit row says was used, this leads from any key back to the one that began it.
    audit.note(made_key=key_id)
    return NewKey(**_key(tx, row).model_dump(), secret=token)


def _within_own(tx: Tx, wanted: datetime | None) -> datetime | None:
    """Return when a new key ends: as wanted (None: never), and not after the caller's own key."""
    own = tx.execute(select(keys.c.expires_at).where(keys.c.id == tx.caller.key_id)).scalar_one_or_none()
    return min((end for end in (wanted, own) if end is not None), default=None)


def _state(tx: Tx, row: Any) -> KeyState:
    if row["revoked_at"] is not None:
        return "revoked"
    return "expired" if row["expires_at"] is not None and row["expires_at"] <= tx.now else "active"


def _key(tx: Tx, row: Any) -> Key:
    return Key(state=_state(tx, row), **{name: row[name] for name in Key.model_fields if name != "state"})


def _models(tx: Tx, wanted: Sequence[str] | None) -> list[str] | None:
    """Return what a new key may ask for. Raises Denied where it is more than the caller's own key may."""
    own = tx.caller.models
    if wanted is None:
        if own is not None:
            raise Denied("Your key is limited to some models.", hint="Say which of them with `models`.")
        return None
    asked = list(dict.fromkeys(canonical(one) for one in wanted))
    for one in asked:
        if not within(own, one):
            raise Denied(f"You cannot let a key ask for {one}, which yours may not.", hint="Leave it out.")
    return asked
