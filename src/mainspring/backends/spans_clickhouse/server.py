"""The connection to a ClickHouse server: its address, its errors, its tables."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from mainspring.kernel.errors import Invalid, MissingExtra, Unavailable

VERSION = 1
_OPTIONS = {"secure", "compress"}
_SECONDS = 60
_WEEK_NS = 604_800_000_000_000

# A replaced span may begin in another week than the one that it replaces, so rows are told apart over all partitions.
_SETTINGS = {"do_not_merge_across_partitions_select_final": 0, "max_partitions_per_insert_block": 0}

_ON_DISK = "fsync_after_insert = 1, fsync_part_directory = 1, old_parts_lifetime = 60"
_FIELDS = """
    start_ns UInt64 CODEC(Delta, ZSTD), end_ns UInt64 CODEC(Delta, ZSTD), status UInt8, name String,
    kind LowCardinality(String), environment LowCardinality(String), service LowCardinality(String),
    model LowCardinality(String), deployment LowCardinality(String), release LowCardinality(String),
    prompt LowCardinality(String), session String, user String,"""
_TABLES = (
    f"""
    CREATE TABLE IF NOT EXISTS spans (
        project LowCardinality(String), trace FixedString(32), span FixedString(16), version UInt64,
        parent String, {_FIELDS}
        input_tokens Nullable(UInt64), output_tokens Nullable(UInt64), cost Nullable(Float64), bucket Int16,
        says UInt8, input_preview String, output_preview String,
        words String CODEC(ZSTD(3)), body String CODEC(ZSTD(3)),
        INDEX by_words words TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 1,
        INDEX by_session session TYPE bloom_filter GRANULARITY 4,
        INDEX by_start start_ns TYPE minmax GRANULARITY 1
    ) ENGINE = ReplacingMergeTree(version) PARTITION BY intDiv(start_ns, {_WEEK_NS})
    ORDER BY (project, trace, span) SETTINGS {_ON_DISK}, index_granularity = 1024""",
    f"""
    CREATE TABLE IF NOT EXISTS traces (
        project LowCardinality(String), trace FixedString(32), version UInt128, {_FIELDS}
        spans UInt32, input_tokens UInt64, output_tokens UInt64, cost Float64,
        input_preview String, output_preview String,
        INDEX by_start start_ns TYPE minmax GRANULARITY 1
    ) ENGINE = ReplacingMergeTree(version) PARTITION BY intDiv(start_ns, {_WEEK_NS})
    ORDER BY (project, trace) SETTINGS {_ON_DISK}""",
    f"""
    CREATE TABLE IF NOT EXISTS erased (
        project LowCardinality(String), trace FixedString(32)
    ) ENGINE = ReplacingMergeTree ORDER BY (project, trace)
    SETTINGS {_ON_DISK} COMMENT 'mainspring {VERSION}'""",
)

_ADDED = (
    "ALTER TABLE spans ADD COLUMN IF NOT EXISTS first Nullable(Int16)",
    "ALTER TABLE spans ADD COLUMN IF NOT EXISTS cached Nullable(UInt64)",
    "ALTER TABLE spans ADD COLUMN IF NOT EXISTS guard UInt8",
    "ALTER TABLE spans ADD COLUMN IF NOT EXISTS cache UInt8",
    "ALTER TABLE traces ADD COLUMN IF NOT EXISTS arrived UInt64 DEFAULT start_ns",
)
"""Columns that came later; what was stored before them has none of what they say, or what was nearest to it."""

log = logging.getLogger("mainspring.spans")


class Server:
    """A ClickHouse server, reached again where it was away; threads may share it."""

    def __init__(self, url: str) -> None:
        """Take `clickhouse://user:password@host:port/database`. Raises Invalid, or MissingExtra without the driver."""
        self._options = parse(url)
        self.name = f"{self._options['host']}:{self._options['port']}"
        try:
            import clickhouse_connect  # noqa: F401
        except ImportError:
            raise MissingExtra.of("clickhouse", "A ClickHouse span store") from None
        self._client: Any = None
        self._connecting = threading.Lock()

    def reach(self) -> bool:
        """Connect, and make the tables where they are not there; tell whether the server answers.

        Raises Invalid for tables of another version.
        """
        try:
            with self._asking():
                return True
        except Unavailable as error:
            log.warning("%s Spans wait in the write-ahead file.", error.message)
            return False

    def query(self, sql: str, **values: Any) -> list[Sequence[Any]]:
        """Return the rows of a query; values are bound by the server."""
        with self._asking() as client:
            return list(client.query(sql, parameters=values).result_rows)

    def stream(self, sql: str, **values: Any) -> Iterator[Sequence[Any]]:
        """Yield the rows of a query as they come."""
        with self._asking() as client, client.query_rows_stream(sql, parameters=values) as rows:
            yield from rows

    def insert(self, table: str, rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> None:
        """Insert rows; a return means that the server has them on disk."""
        if rows:
            with self._asking() as client:
                client.insert(table, rows, column_names=columns)

    def run(self, sql: str, **values: Any) -> None:
        """Run a statement."""
        with self._asking() as client:
            client.command(sql, parameters=values)

    def close(self) -> None:
        """Release the connections."""
        with self._connecting:
            if self._client is not None:
                self._client.close()

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            yield self._connected()
        except ClickHouseError as error:
            text = " ".join(str(error).split())[:300]
            raise Unavailable(
                f"ClickHouse at {self.name} refused: {text}", hint="Look at the server, and at spans.url."
            ) from error

    def _connected(self) -> Any:
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        from clickhouse_connect import get_client

        options = dict(self._options)
        database = options.pop("database")
        client = get_client(
            **options, autogenerate_session_id=False, send_receive_timeout=_SECONDS, settings=dict(_SETTINGS)
        )
        found = "SELECT count() FROM system.databases WHERE name = {name:String}"
        if not client.query(found, parameters={"name": database}).result_rows[0][0]:
            client.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
        client.database = database
        for statement in _TABLES + _ADDED:
            client.command(statement)
        sql = "SELECT comment FROM system.tables WHERE database = {name:String} AND name = 'erased'"
        said = str(client.query(sql, parameters={"name": database}).result_rows[0][0])
        if said != f"mainspring {VERSION}":
            client.close()
            raise Invalid(
                f"The span store has schema {said!r}; this version knows 'mainspring {VERSION}'.",
                hint="Upgrade Mainspring, or name another database in spans.url.",
            )
        return client


def parse(url: str) -> Mapping[str, Any]:
    """Return host, port, user, password, database and options of the URL. Raises Invalid."""
    hint = "It looks like clickhouse://user:password@host:8123/database, with ?secure=true for TLS."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("spans.url is not an address.", hint=hint) from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    database = parts.path.strip("/") or "mainspring"
    if parts.scheme != "clickhouse" or not parts.hostname or not database.replace("_", "").isalnum():
        raise Invalid("spans.url is not the address of a ClickHouse database.", hint=hint)
    if odd := set(options) - _OPTIONS:
        raise Invalid(f"spans.url has the option {sorted(odd)[0]!r}.", hint=f"Known are {', '.join(sorted(_OPTIONS))}.")
    secure = options.get("secure", "").lower() == "true"
    return {
        "host": parts.hostname,
        "port": port or (8443 if secure else 8123),
        "username": unquote(parts.username or "default"),
        "password": unquote(parts.password or ""),
        "database": database,
        "secure": secure,
        "compress": options.get("compress", "true").lower() != "false",
    }
