"""The workspace's operations: projects, environments, members and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, RowMapping, func, insert, select, true, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError

from mainspring.kernel import audit, runs
from mainspring.kernel.access import ROLES, Role
from mainspring.kernel.errors import Conflict, Denied, NotFound
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, paginate
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.workspace.keys import covers, forget, mint
from mainspring.workspace.models import Email, Environment, Hours, Key, KeyState, Member, NewKey, Permission, Project
from mainspring.workspace.tables import environments, keys, members, projects

Note = Annotated[str, StringConstraints(max_length=200)]
FIRST_ENVIRONMENTS = {"production": True, "staging": False}
"""What a new project begins with, and whether each is protected."""


class Projects(Service):
    """Projects: what is kept apart."""

    noun = "project"

    @operation("POST /projects", permission="project.write", status=201)
    def create(self, name: Name, *, description: Note = "") -> Project:
        """Create a project, with the environments production (protected) and staging; its creator is its admin."""
        with self.begin() as tx:
            return add_project(tx, name, description, tx.caller.member)

    @operation("GET /projects/{name}", permission="project.read")
    def get(self, name: Name) -> Project:
        """Return a project that the caller is a member of."""
        with self.read() as tx:
            query = select(projects).join(members, members.c.project == projects.c.project)
            query = query.where(members.c.name == tx.caller.member, projects.c.project == name, _within_reach(tx))
            row = tx.execute(query).mappings().one_or_none()
        if row is None:
            raise NotFound(f"There is no project {name}.", hint="`mainspring project list` shows yours.")
        return _project(row)

    @operation("GET /projects", permission="project.read")
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Project]:
        """List the projects that the caller is a member of, by name."""
        with self.read() as tx:
            query = select(projects).join(members, members.c.project == projects.c.project)
            query = query.where(members.c.name == tx.caller.member, _within_reach(tx))
            rows, following = paginate(tx, query, projects.c.project, limit, cursor, newest=False)
        return Page[Project](items=[_project(row) for row in rows], next_cursor=following)


class Environments(Service):
    """Environments of the project."""

    noun = "environment"

    @operation("POST /environments", permission="environment.write", status=201)
    def create(self, name: Name, *, protected: bool = False) -> Environment:
        """Create an environment; to a protected one only approved releases may be deployed."""
        with self.begin() as tx:
            return _add_environment(tx, tx.project, name, protected)

    @operation("GET /environments", permission="environment.read")
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Environment]:
        """List the environments of the project, by name."""
        with self.read() as tx:
            query = select(environments).where(environments.c.project == tx.project)
            rows, following = paginate(tx, query, environments.c.name, limit, cursor, newest=False)
        return Page[Environment](items=[_environment(row) for row in rows], next_cursor=following)


class Members(Service):
    """Members of the project and their roles."""

    noun = "member"

    @operation("POST /members", permission="member.write", status=201)
    def add(self, name: Name, role: Role, *, email: Email = "") -> Member:
        """Add a member to the project; the role may allow nothing that the caller may not do."""
        with self.begin() as tx:
            self._may_grant(role)
            return _add_member(tx, tx.project, name, role, email)

    @operation("GET /members", permission="member.read")
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Member]:
        """List the members of the project, by name."""
        with self.read() as tx:
            query = select(members).where(members.c.project == tx.project)
            rows, following = paginate(tx, query, members.c.name, limit, cursor, newest=False)
        return Page[Member](items=[_member(row) for row in rows], next_cursor=following)

    @operation("PATCH /members/{name}", permission="member.write")
    def update(self, name: Name, *, role: Role | None = None, email: Email | None = None) -> Member:
        """Change a member's role or address; it counts for the member's keys at once.

        Runs of the member that were started with more than the new role allows are cancelled.
        """
        with self.begin() as tx:
            before = member_of(tx, name)
            self._may_grant(before.role)
            values: dict[str, Any] = {}
            if role is not None:
                self._may_grant(role)
                values["role"] = role
            if email is not None:
                values["email"] = email
            if values:
                mine = (members.c.project == tx.project) & (members.c.name == name)
                tx.execute(update(members).where(mine).values(**values))
            _keep_an_admin(tx)
            after = member_of(tx, name)
            if after.role != before.role:
                _cancel_runs(tx, lambda held: held["member"] == name and not _within(held["permissions"], after.role))
        forget(self.platform)
        return after

    @operation("DELETE /members/{name}", permission="member.write")
    def remove(self, name: Name) -> Member:
        """Remove a member from the project, revoke the member's keys there and cancel the member's runs."""
        with self.begin() as tx:
            before = member_of(tx, name)
            self._may_grant(before.role)
            tx.execute(sql_delete(members).where(members.c.project == tx.project, members.c.name == name))
            mine = (keys.c.project == tx.project) & (keys.c.member == name) & keys.c.revoked_at.is_(None)
            tx.execute(update(keys).where(mine).values(revoked_at=tx.now))
            _keep_an_admin(tx)
            _cancel_runs(tx, lambda held: held["member"] == name)
        forget(self.platform)
        return before

    def _may_grant(self, role: str) -> None:
        for permission in sorted(ROLES[role]):
            _require_covered(self.caller.permissions, permission)


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
        expires_hours: Annotated[float, Field(gt=0, le=24 * 3660)] | None = None,
        roams: bool = False,
        note: Note = "",
    ) -> NewKey:
        """Make a key for a member (the caller where none is named) and show it, once.

        It can do no more than its member's role, than `permissions`, and than the key that made it. A key that roams
        can be made for oneself only: it opens every project that one is a member of.
        """
        with self.begin() as tx:
            owner = member_of(tx, member or tx.caller.member)
            wanted = sorted(ROLES[owner.role]) if permissions is None else permissions
            for permission in wanted:
                _require_covered(tx.caller.permissions, permission)
            _environment_of(tx, environment)
            environment_for(tx, environment)
            if roams and (owner.name != tx.caller.member or not _key_roams(tx)):
                raise Denied("A key that roams is made for oneself, with a key that roams.", hint="Leave `roams` out.")
            expires = None if expires_hours is None else tx.now + timedelta(hours=expires_hours)
            fields = {"environment": environment, "member": owner.name, "note": note, "roams": roams}
            return add_key(tx, tx.project, **fields, permissions=permissions, expires_at=_within_own(tx, expires))

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
                _require_covered(tx.caller.permissions, permission)
            environment_for(tx, old["environment"])
            if old["roams"] and (owner.name != tx.caller.member or not _key_roams(tx)):
                raise Denied(
                    "A key that roams is rotated by its own member, with a key that roams.", hint="Revoke it instead."
                )
            kept = {name: old[name] for name in ("environment", "member", "note", "roams", "permissions", "expires_at")}
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
                _cancel_runs(tx, lambda held: held["key_id"] == id)
            ended = _key(tx, key_of(tx, id))
        forget(self.platform)
        return ended


def add_project(tx: Tx, name: str, description: str, admin: str) -> Project:
    """Store a project, its first environments and its first admin. Raises Conflict where the name is taken."""
    row = {"project": name, "description": description, "created_at": tx.now, "created_by": admin}
    _insert(tx, projects, row, f"The project {name}")
    for environment, protected in FIRST_ENVIRONMENTS.items():
        _add_environment(tx, name, environment, protected)
    _add_member(tx, name, admin, "admin", "")
    return _project(row)


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


def member_of(tx: Tx, name: str) -> Member:
    """Return a member of the caller's project. Raises NotFound."""
    query = select(members).where(members.c.project == tx.project, members.c.name == name)
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"{name} is not a member of {tx.project}.", hint="`mainspring member list` shows who is.")
    return _member(row)


