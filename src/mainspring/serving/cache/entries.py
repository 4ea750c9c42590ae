"""Entries: the answers that are kept, as they stand in the records."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, insert, not_, select, update
from sqlalchemy.exc import IntegrityError

from mainspring.kernel import hooks
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.platform import Platform
from mainspring.serving.cache.tables import cache_counts, cache_entries

if TYPE_CHECKING:
    import numpy as np

_BATCH = 500
COUNTS = ("hits", "semantic", "misses", "stored", "saved")
Place = tuple[str, str, str]
"""Project, environment and name."""


def by_key(conn: Connection, project: str, key: str, now: datetime) -> RowMapping | None:
    """Return the entry of a key, unless it has expired."""
    c = cache_entries.c
    return (
        conn.execute(select(cache_entries).where(c.project == project, c.key == key, c.expires_at > now))
        .mappings()
        .one_or_none()
    )


def by_id(conn: Connection, project: str, id: str, now: datetime) -> RowMapping | None:
    """Return an entry by its id, unless it has expired or is gone."""
    c = cache_entries.c
    return (
        conn.execute(select(cache_entries).where(c.project == project, c.id == id, c.expires_at > now))
        .mappings()
        .one_or_none()
    )


def vectors(
    conn: Connection, project: str, space: str, since: datetime | None, limit: int
) -> list[tuple[str, datetime, str]]:
    """Return ids, times and vectors of a space's entries, oldest first, from a moment on."""
    c = cache_entries.c
    query = select(c.id, c.created_at, c.vector).where(c.project == project, c.space == space)
    if since is not None:
        query = query.where(c.created_at >= since)
    return [(row.id, row.created_at, row.vector) for row in conn.execute(query.order_by(c.created_at).limit(limit))]


def put(conn: Connection, row: dict[str, Any]) -> None:
    """Keep an answer in the place of one with the same key."""
    c = cache_entries.c
    conn.execute(delete(cache_entries).where(c.project == row["project"], c.key == row["key"]))
    try:
        with conn.begin_nested():
            conn.execute(insert(cache_entries).values(**row))
    except IntegrityError:
        pass  # another process kept one meanwhile, which is as good


def used(conn: Connection, ids: Iterable[str], now: datetime) -> None:
    """Note that entries were given again."""
    for some in _batches(list(ids)):
        conn.execute(update(cache_entries).where(cache_entries.c.id.in_(some)).values(used_at=now))


def trim(conn: Connection, place: Place, max_entries: int, max_bytes: int) -> int:
    """Remove what was used the longest ago until both bounds hold; return how many."""
    c = cache_entries.c
    here = _here(place)
    count, size = conn.execute(select(func.count(), func.coalesce(func.sum(c.bytes), 0)).where(here)).one()
    removed = 0
    while count > max_entries or size > max_bytes:
        oldest = conn.execute(select(c.id, c.bytes).where(here).order_by(c.used_at, c.id).limit(_BATCH)).all()
        gone: list[str] = []
        for id, bytes in oldest:
            if count <= max_entries and size <= max_bytes:
                break
            gone.append(id)
            count, size = count - 1, size - bytes
        if not gone:
            break
        conn.execute(delete(cache_entries).where(c.id.in_(gone)))
        removed += len(gone)
    return removed


def add(conn: Connection, place: Place, counts: dict[str, int]) -> None:
    """Add to what calls found."""
    c = cache_counts.c
    here = and_(c.project == place[0], c.environment == place[1], c.name == place[2])
    change = update(cache_counts).where(here).values(**{name: c[name] + count for name, count in counts.items()})
    if conn.execute(change).rowcount:
        return
    named = {"project": place[0], "environment": place[1], "name": place[2]}
    try:
        with conn.begin_nested():
            conn.execute(insert(cache_counts).values(**named, **{name: counts.get(name, 0) for name in COUNTS}))
    except IntegrityError:  # another process made it meanwhile
        conn.execute(change)


def clear(conn: Connection, place: Place, *, user: str = "", trace_id: str = "", counts: bool = True) -> int:
    """Remove the entries of a place, or those of a user or a trace among them; return how many."""
    where = _here(place)
    if user:
        where = and_(where, cache_entries.c.user_id == user)
    if trace_id:
        where = and_(where, cache_entries.c.trace_id == trace_id)
    if counts and not user and not trace_id:
        c = cache_counts.c
        conn.execute(delete(cache_counts).where(c.project == place[0], c.environment == place[1], c.name == place[2]))
    return int(conn.execute(delete(cache_entries).where(where)).rowcount)


def sizes(conn: Connection, project: str, environment: str) -> dict[str, tuple[int, int]]:
    """Return entries and bytes by name."""
    c = cache_entries.c
    query = select(c.name, func.count(), func.coalesce(func.sum(c.bytes), 0))
    query = query.where(c.project == project, c.environment == environment).group_by(c.name)
    return {name: (int(count), int(size)) for name, count, size in conn.execute(query)}


def found(conn: Connection, project: str, environment: str) -> dict[str, dict[str, int]]:
    """Return what calls found by name."""
    c = cache_counts.c
    rows = conn.execute(select(cache_counts).where(c.project == project, c.environment == environment)).mappings()
    return {row["name"]: {name: int(row[name]) for name in COUNTS} for row in rows}


def expire(platform: Platform) -> int:
    """Remove what has expired; return how many."""
    with platform.records.begin() as conn:
        gone = delete(cache_entries).where(cache_entries.c.expires_at <= platform.clock.now())
        return int(conn.execute(gone).rowcount)


def erase(platform: Platform, request: ErasureRequest, really: bool) -> int:
    """Remove the answers that a user's calls or the given traces made, or count them."""
    c = cache_entries.c
    total = 0
    with platform.records.begin() as conn:
        user = request.user_id[:256]
        whose: list[ColumnElement[bool]] = [c.user_id == user] if user else []
        whose += [
            and_(c.trace_id.in_(some), not_(whose[0])) if user else c.trace_id.in_(some)
            for some in _batches(request.trace_ids)
        ]
        for one in whose:
            where = and_(c.project == request.project, one)
            if really:
                total += int(conn.execute(delete(cache_entries).where(where)).rowcount)
            else:
                total += int(conn.execute(select(func.count()).select_from(cache_entries).where(where)).scalar_one())
    return total


def packed(vector: np.ndarray) -> str:
    """Return a vector as text."""
    return base64.b64encode(vector.astype("<f2").tobytes()).decode()


def unpacked(text: str) -> np.ndarray:
    """Return a vector of float32 from its text."""
    import numpy as np

    return np.frombuffer(base64.b64decode(text), dtype="<f2").astype(np.float32)


def _here(place: Place) -> ColumnElement[bool]:
    c = cache_entries.c
    return and_(c.project == place[0], c.environment == place[1], c.name == place[2])


def _batches(items: Sequence[str]) -> Iterable[Sequence[str]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


hooks.periodic("serving.cache", 60.0, expire)
