"""Records in one SQLite file: write-ahead log, every commit on disk before it returns, one writer at a time."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from mainspring.backends.bell import Bell
from mainspring.kernel.errors import Invalid, MainspringError, NoSpace, Unavailable
from mainspring.kernel.settings import Settings

BUSY_MILLISECONDS = 30_000
_NEWS = "mainspring_news"
IMPORTS = ("sqlalchemy.dialects.sqlite",)


def open_records(url: str, home: Path, settings: Settings) -> SqliteRecords:
    """Open the database named by `sqlite:///path`, or records.db in the home folder."""
    path = Path(url.removeprefix("sqlite:///")) if url else home / "records.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    return SqliteRecords(path, Bell(home / "run" / "worker.bell"))


class SqliteRecords:
    """The Records port over SQLite."""

    def __init__(self, path: Path, bell: Bell) -> None:
        self.path = path
        self._bell = bell
        self._watching = threading.Lock()
        self._watcher: sqlite3.Connection | None = None
        self._sql = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False}, pool_size=16)
        event.listen(self._sql, "connect", _configure)
        event.listen(self._sql, "begin", _begin)

    @property
    def sql(self) -> Engine:
        """The SQLAlchemy engine."""
        return self._sql

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a write transaction; writers of all processes take turns, from the first statement on."""
        with _translated(), self._sql.execution_options(mainspring_mode="IMMEDIATE").begin() as conn:
            conn.info.pop(_NEWS, None)
            yield conn
            news = conn.info.pop(_NEWS, False)
        if news:
            self._bell.ring()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction that sees one snapshot and hinders nobody."""
        with _translated(), self._sql.connect() as conn:
            yield conn

    def announce(self, conn: Connection) -> None:
        """Ring for the worker once the transaction has committed."""
        conn.info[_NEWS] = True

    def await_news(self, seconds: float) -> bool:
        """Wait until somebody rang, at most so long; tell whether so."""
        return self._bell.heard(seconds)

    def version(self) -> int | None:
        """Return SQLite's own count of what other connections changed, of one that changes nothing itself."""
        with self._watching:
            if self._watcher is None:
                self._watcher = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])

    def backup(self, target: Path) -> None:
        """Copy the database with SQLite's online backup while others go on writing."""
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
        _sync(target)

    def restore(self, source: Path) -> None:
        """Replace the content by a copy. Raises Invalid for a damaged one."""
        with closing(sqlite3.connect(source)) as copy:
            try:
                sound = copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            except sqlite3.DatabaseError:
                sound = False
            if not sound:
                raise Invalid(f"{source.name} is not a sound copy of a database.", hint="Use another backup.")
            self._sql.dispose()
            with closing(sqlite3.connect(self.path)) as mine:
                copy.backup(mine)
        _sync(self.path)

    def close(self) -> None:
        """Release every connection."""
        self._sql.dispose()
        self._bell.close()
        with self._watching:
            if self._watcher is not None:
                self._watcher.close()
                self._watcher = None


def _configure(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")


def _begin(conn: Connection) -> None:
    mode = conn.get_execution_options().get("mainspring_mode", "DEFERRED")
    conn.exec_driver_sql("BEGIN IMMEDIATE" if mode == "IMMEDIATE" else "BEGIN DEFERRED")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except MainspringError:
        raise
    except UnicodeEncodeError as error:
        raise Invalid.unwritable() from error
    except OperationalError as error:
        text = str(error.orig)
        if "full" in text or "I/O" in text:
            raise NoSpace.of("the change") from error
        if "locked" in text or "busy" in text:
            raise Unavailable("The database is busy.", hint="Try again in a moment.") from error
        raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
