"""Channels: where alerts are sent, each message at least once, through the durable outbox."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import RowMapping, insert, select
from sqlalchemy.exc import IntegrityError

from mainspring.kernel import events
from mainspring.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from mainspring.kernel.platform import Platform
from mainspring.kernel.tx import Tx
from mainspring.monitoring import mail, messages, silences
from mainspring.monitoring.models import Alert, Channel, ChannelKind, Severity
from mainspring.monitoring.outgoing import SECRETS, check_url, post, reachable
from mainspring.monitoring.tables import channels

TOPIC = "alert.message"
_RANK = {"info": 0, "warning": 1, "critical": 2}


def check(platform: Platform, kind: ChannelKind, url: str) -> None:
    """Refuse a place that nothing would be sent to: what is no URL by Invalid, an inner address by Denied.

    The name is looked up, and so no transaction should be open. One that has no address now may have one when something
    is sent, and is checked again then.
    """
    parts = _parts(kind, url)
    secure = parts.scheme in ("https", "smtps")
    with suppress(Unavailable):
        reachable(parts.hostname or "", parts.port or (443 if secure else 80), allow_private=_allows(platform))


def add(tx: Tx, name: str, kind: ChannelKind, url: str, secret: str, min_severity: Severity = "info") -> Channel:
    """Store a channel. Raises Conflict where the name is taken, Invalid for a URL that is none."""
    parts = _parts(kind, url)
    host = parts.hostname or ""
    if kind == "pagerduty" and not secret:
        raise Invalid("PagerDuty asks for a routing key.", hint="Give it as the secret.", param="secret")
    sealed = _safe(tx.platform).encrypt(json.dumps({"url": url, "secret": secret}).encode()).decode()
    row: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "host": host,
        "min_severity": min_severity,
        "created_at": tx.now,
        "created_by": tx.caller.member,
    }
    try:
        with tx.conn.begin_nested():
            tx.execute(insert(channels).values(id=tx.new_id(), project=tx.project, sealed=sealed, **row))
    except IntegrityError:
        raise Conflict(f"There is a channel {name} already.", hint="Delete it first, or take another name.") from None
    return Channel(**row, signed=bool(secret))


def find(tx: Tx, name: str) -> RowMapping:
    """Return a channel's row. Raises NotFound."""
    mine = (channels.c.project == tx.project) & (channels.c.name == name)
    row = tx.execute(select(channels).where(mine)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no channel {name}.", hint="`mainspring channel list` shows them.")
    return row


def shown(platform: Platform, row: RowMapping) -> Channel:
    """Return a channel without its URL and secret."""
    facts = {name: row[name] for name in Channel.model_fields if name != "signed"}
    return Channel(**facts, signed=bool(_open(platform, row)["secret"]))


def announce(tx: Tx, what: str, alert: Alert, wanted: list[str]) -> None:
    """Queue a message about an alert for each of the channels, or for all of the project's where none is named.

    A silence keeps it, and a channel takes what is as severe as it asks for.
    """
    if silences.over(tx, alert):
        return
    known = select(channels.c.name, channels.c.min_severity).where(channels.c.project == tx.project)
    for row in tx.execute(known).mappings():
        name, least = row["name"], row["min_severity"]
        if (not wanted or name in wanted) and _RANK[alert.severity] >= _RANK[least]:
            message = {"id": tx.new_id(), "type": what, "project": tx.project, "alert": alert.model_dump(mode="json")}
            events.emit(tx, TOPIC, {"channel": name, "message": message})


def example(tx: Tx) -> dict[str, Any]:
    """Return a message that says that it is a test."""
    alert = {"title": "Test of a channel", "summary": "Alerts of this project arrive here.", "severity": "info"}
    return {"id": tx.new_id(), "type": "channel.test", "project": tx.project, "alert": alert}


def deliver(platform: Platform, payload: dict[str, Any]) -> None:
    """Send one queued message; the outbox tries again where this raises."""
    try:
        with platform.read() as tx:
            row = find(tx, payload["channel"])
    except NotFound:
        return  # the channel was deleted since
    status = send(platform, row, payload["message"])
    if status >= 300:
        raise Unavailable(f"The channel {row['name']} answered {status}.")


def send(platform: Platform, row: RowMapping, message: dict[str, Any]) -> int:
    """Send a message to a channel and return the status of its answer. Raises Denied, Unavailable."""
    opened = _open(platform, row)
    allow_private = _allows(platform)
    if row["kind"] == "email":
        return mail.send(opened["url"], message, allow_private=allow_private)
    document = message
    if row["kind"] == "slack":
        document = messages.slack(message)
    elif row["kind"] == "pagerduty":
        document = messages.pager_duty(message, opened["secret"])
    body = json.dumps(document, sort_keys=True).encode()
    headers = {"content-type": "application/json", "x-mainspring-delivery": str(message["id"])}
    if opened["secret"] and row["kind"] != "pagerduty":
        digest = hmac.new(opened["secret"].encode(), body, hashlib.sha256).hexdigest()
        headers["x-mainspring-signature"] = f"sha256={digest}"
    return post(opened["url"], body, headers, allow_private=allow_private)


def _parts(kind: ChannelKind, url: str) -> SplitResult:
    return mail.check_place(url) if kind == "email" else check_url(url, secrets=SECRETS)


def _allows(platform: Platform) -> bool:
    return bool(platform.settings["webhook.allow_private"])


def _open(platform: Platform, row: RowMapping) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(_safe(platform).decrypt(row["sealed"].encode()))
    except InvalidToken:
        raise Invalid(
            f"The channel {row['name']} was sealed with another secret.key.", hint="Delete it, and create it again."
        ) from None
    return found


def _safe(platform: Platform) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(platform.keyring.key("channels")))
