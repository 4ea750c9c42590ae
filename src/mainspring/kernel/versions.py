"""Versions: what has a name and a number, is known by the hash of its content, and never changes."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from mainspring.kernel import aliases
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.records import Record, paginate
from mainspring.kernel.refs import Ref, check_name, parse
from mainspring.kernel.tables import canonical, purged_versions
from mainspring.kernel.tables import versions as table
from mainspring.kernel.tx import Tx


class Version(Record):
    """One version of something that has a name."""

    ref: str
    """`kind/name@number`."""
    kind: str
    name: str
    number: int
    sha256: str
    """Of the canonical JSON of the content."""
    content: Any
    note: str
    created_at: datetime
    created_by: str
    existed: bool = False
    """Whether the commit found identical content and made no new version."""


def content_hash(content: Any) -> str:
    """Return the SHA-256 of the canonical JSON of a value, in hex."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def commit(tx: Tx, kind: str, name: str, content: Any, *, note: str = "") -> Version:
    """Store a new version; identical content returns the version that exists. Raises Invalid for a bad name."""
    check_name(name)
    digest = content_hash(content)
    mine = _of(tx, kind, name)
    found = tx.execute(select(table).where(mine, table.c.sha256 == digest)).mappings().one_or_none()
    if found:
        return _version(found, existed=True)
    gone = purged_versions.c
    theirs = (gone.project == tx.project) & (gone.kind == kind) & (gone.name == name)
    ends = (select(func.max(table.c.number)).where(mine), select(func.max(gone.number)).where(theirs))
    last = max(tx.execute(end).scalar_one() or 0 for end in ends)
    row = {
        "id": tx.new_id(),
        "project": tx.project,
        "kind": kind,
        "name": name,
        "number": last + 1,
        "sha256": digest,
        "content": content,
        "note": note,
        "created_at": tx.now,
        "created_by": tx.caller.member,
    }
    try:
        with tx.conn.begin_nested():
            tx.execute(insert(table).values(**row))
    except IntegrityError:
        raise Conflict(f"{kind}/{name} got another version at the same time.", hint="Try again.") from None
    return _version(row)


def resolve(tx: Tx, ref: str | Ref, kind: str | None = None) -> Version:
    """Return the version that a reference names. Raises Invalid for a malformed one, NotFound for an unknown one."""
    ref = parse(ref, kind) if isinstance(ref, str) else ref
    query = select(table).where(_of(tx, ref.kind, ref.name))
    if ref.number is not None:
        query = query.where(table.c.number == ref.number)
    elif ref.sha256:
        query = query.where(table.c.sha256.startswith(ref.sha256, autoescape=True))
    elif ref.alias:
        number = aliases.current(tx, ref.kind, ref.name).get(ref.alias)
        query = query.where(table.c.number == (-1 if number is None else number))
    rows = tx.execute(query.order_by(table.c.number.desc()).limit(2)).mappings().all()
    if not rows:
        raise NotFound(f"There is no {ref}.", hint=f"`mainspring {ref.kind} list` shows what there is.")
    if ref.sha256 and len(rows) > 1:
        raise Conflict(f"{ref} fits more than one version.", hint="Give more digits of the hash.")
    return _version(rows[0])


def list_(tx: Tx, kind: str, name: str, limit: int = 100, cursor: str = "") -> tuple[list[Version], str | None]:
    """Return one page of the versions of a name, newest first. Raises NotFound for an unknown name."""
    rows, following = paginate(tx, select(table).where(_of(tx, kind, name)), table.c.id, limit, cursor)
    if not rows and not cursor:
        resolve(tx, Ref(kind, name))
    return [_version(row) for row in rows], following


def names(tx: Tx, kind: str, limit: int = 100, cursor: str = "") -> tuple[list[Version], str | None]:
    """Return one page of the names of a kind, in alphabetical order, each with its latest version."""
    mine = (table.c.project == tx.project) & (table.c.kind == kind)
    latest = select(table.c.name.label("n"), func.max(table.c.number).label("m")).where(mine).group_by(table.c.name)
    sub = latest.subquery()
    query = select(table).join(sub, (table.c.name == sub.c.n) & (table.c.number == sub.c.m)).where(mine)
    rows, following = paginate(tx, query, table.c.name, limit, cursor, newest=False)
    return [_version(row) for row in rows], following


def purge(tx: Tx, kind: str, name: str, number: int) -> None:
    """Remove a version for good; the caller's operation is the audit of it. Raises NotFound.

    Its number is not given again, so that a reference never comes to mean something else.
    """
    done = tx.execute(delete(table).where(_of(tx, kind, name), table.c.number == number))
    if not done.rowcount:
        raise NotFound(f"There is no {kind}/{name}@{number}.", hint=f"`mainspring {kind} list` shows what there is.")
    tx.execute(insert(purged_versions).values(project=tx.project, kind=kind, name=name, number=number))


def _of(tx: Tx, kind: str, name: str) -> ColumnElement[bool]:
    return (table.c.project == tx.project) & (table.c.kind == kind) & (table.c.name == name)


def _version(row: RowMapping | dict[str, Any], *, existed: bool = False) -> Version:
    shown = {name: row[name] for name in Version.model_fields if name not in ("ref", "existed")}
    return Version(ref=f"{row['kind']}/{row['name']}@{row['number']}", existed=existed, **shown)
