"""Providers: servers of models elsewhere, each with a key that is sealed, and bound to the host it was given for."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.kernel.records import Page, paginate
from mainspring.kernel.tx import Tx
from mainspring.registry.models import Patience, Provider, ProviderKind
from mainspring.registry.tables import providers as table
from mainspring.safety import outgoing
from mainspring.safety.addresses import check_url

RESERVED = frozenset("model release deployment prompt dataset guard suite experiment provider run trace".split())
"""Kinds of references: `model="NAME/…"` must not mean two things."""
SETTING = "targets.allow_private"
_PREFIX = "provider/"


@dataclass(frozen=True, slots=True)
class Remote:
    """A model elsewhere: what serving needs to ask it."""

    provider: str
    """The provider's name."""
    kind: ProviderKind
    url: str
    model: str
    """What the provider calls it."""
    patience: Patience
    api_key: str = field(repr=False)


def source_of(provider: str, remote: str) -> str:
    """Return the source of a model version that a provider serves."""
    return f"{_PREFIX}{provider}:{remote}"


def parts_of(source: str) -> tuple[str, str]:
    """Return the provider's name, and what it calls the model."""
    name, _, remote = source.removeprefix(_PREFIX).partition(":")
    return name, remote


def add(tx: Tx, name: str, kind: ProviderKind, url: str, *, api_key: str, patience: Patience, note: str) -> Provider:
    """Store a provider. Raises Conflict where the name is taken, Invalid, Denied for a place that may not be called."""
    if name in RESERVED:
        raise Invalid(f"'{name}' is a kind of reference.", hint="Take another name.")
    found, place = _place(tx, kind, url, keyed=bool(api_key))
    now = {"changed_at": tx.now, "changed_by": tx.caller.member}
    row: dict[str, Any] = {
        "project": tx.project,
        "name": name,
        "kind": kind,
        "url": found,
        "sealed": _sealed(tx, place, api_key),
        **patience.model_dump(),
        "note": note,
        "created_at": tx.now,
        "created_by": tx.caller.member,
        **now,
    }
    try:
        with tx.conn.begin_nested():
            tx.execute(insert(table).values(**row))
    except IntegrityError:
        raise Conflict(f"There is a provider {name} already.", hint=f"`mainspring provider update {name}`.") from None
    return _shown(row)


def change(
    tx: Tx, name: str, *, url: str | None, api_key: str | None, patience: Mapping[str, float], note: str | None
) -> Provider:
    """Change what is given. Raises NotFound, Invalid where the host changes and the key is not given again."""
    row = _row(tx, name)
    bound = _opened(tx, row)
    key = bound["key"] if api_key is None else api_key
    found, place = _place(tx, row["kind"], url or row["url"], keyed=bool(key))
    if bound["key"] and api_key is None and place != bound["place"]:
        raise Invalid(
            f"The key of {name} is bound to {bound['place']}.", hint="Give the key again together with the new URL."
        )
    changes: dict[str, Any] = {"url": found, "sealed": _sealed(tx, place, key), **patience}
    if note is not None:
        changes["note"] = note
    changes |= {"changed_at": tx.now, "changed_by": tx.caller.member}
    tx.execute(update(table).where(_mine(tx, name)).values(**changes))
    return _shown({**row, **changes})


def get(tx: Tx, name: str) -> Provider:
    """Return a provider. Raises NotFound."""
    return _shown(_row(tx, name))


def page(tx: Tx, limit: int, cursor: str) -> Page[Provider]:
    """Return one page of the providers, by name."""
    query = select(table).where(table.c.project == tx.project)
    rows, following = paginate(tx, query, table.c.name, limit, cursor, newest=False)
    return Page[Provider](items=[_shown(dict(row)) for row in rows], next_cursor=following)


def remove(tx: Tx, name: str) -> None:
    """Forget a provider and its key. Raises NotFound."""
    get(tx, name)
    tx.execute(delete(table).where(_mine(tx, name)))


