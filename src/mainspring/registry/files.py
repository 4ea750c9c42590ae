"""Files and who holds them: the store knows bytes by their hash, a project only what it stored or was given.

Two projects that store the same bytes share one file and know nothing of each other. To know a hash is no right to
read what it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import StoredFile
from mainspring.kernel.tx import Tx
from mainspring.registry.tables import file_grants as table

_HASH = re.compile(r"[0-9a-f]{64}")


def keep(platform: Platform, data: bytes | Path | Iterable[bytes]) -> StoredFile:
    """Store bytes for the caller's project, which may read them from then on. Raises NoSpace, Unavailable."""
    stored = platform.files.put(data)
    with platform.begin() as tx:
        grant(tx, stored.sha256)
    return stored


def grant(tx: Tx, sha256: str) -> None:
    """Let the caller's project read a file; doing it again changes nothing."""
    if _granted(tx, sha256):
        return
    row = {"project": tx.project, "sha256": sha256, "granted_at": tx.now, "granted_by": tx.caller.member}
    try:
        with tx.conn.begin_nested():
            tx.execute(insert(table).values(**row))
    except IntegrityError:
        return  # Somebody else of the project did so at the same moment.


def require(tx: Tx, sha256: str) -> None:
    """Raise NotFound where the caller's project does not hold a file, whether or not others do; Invalid for no hash."""
    if _HASH.fullmatch(sha256) is None:
        raise Invalid("That is not the address of a file.", hint="Give the SHA-256 in 64 lower-case hex digits.")
    if not _granted(tx, sha256):
        raise NotFound(
            f"The project {tx.project} has no file {sha256[:12]}….",
            hint="Upload it in this project, or export it again.",
        )


def granted(tx: Tx, sha256: str) -> int:
    """Return how many projects hold a file."""
    return int(tx.execute(select(func.count()).where(table.c.sha256 == sha256)).scalar_one())


def _granted(tx: Tx, sha256: str) -> bool:
    query = select(table.c.sha256).where(table.c.project == tx.project, table.c.sha256 == sha256)
    return tx.execute(query).one_or_none() is not None
