"""Records in PostgreSQL, through psycopg 3."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.exc import DataError, DBAPIError

from mainspring.kernel.errors import Invalid, MainspringError, MissingExtra, NoSpace, Unavailable
from mainspring.kernel.settings import Settings

if TYPE_CHECKING:
    import psycopg

_CHANNEL = "mainspring_news"
_DEAF_SECONDS = 1.0
IMPORTS = ("psycopg", "sqlalchemy.dialects.postgresql.psycopg")


def open_records(url: str, home: Path, settings: Settings) -> PostgresRecords:
    """Open `postgresql://user:password@host/database`. Raises MissingExtra where psycopg is not installed."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise MissingExtra.of("postgres", "A PostgreSQL database") from None
    return PostgresRecords(url)


class PostgresRecords:
    """The Records port over PostgreSQL."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg")
        self._ear: psycopg.Connection[Any] | None = None
        """The connection that hears what others announce; only the worker has one."""
        self._sql = create_engine(self._url, pool_size=16, pool_pre_ping=True, connect_args={"connect_timeout": 10})

    @property
    def sql(self) -> Engine:
        """The SQLAlchemy engine."""
        return self._sql

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a write transaction at READ COMMITTED; rows that must not race are locked by those who read them."""
        with _translated(), self._sql.begin() as conn:
            yield conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read-only transaction that sees one snapshot."""
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with _translated(), self._sql.connect().execution_options(**options) as conn:
            yield conn

    def announce(self, conn: Connection) -> None:
        """Notify the worker, on whatever host, once the transaction has committed."""
        conn.exec_driver_sql(f"NOTIFY {_CHANNEL}")

    def await_news(self, seconds: float) -> bool:
        """Wait until somebody notified, at most so long; tell whether somebody may have."""
        import psycopg

        try:
            if self._ear is None:
                self._ear = psycopg.connect(self._libpq(), password=self._url.password, autocommit=True)
                self._ear.execute(f"LISTEN {_CHANNEL}")
            return any(self._ear.notifies(timeout=seconds, stop_after=1))
        except psycopg.Error:
            self._hush()
            # The server is away: whoever waits looks without being called, at a pace that does not press it.
            time.sleep(min(seconds, _DEAF_SECONDS))
            return True

    def version(self) -> int | None:
        """Return None: PostgreSQL counts no changes that a client could ask for."""
        return None

    def backup(self, target: Path) -> None:
        """Write pg_dump's custom format. Raises Unavailable where pg_dump is missing or fails."""
        self._tool("pg_dump", "--format=custom", f"--file={target}", f"--dbname={self._libpq()}")

    def restore(self, source: Path) -> None:
        """Replace the content with pg_restore in one transaction. Raises Invalid where it fails."""
        self._sql.dispose()
        self._tool(
            "pg_restore", "--clean", "--if-exists", "--single-transaction", f"--dbname={self._libpq()}", str(source)
        )

    def close(self) -> None:
        """Release every connection."""
        self._sql.dispose()
        self._hush()

    def _hush(self) -> None:
        ear, self._ear = self._ear, None
        if ear is not None:
            ear.close()

    def _libpq(self) -> str:
        return self._url._replace(drivername="postgresql", password=None).render_as_string()

    def _tool(self, tool: str, *arguments: str) -> None:
        import os

        environment = dict(os.environ)
        if self._url.password:
            environment["PGPASSWORD"] = str(self._url.password)
        try:
            done = subprocess.run([tool, *arguments], env=environment, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise Unavailable(f"{tool} is not installed.", hint="Install PostgreSQL's client programs.") from None
        if done.returncode:
            raise Invalid(f"{tool} failed: {done.stderr.strip()[:1000]}", hint="See PostgreSQL's log.")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except MainspringError:
        raise
    except UnicodeEncodeError as error:
        raise Invalid.unwritable() from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if isinstance(error, DataError) and "NUL" in str(error.orig):
            raise Invalid.unwritable() from error
        if state.startswith("53"):
            raise NoSpace.of("the change") from error
        if error.connection_invalidated or state.startswith(("08", "57")) or state in ("40001", "40P01"):
            raise Unavailable("The database did not answer.", hint="Try again in a moment.") from error
        raise
