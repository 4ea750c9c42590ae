"""Sharing: links by which somebody without a key reviews one queue, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime

import msgspec
from sqlalchemy import select

from mainspring.kernel import access
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import Unauthenticated
from mainspring.kernel.platform import Platform
from mainspring.monitoring.annotation.tables import queues
from mainspring.workspace import still_may

GUEST = "guest:"
"""What the name of whoever came by a link begins with: no member has such a name."""
_MAY = frozenset({"queue.write"})


class _Claim(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    project: str
    environment: str
    queue: str
    """Its id: one that comes to have the same name is another."""
    reviewer: str
    shares: int
    expires: float
    """Unix time in seconds."""
    member: str
    key_id: str
    """Who made it, with which key."""
    made: datetime


def token(platform: Platform, caller: Caller, queue: str, reviewer: str, shares: int, expires: datetime) -> str:
    """Return a token for one reviewer of the queue of this id."""
    maker = (caller.member, caller.key_id, platform.clock.now())
    claim = _Claim(caller.project, caller.environment, queue, reviewer, shares, expires.timestamp(), *maker)
    body = base64.urlsafe_b64encode(msgspec.json.encode(claim)).rstrip(b"=")
    return f"{body.decode()}.{_mac(platform, body)}"


def guest_of(platform: Platform, text: str) -> tuple[Caller, str]:
    """Return whom a token acts for, and the queue that it opens.

    Raises Unauthenticated for a token that is forged, expired or taken back, or whose maker has left, alike for all.
    """
    body, _, mac = text[:4000].encode().partition(b".")
    if not hmac.compare_digest(_mac(platform, body).encode(), mac):
        raise _refused()
    try:
        claim = msgspec.json.decode(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)), type=_Claim)
    except (ValueError, msgspec.DecodeError):
        raise _refused() from None
    if claim.expires <= platform.clock.now().timestamp():
        raise _refused()
    caller = Caller(f"{GUEST}{claim.reviewer}", "", claim.project, claim.environment, "annotator", _MAY)
    with access.acting_as(caller), platform.read() as tx:
        mine = (queues.c.project == tx.project) & (queues.c.id == claim.queue) & (queues.c.shares == claim.shares)
        name = tx.execute(select(queues.c.name).where(mine)).scalar_one_or_none()
        if name is None or not still_may(tx, claim.member, claim.key_id, "queue.manage", claim.made):
            raise _refused()
    return caller, str(name)


def _mac(platform: Platform, body: bytes) -> str:
    return hmac.new(platform.keyring.key("queue-links"), body, hashlib.sha256).hexdigest()


def _refused() -> Unauthenticated:
    return Unauthenticated("The link is not valid any more.", hint="Ask whoever sent it for a new one.")
