"""The workspace's operations: projects, environments, members and keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, true, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError

from mainspring.kernel import access
from mainspring.kernel.access import ROLES, Role
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, paginate
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.workspace.keys import covers, forget
from mainspring.workspace.lookups import (
    as_environment,
    as_member,
    cancel_runs,
    key_roams,
    member_of,
    require_covered,
)
from mainspring.workspace.models import Email, Environment, Member, Note, Project
from mainspring.workspace.tables import environments, keys, members, projects

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
        return Page[Environment](items=[as_environment(row) for row in rows], next_cursor=following)


class Members(Service):
    """Members of the project and their roles."""

    noun = "member"

    @operation("POST /members", permission="member.write", status=201)
    def add(self, name: Name, role: Role, *, email: Email = "") -> Member:
        """Add a member to the project; the role may allow nothing that the caller may not do."""
        if name == access.system().member:
            raise Invalid(f"'{name}' is what the audit log calls the product itself.", hint="Choose another name.")
        with self.begin() as tx:
            self._may_grant(role)
            return _add_member(tx, tx.project, name, role, email)

    @operation("GET /members", permission="member.read")
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Member]:
        """List the members of the project, by name."""
        with self.read() as tx:
            query = select(members).where(members.c.project == tx.project)
            rows, following = paginate(tx, query, members.c.name, limit, cursor, newest=False)
        return Page[Member](items=[as_member(row) for row in rows], next_cursor=following)

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
                cancel_runs(tx, lambda held: held["member"] == name and not _within(held["permissions"], after.role))
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
            cancel_runs(tx, lambda held: held["member"] == name)
        forget(self.platform)
        return before

    def _may_grant(self, role: str) -> None:
        for permission in sorted(ROLES[role]):
            require_covered(self.caller.permissions, permission)


def add_project(tx: Tx, name: str, description: str, admin: str) -> Project:
    """Store a project, its first environments and its first admin. Raises Conflict where the name is taken."""
    row = {"project": name, "description": description, "created_at": tx.now, "created_by": admin}
    _insert(tx, projects, row, f"The project {name}")
    for environment, protected in FIRST_ENVIRONMENTS.items():
        _add_environment(tx, name, environment, protected)
    _add_member(tx, name, admin, "admin", "")
    return _project(row)


def _within_reach(tx: Tx) -> ColumnElement[bool]:
    """Return the condition on projects that the caller's key sets: its own one, unless it roams."""
    if not tx.caller.key_id or key_roams(tx):
        return true()
    return projects.c.project == tx.project


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


def _within(permissions: Iterable[str], role: str) -> bool:
    return all(covers(ROLES[role], permission) for permission in permissions)


def _keep_an_admin(tx: Tx) -> None:
    mine = (members.c.project == tx.project) & (members.c.role == "admin")
    if not tx.execute(select(func.count()).select_from(members).where(mine)).scalar_one():
        raise Conflict("The project would have no admin.", hint="Make somebody else an admin first.")


def _project(row: Any) -> Project:
    return Project(name=row["project"], **{f: row[f] for f in ("description", "created_at", "created_by")})
