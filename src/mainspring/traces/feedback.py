"""Feedback of end users: with a token that a page may hold, one trace or session can be judged, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from pydantic import Field
from sqlalchemy import delete

from mainspring.kernel import access
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import Denied, Invalid, Unauthenticated
from mainspring.kernel.operation import operation
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Name, Record
from mainspring.kernel.service import Service
from mainspring.traces import scores as score_store
from mainspring.traces.models import Score, TraceId, Word
from mainspring.traces.tables import scores
from mainspring.workspace import still_may

END_USER = "end-user"
"""Whom a score names that an end user gave: no member's name holds what follows it, a colon and the token's mark."""
_PURPOSE = "feedback-tokens"
Names = Annotated[list[Name], Field(min_length=1, max_length=10)]
Hours = Annotated[int, Field(ge=1, le=24 * 90)]


class FeedbackToken(Record):
    """A token for one trace or session."""

    token: str
    """Send it to `POST /api/v1/feedback`; it may stand in a page."""
    names: list[str]
    expires_at: datetime


class _Claim(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    project: str
    environment: str
    trace_id: str
    session_id: str
    names: list[str]
    expires: float
    """Unix time in seconds."""
    member: str
    key_id: str
    """Who made it, with which key."""
    made: datetime


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an end user says: the body of `POST /api/v1/feedback`."""

    token: Annotated[str, msgspec.Meta(max_length=4000)]
    name: Annotated[str, msgspec.Meta(max_length=128)]
    number: Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)] | None = None
    label: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    comment: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    correction: Annotated[str, msgspec.Meta(max_length=20_000)] = ""


class Feedback(Service):
    """Feedback of end users."""

    noun = "feedback"

    @operation("POST /feedback/tokens", permission="score.write", status=201)
    def token(
        self, *, trace_id: TraceId | None = None, session_id: Word = "", names: Names | None = None, hours: Hours = 24
    ) -> FeedbackToken:
        """Make a token with which an end user may judge one trace or session, under these names of scores.

        Whoever holds it can say one thing under each name; saying it again takes the place of what was said before.
        It ends with its hours, with the member who made it, and where the key that made it is revoked.
        """
        if bool(trace_id) == bool(session_id):
            raise Invalid("Feedback is of one trace or one session.", hint="Give trace_id or session_id.")
        caller, now = self.caller, self.platform.clock.now()
        ends = now + timedelta(hours=hours)
        allowed = names or ["feedback"]
        claim = _Claim(
            caller.project,
            caller.environment,
            trace_id or "",
            session_id,
            allowed,
            round(ends.timestamp(), 3),
            caller.member,
            caller.key_id,
            now,
        )
        body = base64.urlsafe_b64encode(msgspec.json.encode(claim)).rstrip(b"=")
        return FeedbackToken(token=f"{body.decode()}.{_mac(self.platform, body)}", names=allowed, expires_at=ends)


def give(platform: Platform, said: Said) -> Score:
    """Store what an end user says, in the place of what was said before with the same token under the same name.

    Raises Unauthenticated for a token that is forged or expired, or whose maker may not score any more; Denied for
    another name, Invalid for nothing said.
    """
    body, _, mac = said.token.encode().partition(b".")
    if not hmac.compare_digest(_mac(platform, body).encode(), mac):
        raise _refused()
    try:
        claim = msgspec.json.decode(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)), type=_Claim)
    except (ValueError, msgspec.DecodeError):
        raise _refused() from None
    if claim.expires <= platform.clock.now().timestamp():
        raise _refused()
    if said.name not in claim.names:
        raise Denied(f"This token is not for '{said.name}'.", hint=f"It is for {', '.join(claim.names)}.")
    member = f"{END_USER}:{hashlib.sha256(mac).hexdigest()[:16]}"
    caller = Caller(member, "", claim.project, claim.environment, "viewer", frozenset({"score.write"}))
    with access.acting_as(caller), platform.begin() as tx:
        if not still_may(tx, claim.member, claim.key_id, "score.write", claim.made):
            raise _refused()
        mine = (scores.c.project == tx.project) & (scores.c.created_by == member) & (scores.c.name == said.name)
        mine &= (scores.c.trace_id == claim.trace_id) & (scores.c.session_id == claim.session_id)
        tx.execute(delete(scores).where(mine))
        return score_store.put(
            tx,
            said.name,
            trace_id=claim.trace_id,
            session_id=claim.session_id,
            number=said.number,
            label=said.label,
            comment=said.comment,
            correction=said.correction,
        )


def _mac(platform: Platform, body: bytes) -> str:
    return hmac.new(platform.keyring.key(_PURPOSE), body, hashlib.sha256).hexdigest()


def _refused() -> Unauthenticated:
    return Unauthenticated("The feedback token is not valid.", hint="Ask the server for a new one.")
