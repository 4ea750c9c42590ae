"""Who is calling, and what they may do.

A permission is `resource.action`; a role is a set of permissions, written with `*` for any resource or action.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, get_args

from mainspring.kernel.errors import Cancelled, Denied, Unauthenticated

Role = Literal["viewer", "annotator", "developer", "operator", "auditor", "admin"]

ROLES: dict[str, frozenset[str]] = {
    "viewer": frozenset({"*.read"}),
    "annotator": frozenset({"*.read", "score.write", "queue.write", "comment.write", "view.write"}),
    "developer": frozenset(
        {"*.read", "*.use", "run.write", "prompt.label", "queue.manage", "queue.adjudicate", "trace.export"}
        | {"trace.delete"}
        | {
            f"{noun}.write"
            for noun in (
                "dataset profile recipe prompt scorer suite experiment model tune release guard trace score file "
                "price monitor drift issue queue loadtest redteam pipeline evaluator comment view board"
            ).split()
        }
    ),
    "operator": frozenset(
        {"*.read", "*.use", "run.write", "release.approve", "prompt.label", "prompt.promote", "queue.adjudicate"}
        | {"trace.export", "trace.delete"}
        | {
            f"{noun}.write"
            for noun in (
                "deployment engine provider budget monitor alert channel silence score trace price retention capture "
                "file pipeline evaluator model dataset guard drift issue route cache comment view board"
            ).split()
        }
    ),
    "auditor": frozenset({"*.read", "audit.verify", "release.approve", "trace.export"}),
    "admin": frozenset({"*.*"}),
}
assert set(ROLES) == set(get_args(Role))


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf something is done."""

    member: str
    """Name of the member, or `system` for the product's own work."""
    key_id: str
    """Identifier of the key that was used, or empty for the product's own work."""
    project: str
    environment: str
    role: str
    permissions: frozenset[str]
    """What the key allows: its role's permissions, or fewer."""
    models: tuple[str, ...] | None = None
    """What the key may ask for in `model`; None for whatever its permissions allow."""

    def may(self, permission: str) -> bool:
        """Tell whether the caller holds `resource.action`, directly or through a wildcard."""
        resource, _, action = permission.partition(".")
        held = self.permissions
        return permission in held or f"*.{action}" in held or f"{resource}.*" in held or "*.*" in held


_current: ContextVar[Caller | None] = ContextVar("mainspring_caller", default=None)


def current() -> Caller:
    """Return the present caller. Raises Unauthenticated where there is none."""
    caller = _current.get()
    if caller is None:
        raise Unauthenticated("Nobody is signed in.", hint="Send an API key as 'Authorization: Bearer ms_…'.")
    return caller


@contextmanager
def acting_as(caller: Caller) -> Iterator[Caller]:
    """Do what is in the block on behalf of `caller`."""
    token = _current.set(caller)
    try:
        yield caller
    finally:
        _current.reset(token)


leaving: ContextVar[Callable[[], bool] | None] = ContextVar("mainspring_leaving", default=None)
"""Tells whether whoever waits for the present call has gone away; None where nobody can know."""


def check_waited_for() -> None:
    """Raise Cancelled where nobody waits for the outcome of the present call any more."""
    gone = leaving.get()
    if gone is not None and gone():
        raise Cancelled("Whoever asked has gone away.")


def system(project: str = "default", environment: str = "") -> Caller:
    """Return the product itself as a caller, for work that no member started."""
    return Caller("system", "", project, environment, "admin", ROLES["admin"])


def require(caller: Caller, permission: str) -> None:
    """Raise Denied where the caller does not hold the permission."""
    if not caller.may(permission):
        raise Denied(
            f"{caller.member} ({caller.role}) may not do this: it needs the permission '{permission}'.",
            hint="Ask an admin of the project for a key with a role that has it.",
        )
