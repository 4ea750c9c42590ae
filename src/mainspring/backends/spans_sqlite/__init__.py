"""The embedded span store: a write-ahead file for durability, SQLite for queries.

`append` writes to a write-ahead file of this process and returns after a shared fsync, or without it where the caller
needs no more than to survive a kill. A thread moves what was
appended into SQLite in batches: short typed columns, one compressed body for what came together of a trace, an
index of their words, hourly totals.
"""

from mainspring.backends.spans_sqlite.store import SqliteSpans, open_spans

__all__ = ["SqliteSpans", "open_spans"]
