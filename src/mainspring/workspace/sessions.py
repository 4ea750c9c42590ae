"""Browser sessions: a random id in a cookie stands for the API key that somebody signed in with."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import delete, insert, select

from mainspring.kernel import access
from mainspring.kernel.platform import Platform
from mainspring.workspace.tables import sessions as table

LIFETIME = timedelta(days=7)


def start(platform: Platform, api_key: str) -> str:
    """Remember a key that has just been checked; return the random id (256 bits) for the cookie."""
    session_id = secrets.token_urlsafe(32)
    with access.acting_as(access.system()), platform.begin() as tx:
        tx.execute(delete(table).where(table.c.expires_at < tx.now))
        sealed = _seal(platform).encrypt(api_key.encode()).decode()
        row = {"id_hash": _hash(session_id), "sealed_key": sealed, "expires_at": tx.now + LIFETIME}
        tx.execute(insert(table).values(**row))
    return session_id


def key_of(platform: Platform, session_id: str) -> str | None:
    """Return the key behind a session, or None where it is unknown or over."""
    with access.acting_as(access.system()), platform.read() as tx:
        query = select(table.c.sealed_key).where(table.c.id_hash == _hash(session_id), table.c.expires_at > tx.now)
        sealed = tx.execute(query).scalar_one_or_none()
    try:
        return _seal(platform).decrypt(sealed.encode()).decode() if sealed else None
    except InvalidToken:
        return None


def end(platform: Platform, session_id: str) -> None:
    """Forget a session."""
    with access.acting_as(access.system()), platform.begin() as tx:
        tx.execute(delete(table).where(table.c.id_hash == _hash(session_id)))


def _hash(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()


def _seal(platform: Platform) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(platform.keyring.key("ui-sessions")))