def remote(tx: Tx, name: str, model: str) -> Remote:
    """Return what it takes to ask a provider for a model. Raises NotFound, Invalid, Denied."""
    row = _row(tx, name)
    bound = _opened(tx, row)
    url, place = _place(tx, row["kind"], row["url"], keyed=bool(bound["key"]))
    if bound["key"] and place != bound["place"]:
        raise Invalid(f"The key of {name} is bound to {bound['place']}.", hint=f"`mainspring provider update {name}`.")
    patience = Patience(**{part: row[part] for part in Patience.model_fields})
    return Remote(name, row["kind"], url, model, patience, bound["key"])


def _place(tx: Tx, kind: ProviderKind, url: str, *, keyed: bool) -> tuple[str, str]:
    """Return the URL as it is called, and the scheme, host and port that a key is bound to. Raises Invalid, Denied."""
    parts = check_url(url, secrets="The key has a place of its own: --api-key-stdin.")
    if parts.query or parts.fragment:
        raise Invalid("A provider's URL takes no query.", hint="Write https://host/v1.")
    allowed = bool(tx.platform.settings[SETTING])
    outgoing.check_place(parts, keyed=keyed, allow_private=allowed, setting=SETTING)
    return _base(kind, parts), f"{parts.scheme}://{parts.netloc.lower()}"


def _base(kind: ProviderKind, parts: SplitResult) -> str:
    """Return the URL under which the dialect's paths begin: a vendor's own is often written without its version."""
    path = parts.path.rstrip("/")
    for end in ("/chat/completions", "/messages", "/models"):
        path = path.removesuffix(end)
    if not path or (kind == "anthropic" and not path.endswith("/v1")):
        path += "/v1"
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _mine(tx: Tx, name: str) -> Any:
    return (table.c.project == tx.project) & (table.c.name == name)


def _row(tx: Tx, name: str) -> dict[str, Any]:
    row = tx.execute(select(table).where(_mine(tx, name))).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no provider {name[:128]}.", hint="`mainspring provider list` shows them.")
    return dict(row)


def _shown(row: dict[str, Any]) -> Provider:
    facts = {part: row[part] for part in Provider.model_fields if part != "keyed"}
    return Provider(**facts, keyed=bool(row["sealed"]))


def _sealed(tx: Tx, place: str, key: str) -> str:
    """Return the key sealed together with the place it may go to; empty for no key."""
    if not key:
        return ""
    if any(ord(character) <= 32 or ord(character) > 126 for character in key):
        raise Invalid("The key holds characters that no header carries.", hint="Give the key alone, without a break.")
    sealed = Fernet(_secret(tx)).encrypt(json.dumps({"place": place, "key": key}).encode())
    return sealed.decode()


def _opened(tx: Tx, row: dict[str, Any]) -> Mapping[str, str]:
    if not row["sealed"]:
        return {"place": "", "key": ""}
    try:
        return _open(_secret(tx), row["sealed"])
    except InvalidToken:
        hint = f"Give the key again: `mainspring provider update {row['name']} --api-key-stdin`."
        raise Invalid(f"The key of {row['name']} was sealed with another secret.key.", hint=hint) from None


@lru_cache(256)
def _open(secret: bytes, sealed: str) -> Mapping[str, str]:
    found: dict[str, str] = json.loads(Fernet(secret).decrypt(sealed.encode()))
    return found


def _secret(tx: Tx) -> bytes:
    return base64.urlsafe_b64encode(tx.platform.keyring.key("providers"))


def headers(remote: Remote) -> dict[str, str]:
    """Return the headers that a provider's dialect asks for, with its key."""
    found = {"content-type": "application/json"}
    if remote.kind == "anthropic":
        found["anthropic-version"] = "2023-06-01"
        return {**found, "x-api-key": remote.api_key} if remote.api_key else found
    return {**found, "authorization": f"Bearer {remote.api_key}"} if remote.api_key else found


def said(remote: Remote, body: Any) -> str:
    """Return the message of an error's body, in either dialect, without the key; empty where there is none."""
    error = body.get("error") if isinstance(body, Mapping) else None
    text = str(error.get("message") or "" if isinstance(error, Mapping) else error or "")
    if not text and isinstance(body, Mapping):
        text = str(body.get("message") or body.get("detail") or "")
    return (text.replace(remote.api_key, "[secret]") if remote.api_key else text)[:300]
