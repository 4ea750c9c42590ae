"""Labels: names that move from version to version, and the protection of those that traffic follows.

A label named as a protected environment (`production` at first) is protected from the start; anything else where an
admin says so. Moving a protected label needs one more permission than moving another.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select

from mainspring.kernel import aliases
from mainspring.kernel.access import ROLES
from mainspring.kernel.aliases import AliasMove
from mainspring.kernel.errors import Denied, Invalid, NotFound
from mainspring.kernel.records import Page, decode_cursor, encode_cursor
from mainspring.kernel.refs import check_name
from mainspring.kernel.tx import Tx
from mainspring.prompts.models import LabelProtection
from mainspring.prompts.tables import protections as table
from mainspring.workspace import protected_environments

PROMOTE = "prompt.promote"
"""The permission that moving a protected label needs."""


def move(tx: Tx, name: str, label: str, number: int | None, note: str) -> AliasMove:
    """Point a label at a version, or at none. Raises Denied for a protected label, Invalid, NotFound."""
    check_name(label)
    if not tx.caller.may(PROMOTE) and label in protected(tx):
        raise Denied(
            f"The label '{label}' is protected: {tx.caller.member} ({tx.caller.role}) may not move it; "
            f"it needs the permission '{PROMOTE}'.",
            hint=f"Ask somebody with the role {' or '.join(_roles())}, or move a label that is not protected.",
        )
    if number is None and label not in aliases.current(tx, "prompt", name):
        raise NotFound(f"prompt/{name} has no label '{label}'.", hint=f"`mainspring prompt history {name}` shows them.")
    return aliases.move(tx, "prompt", name, label, number, note=note)


def protect(tx: Tx, label: str, on: bool) -> LabelProtection:
    """Protect a label in every prompt of the project, or let it go. Raises Invalid, NotFound."""
    check_name(label)
    if label == "latest" or label.isdigit():
        raise Invalid(f"'{label}' is no label.", hint="Labels are names such as production.")
    was = protected(tx)
    if not on and label not in was:
        raise NotFound(f"The label '{label}' is not protected.", hint="`mainspring prompt protections` lists them.")
    row: dict[str, Any] = {"protected": on, "changed_at": tx.now, "changed_by": tx.caller.member}
    tx.execute(insert(table).values(id=tx.new_id(), project=tx.project, label=label, **row))
    return _protection(label, row["changed_at"], row["changed_by"]) if on else was[label]


def protected(tx: Tx) -> dict[str, LabelProtection]:
    """Return the labels that are protected, by name."""
    found = {
        environment.name: _protection(environment.name, environment.created_at, environment.created_by)
        for environment in protected_environments(tx)
    }
    last = select(func.max(table.c.id)).where(table.c.project == tx.project).group_by(table.c.label)
    for row in tx.execute(select(table).where(table.c.id.in_(last))).mappings():
        found.pop(row["label"], None)
        if row["protected"]:
            found[row["label"]] = _protection(row["label"], row["changed_at"], row["changed_by"])
    return dict(sorted(found.items()))


def _protection(label: str, at: datetime, by: str) -> LabelProtection:
    return LabelProtection(label=label, permission=PROMOTE, roles=_roles(), protected_at=at, protected_by=by)


def _roles() -> list[str]:
    held = ("*.*", PROMOTE, "prompt.*", "*.promote")
    return sorted(role for role, permissions in ROLES.items() if any(one in permissions for one in held))


def page(found: list[LabelProtection], limit: int, cursor: str) -> Page[LabelProtection]:
    """Return one page of protections that are in order of their labels."""
    after = decode_cursor(cursor) if cursor else ""
    rest = [item for item in found if item.label > after]
    following = encode_cursor(rest[limit - 1].label) if len(rest) > limit else None
    return Page(items=rest[:limit], next_cursor=following)