def is_protected(tx: Tx, environment: str) -> bool:
    """Tell whether an environment of the caller's project takes approved releases only. Raises NotFound."""
    return _environment_of(tx, environment).protected


def protected_environments(tx: Tx) -> list[Environment]:
    """Return the protected environments of the caller's project, by name."""
    query = select(environments).where(environments.c.project == tx.project, environments.c.protected)
    return [_environment(row) for row in tx.execute(query.order_by(environments.c.name)).mappings()]


def environment_for(tx: Tx, environment: str) -> str:
    """Return the environment that a write concerns: the caller's own, or the one that is named.

    Raises NotFound for an unknown one, Denied where the caller's key is bound to another.
    """
    own = tx.caller.environment
    if environment in ("", own):
        return own
    _environment_of(tx, environment)
    if tx.caller.key_id and not _key_roams(tx):
        raise Denied(f"This key is bound to {own}.", hint=f"Use a key of {environment}, or one that roams.")
    return environment


def key_made_by(tx: Tx) -> str:
    """Return the member who made the key that the caller uses; empty where there is no such key."""
    query = select(keys.c.created_by).where(keys.c.id == tx.caller.key_id)
    return str(tx.execute(query).scalar_one_or_none() or "")


def _within_own(tx: Tx, wanted: datetime | None) -> datetime | None:
    """Return when a new key ends: as wanted (None: never), and not after the caller's own key."""
    own = tx.execute(select(keys.c.expires_at).where(keys.c.id == tx.caller.key_id)).scalar_one_or_none()
    return min((end for end in (wanted, own) if end is not None), default=None)


