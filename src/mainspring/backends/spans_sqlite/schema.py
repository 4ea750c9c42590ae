"""The tables of the span store, and how a connection to them is set up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

from mainspring.kernel import access
from mainspring.kernel.errors import Invalid

VERSION = 5
_CALLS = 4
"""The version that the table of calls came with."""
_TOGETHER = 10_000
SHIFT = 24
"""A span's row number is its trace's row number shifted by this, plus a count: a trace lies in one place."""

BUSY_MS = 15_000
"""How long a connection waits for another's."""

_LOOKS_UP = 20_000
"""Steps of SQLite's machine, some tenths of a millisecond, between two looks whether anybody waits for a query."""

_MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE words (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
    CREATE TABLE traces (
        id INTEGER PRIMARY KEY AUTOINCREMENT, project INTEGER NOT NULL, trace BLOB NOT NULL,
        start_ns INTEGER NOT NULL DEFAULT 0, end_ns INTEGER NOT NULL DEFAULT 0,
        name TEXT NOT NULL DEFAULT '', kind INTEGER NOT NULL DEFAULT 0, status INTEGER NOT NULL DEFAULT 0,
        environment INTEGER NOT NULL DEFAULT 0, service INTEGER NOT NULL DEFAULT 0,
        model INTEGER NOT NULL DEFAULT 0, deployment INTEGER NOT NULL DEFAULT 0,
        release INTEGER NOT NULL DEFAULT 0, prompt INTEGER NOT NULL DEFAULT 0,
        session TEXT NOT NULL DEFAULT '', user TEXT NOT NULL DEFAULT '',
        spans INTEGER NOT NULL DEFAULT 0, input_tokens INTEGER NOT NULL DEFAULT 0,
        output_tokens INTEGER NOT NULL DEFAULT 0, cost REAL NOT NULL DEFAULT 0, speaker INTEGER NOT NULL DEFAULT 0,
        input_preview TEXT NOT NULL DEFAULT '', output_preview TEXT NOT NULL DEFAULT '',
        UNIQUE (project, trace)
    );
    CREATE INDEX traces_start ON traces (project, start_ns, id);
    CREATE INDEX traces_session ON traces (project, session, start_ns) WHERE session <> '';
    CREATE INDEX traces_user ON traces (project, user, start_ns) WHERE user <> '';
    CREATE INDEX traces_release ON traces (project, release, start_ns) WHERE release <> 0;
    CREATE INDEX traces_error ON traces (project, start_ns) WHERE status = 2;
    CREATE TABLE spans (
        id INTEGER PRIMARY KEY, project INTEGER NOT NULL, span BLOB NOT NULL, parent BLOB,
        start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, status INTEGER NOT NULL, name TEXT NOT NULL,
        kind INTEGER NOT NULL, environment INTEGER NOT NULL, service INTEGER NOT NULL, model INTEGER NOT NULL,
        deployment INTEGER NOT NULL, release INTEGER NOT NULL, prompt INTEGER NOT NULL,
        session TEXT NOT NULL, user TEXT NOT NULL, input_tokens INTEGER, output_tokens INTEGER, cost REAL,
        says INTEGER NOT NULL, body BLOB NOT NULL
    );
    CREATE INDEX spans_start ON spans (project, start_ns);
    CREATE INDEX spans_prompt ON spans (project, prompt, start_ns) WHERE prompt <> 0;
    CREATE VIRTUAL TABLE texts USING fts5 (
        text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE TABLE sessions (
        project INTEGER NOT NULL, session TEXT NOT NULL, user TEXT NOT NULL, environment INTEGER NOT NULL,
        first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, traces INTEGER NOT NULL, errors INTEGER NOT NULL,
        input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost REAL NOT NULL,
        PRIMARY KEY (project, session)
    ) WITHOUT ROWID;
    CREATE INDEX sessions_last ON sessions (project, last_ns, session);
    CREATE TABLE hours (
        project INTEGER NOT NULL, hour INTEGER NOT NULL, environment INTEGER NOT NULL, deployment INTEGER NOT NULL,
        release INTEGER NOT NULL, model INTEGER NOT NULL, kind INTEGER NOT NULL, bucket INTEGER NOT NULL,
        spans INTEGER NOT NULL, errors INTEGER NOT NULL, roots INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL, cost REAL NOT NULL, duration_ns INTEGER NOT NULL,
        PRIMARY KEY (project, hour, environment, deployment, release, model, kind, bucket)
    ) WITHOUT ROWID;
    CREATE TABLE erased (
        project INTEGER NOT NULL, trace BLOB NOT NULL, PRIMARY KEY (project, trace)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE users (
        project INTEGER NOT NULL, user TEXT NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,
        traces INTEGER NOT NULL, errors INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL, cost REAL NOT NULL, PRIMARY KEY (project, user)
    ) WITHOUT ROWID;
    CREATE INDEX users_last ON users (project, last_ns, user);
    CREATE INDEX users_gone ON users (project) WHERE traces <= 0;
    CREATE INDEX sessions_user ON sessions (project, user, last_ns);
    INSERT INTO users
    SELECT project, user, min(start_ns), max(start_ns), count(*), sum(status = 2), sum(input_tokens),
        sum(output_tokens), sum(cost)
    FROM traces WHERE user <> '' GROUP BY project, user;
    """,
    """
    CREATE INDEX traces_environment ON traces (project, environment, start_ns) WHERE environment <> 0;
    CREATE INDEX traces_service ON traces (project, service, start_ns) WHERE service <> 0;
    CREATE INDEX traces_model ON traces (project, model, start_ns) WHERE model <> 0;
    CREATE INDEX traces_deployment ON traces (project, deployment, start_ns) WHERE deployment <> 0;
    CREATE INDEX traces_prompt ON traces (project, prompt, start_ns) WHERE prompt <> 0;
    CREATE INDEX traces_kind ON traces (project, kind, start_ns) WHERE kind <> 0;
    CREATE INDEX traces_name ON traces (project, name, start_ns) WHERE name <> '';
    CREATE INDEX sessions_environment ON sessions (project, environment, last_ns);
    """,
    """
    CREATE TABLE calls (
        project INTEGER NOT NULL, start_ns INTEGER NOT NULL, id INTEGER NOT NULL,
        environment INTEGER NOT NULL, model INTEGER NOT NULL, deployment INTEGER NOT NULL, release INTEGER NOT NULL,
        prompt INTEGER NOT NULL, service INTEGER NOT NULL, kind INTEGER NOT NULL, user TEXT NOT NULL,
        status INTEGER NOT NULL, bucket INTEGER NOT NULL, first INTEGER, input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, cost REAL NOT NULL,
        guard INTEGER NOT NULL, cache INTEGER NOT NULL, PRIMARY KEY (project, start_ns, id)
    ) WITHOUT ROWID;
    """,
    # From here on a body may hold several spans, which needs no other tables; see `bodies`.
    "INSERT INTO texts (texts, rank) VALUES ('hashsize', 16777216);",
)


def connect(path: Path, *, write: bool = False) -> Any:
    """Open a connection. A writer's commit is on disk when it returns; deleted content is overwritten."""
    if write and not path.exists():
        path.touch(mode=0o600)
    flags = apsw.SQLITE_OPEN_READWRITE
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(BUSY_MS)
    connection.execute("PRAGMA cache_size = -16000")
    connection.execute("PRAGMA temp_store = MEMORY")
    if write:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
    else:
        connection.execute("PRAGMA query_only = ON")
        connection.set_progress_handler(_left, _LOOKS_UP)
    return connection


def _left() -> bool:
    """Tell SQLite to end a query that nobody waits for any more."""
    gone = access.leaving.get()
    return gone is not None and gone()


def migrate(connection: Any) -> None:
    """Bring the tables to this version. Raises Invalid for a file of a later one."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = connection.execute("PRAGMA user_version").get
        if found > VERSION:
            raise Invalid(
                f"The span store has schema {found}; this version knows {VERSION}.",
                hint="Upgrade Mainspring, or restore a backup made by this version.",
            )
        for script in _MIGRATIONS[found:]:
            connection.execute(script)
        if found < _CALLS:
            from mainspring.backends.spans_sqlite.calls import backfill

            backfill(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


class Words:
    """Short names kept once: text to number and back. Number 0 is the empty text."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        self._together: dict[tuple[str, ...], tuple[int, ...]] = {}
        self.forget()

    def forget(self) -> None:
        """Drop what is remembered: after a rollback or a restore numbers may mean something else."""
        self._numbers = {"": 0}
        self._texts = {0: ""}
        self._together = {}

    def intern(self, connection: Any, text: str) -> int:
        """Return the number of a text, made where there is none, within the open write transaction."""
        number = self.find(connection, text)
        if number is None:
            number = connection.execute("INSERT INTO words (text) VALUES (?) RETURNING id", (text,)).get
            self._numbers[text] = number
            self._texts[number] = text
        return number

    def interned(self, connection: Any, texts: tuple[str, ...]) -> tuple[int, ...]:
        """Return the numbers of several texts, as `intern` does; the same ones come together again and again."""
        numbers = self._together.get(texts)
        if numbers is None:
            if len(self._together) >= _TOGETHER:
                self._together.clear()
            numbers = self._together[texts] = tuple(self.intern(connection, text) for text in texts)
        return numbers

    def find(self, connection: Any, text: str) -> int | None:
        """Return the number of a text, or None."""
        number = self._numbers.get(text)
        if number is None:
            number = connection.execute("SELECT id FROM words WHERE text = ?", (text,)).get
            if number is not None:
                self._numbers[text] = number
                self._texts[number] = text
        return number

    def text(self, connection: Any, number: int) -> str:
        """Return the text of a number."""
        text = self._texts.get(number)
        if text is None:
            text = str(connection.execute("SELECT text FROM words WHERE id = ?", (number,)).get)
            self._numbers[text] = number
            self._texts[number] = text
        return text
