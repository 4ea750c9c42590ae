"""The span store on a server: a write-ahead file for durability, ClickHouse for queries.

`append` writes to a write-ahead file of this process and returns after a shared fsync. A thread moves what was
appended into ClickHouse in batches and keeps a line for each trace; while the server is away, spans wait in the file.
"""

from mainspring.backends.spans_clickhouse.store import ClickHouseSpans, open_spans

__all__ = ["ClickHouseSpans", "open_spans"]
