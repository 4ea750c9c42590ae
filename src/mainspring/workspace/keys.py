"""API keys: `ms_<id>_<secret>`, stored as an HMAC, and who a key acts for.

The secret has 256 random bits, so that a fast keyed hash is enough: there is nothing to guess. The HMAC's key is
derived from the installation's own secret, which does not stand in the database.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, RowMapping, select, update
from sqlalchemy.exc import SQLAlchemyError

from mainspring.kernel.access import ROLES, Caller
from mainspring.kernel.errors import Denied, NotFound, Unauthenticated
from mainspring.kernel.platform import Platform
from mainspring.workspace.tables import environments, keys, members

_TOKEN = re.compile(r"ms_([0-9a-f]{32})_([0-9a-f]{64})")
_CACHE_SECONDS = 5.0
_CACHE_SIZE = 4096
_USED_AGAIN = timedelta(seconds=60)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Known:
    """A key that was checked a moment ago."""

    row: RowMapping
    id: str
    until: datetime
    """When it is to be checked anew: soon, and at once where it expires."""
    callers: dict[tuple[str, str], Caller] = field(default_factory=dict)


@dataclass(slots=True)
class _Memory:
    known: dict[bytes, _Known] = field(default_factory=dict)
    used: dict[str, datetime] = field(default_factory=dict)
    forgotten: int = 0
    """How often all was forgotten."""
    lock: threading.Lock = field(default_factory=threading.Lock)


_memories: WeakKeyDictionary[Platform, _Memory] = WeakKeyDictionary()


def mint(platform: Platform, key_id: str) -> tuple[str, str]:
    """Return a new token for a key id (32 hex digits), and the HMAC that is stored of it."""
    token = f"ms_{key_id}_{secrets.token_hex(32)}"
    return token, mac_of(platform, token)


def mac_of(platform: Platform, token: str) -> str:
    """Return the HMAC-SHA256 of a token in hex."""
    return hmac.new(platform.keyring.key("api-keys"), token.encode(), hashlib.sha256).hexdigest()


def authenticate(platform: Platform, token: str, *, project: str = "", environment: str = "") -> Caller:
    """Return whom a token acts for.

    `project` and `environment` choose others than the key's own, where it roams. Raises Unauthenticated for a token
    that is malformed, unknown, revoked or expired, alike for all; Denied where the choice is not the key's to make.
    An answer is remembered for 5 s at most; a revocation in this process counts at once.
    """
    match = _TOKEN.fullmatch(token) if len(token) < 200 else None
    if match is None:
        raise _refused()
    now = platform.clock.now()
    memory = _memories.setdefault(platform, _Memory())
    digest = digest_of(token)
    known = memory.known.get(digest)
    if known is None or known.until <= now:
        forgotten = memory.forgotten
        row, until = _check(platform, match[1], token), now + timedelta(seconds=_CACHE_SECONDS)
        known = _Known(row, row["id"], until if row["expires_at"] is None else min(until, row["expires_at"]))
        with memory.lock:
            if len(memory.known) >= _CACHE_SIZE:
                memory.known.clear()
            # What was revoked while it was read is not remembered.
            if memory.forgotten == forgotten:
                memory.known[digest] = known
    row = known.row
    if row["revoked_at"] is not None or (row["expires_at"] is not None and row["expires_at"] <= now):
        raise _refused()
    choice = (project or row["project"], environment or row["environment"])
    caller = known.callers.get(choice)
    if caller is None:
        with platform.records.read() as conn:
            caller = known.callers[choice] = known.callers[project, environment] = _caller(conn, row, *choice)
    _mark_used(platform, memory, row["id"], now)
    return caller


def digest_of(token: str) -> bytes:
    """Return what a token is remembered by."""
    return hashlib.sha256(token.encode()).digest()


def recall(platform: Platform, digest: bytes, project: str = "", environment: str = "") -> Caller | None:
    """Return whom the token of a digest acts for where `authenticate` said so a moment ago, without waiting; else None.

    It said it of the same `project` and `environment`.
    """
    memory = _memories.get(platform)
    known = memory.known.get(digest) if memory is not None else None
    if known is None or memory is None:
        return None
    now, used = platform.clock.now(), memory.used.get(known.id)
    if known.until <= now or used is None or now - used >= _USED_AGAIN:
        return None
    return known.callers.get((project, environment))


def forget(platform: Platform) -> None:
    """Forget every checked key of this process: roles or keys have changed."""
    memory = _memories.get(platform)
    if memory is not None:
        with memory.lock:
            memory.known.clear()
            memory.forgotten += 1


def _check(platform: Platform, key_id: str, token: str) -> RowMapping:
    with platform.records.read() as conn:
        row = conn.execute(select(keys).where(keys.c.id == key_id)).mappings().one_or_none()
    stored = row["mac"] if row is not None else "0" * 64
    if not hmac.compare_digest(mac_of(platform, token), stored) or row is None:
        raise _refused()
    return row


def _caller(conn: Connection, row: RowMapping, project: str, environment: str) -> Caller:
    moved = (project, environment) != (row["project"], row["environment"])
    if moved and not row["roams"]:
        raise Denied(
            "This key is bound to its project and environment.",
            hint=f"Leave the choice out, or use a key of project '{project[:128]}' and '{environment[:128]}'.",
        )
    member = select(members.c.role).where(members.c.project == project, members.c.name == row["member"])
    role = conn.execute(member).scalar_one_or_none()
    if role is None:
        # A member that was removed has no key any more; a project that one is not in does not exist.
        if project == row["project"]:
            raise _refused()
        raise NotFound(f"There is no project {project[:128]}.", hint="`mainspring project list` shows yours.")
    if moved and environment != row["environment"]:
        there = select(environments.c.name).where(environments.c.project == project, environments.c.name == environment)
        if conn.execute(there).one_or_none() is None:
            raise NotFound(f"There is no environment {environment[:128]}.", hint="`mainspring environment list`.")
    held = ROLES[role]
    allowed = held if row["permissions"] is None else meet(held, row["permissions"])
    asked = None if row["models"] is None else tuple(row["models"])
    return Caller(row["member"], row["id"], project, environment, role, frozenset(allowed), asked)


def _mark_used(platform: Platform, memory: _Memory, key_id: str, now: datetime) -> None:
    last = memory.used.get(key_id)
    if last is not None and now - last < _USED_AGAIN:
        return
    memory.used[key_id] = now
    try:
        with platform.records.begin() as conn:
            conn.execute(update(keys).where(keys.c.id == key_id).values(last_used_at=now))
    except SQLAlchemyError:
        # A request is not refused because a note about it could not be written; the next minute tries again.
        _log.warning("the last use of key %s was not recorded", key_id, exc_info=True)


def _refused() -> Unauthenticated:
    return Unauthenticated("The API key is not valid.", hint="Send a key that is active: 'Authorization: Bearer ms_…'.")


def covers(held: frozenset[str], wanted: str) -> bool:
    """Tell whether one of the held permissions includes all of `wanted`, in which `*` may stand."""
    return any(_meet(mine, wanted) == wanted for mine in held)


def canonical(asked: str) -> str:
    """Return what may be asked with its kind: `docs` is the deployment docs."""
    return asked if "/" in asked or asked == "*" else f"deployment/{asked}"


def within(held: Sequence[str] | None, asked: str) -> bool:
    """Tell whether a name, or all that a pattern stands for, is among what a key may ask for (None: everything)."""
    if held is None:
        return True
    name = canonical(asked)
    bare = name.partition("@")[0]
    return any(name.startswith(mine[:-1]) if mine.endswith("*") else mine in (name, bare) for mine in held)


def require_asked(caller: Caller, name: str) -> None:
    """Raise Denied where the caller's key may not ask for a model, a release, a deployment or a provider's model."""
    if not within(caller.models, name):
        raise Denied(
            f"This key may not ask for {name[:300]}.", hint="GET /v1/models lists what it may ask for.", param="model"
        )


def meet(left: Any, right: Any) -> set[str]:
    """Return what both sets of permissions allow."""
    return {both for one in left for other in right if (both := _meet(one, other)) is not None}


def _meet(one: str, other: str) -> str | None:
    parts = []
    for a, b in zip(one.split("."), other.split("."), strict=True):
        if a != b and "*" not in (a, b):
            return None
        parts.append(b if a == "*" else a)
    return ".".join(parts)
