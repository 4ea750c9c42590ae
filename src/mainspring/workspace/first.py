"""The first start: a project, its owner, and the owner's key."""

from __future__ import annotations

from sqlalchemy import select

from mainspring.kernel import access, audit
from mainspring.kernel.platform import Platform
from mainspring.workspace.key_service import add_key
from mainspring.workspace.models import NewKey
from mainspring.workspace.service import add_project
from mainspring.workspace.tables import members, projects


def first_start(platform: Platform, *, project: str = "default", owner: str = "owner") -> NewKey | None:
    """Create the first project, its owner (an admin) and a roaming key; None where there is a project already.

    Only whoever runs the server calls this; it is no operation.
    """
    with access.acting_as(access.system(project)), platform.begin() as tx:
        if tx.execute(select(projects.c.project).limit(1)).one_or_none() is not None:
            return None
        add_project(tx, project, "", owner)
        fields = {"environment": "production", "member": owner, "note": "first start", "roams": True}
        key = add_key(tx, project, **fields, permissions=None, models=None, expires_at=None)
        audit.append(tx, "key.create", f"first start, key {key.id} of {owner}", "ok", {})
    return key


def projects_of(platform: Platform, member: str) -> list[str]:
    """Return the names of the projects (at most 1,000) that a member is in, in order."""
    query = select(members.c.project).where(members.c.name == member).order_by(members.c.project).limit(1000)
    with platform.records.read() as conn:
        return list(conn.execute(query).scalars())