def _within_reach(tx: Tx) -> ColumnElement[bool]:
    """Return the condition on projects that the caller's key sets: its own one, unless it roams."""
    if not tx.caller.key_id or _key_roams(tx):
        return true()
    return projects.c.project == tx.project


def _key_roams(tx: Tx) -> bool:
    query = select(keys.c.roams).where(keys.c.id == tx.caller.key_id)
    return bool(tx.execute(query).scalar_one_or_none())


def _environment_of(tx: Tx, name: str) -> Environment:
    query = select(environments).where(environments.c.project == tx.project, environments.c.name == name)
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no environment {name}.", hint="`mainspring environment list` shows what there is.")
    return _environment(row)


def _add_environment(tx: Tx, project: str, name: str, protected: bool) -> Environment:
    row: dict[str, Any] = {"name": name, "protected": protected, "created_at": tx.now, "created_by": tx.caller.member}
    _insert(tx, environments, {"project": project, **row}, f"The environment {name}")
    return Environment(**row)


def _add_member(tx: Tx, project: str, name: str, role: str, email: str) -> Member:
    row: dict[str, Any] = {
        "name": name,
        "role": role,
        "email": email,
        "created_at": tx.now,
        "created_by": tx.caller.member,
    }
    _insert(tx, members, {"project": project, **row}, f"The member {name}")
    return Member(**row)


def _insert(tx: Tx, table: Any, row: dict[str, Any], what: str) -> None:
    try:
        with tx.conn.begin_nested():
            tx.execute(insert(table).values(**row))
    except IntegrityError:
        raise Conflict(f"{what} exists.", hint="Choose another name.") from None


def _require_covered(held: frozenset[str], permission: str) -> None:
    if not covers(held, permission):
        raise Denied(f"You cannot give '{permission}', which you do not hold.", hint="Ask an admin of the project.")


def _cancel_runs(tx: Tx, unfit: Callable[[Mapping[str, Any]], bool]) -> None:
    """Cancel what would go on with rights that are gone; whoever has them may resume it."""
    cancelled = runs.cancel_where(tx, unfit)
    if cancelled:
        audit.note(cancelled_runs=cancelled)


def _within(permissions: Iterable[str], role: str) -> bool:
    return all(covers(ROLES[role], permission) for permission in permissions)


def _keep_an_admin(tx: Tx) -> None:
    mine = (members.c.project == tx.project) & (members.c.role == "admin")
    if not tx.execute(select(func.count()).select_from(members).where(mine)).scalar_one():
        raise Conflict("The project would have no admin.", hint="Make somebody else an admin first.")


def key_of(tx: Tx, key_id: str) -> RowMapping:
    """Return the row of a key of the caller's project. Raises NotFound."""
    query = select(keys).where(keys.c.project == tx.project, keys.c.id == key_id)
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no key {key_id}.", hint="`mainspring key list` shows what there is.")
    return row


def _state(tx: Tx, row: Any) -> KeyState:
    if row["revoked_at"] is not None:
        return "revoked"
    return "expired" if row["expires_at"] is not None and row["expires_at"] <= tx.now else "active"


def _key(tx: Tx, row: Any) -> Key:
    return Key(state=_state(tx, row), **{name: row[name] for name in Key.model_fields if name != "state"})


def _project(row: Any) -> Project:
    return Project(name=row["project"], **{f: row[f] for f in ("description", "created_at", "created_by")})


def _environment(row: Any) -> Environment:
    return Environment(**{name: row[name] for name in Environment.model_fields})


def _member(row: Any) -> Member:
    return Member(**{name: row[name] for name in Member.model_fields})
