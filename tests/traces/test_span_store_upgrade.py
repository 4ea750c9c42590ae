"""A span store of an earlier version, opened by this one."""

from __future__ import annotations

from pathlib import Path

import apsw
from tests.traces.test_span_store import HOUR, START, span

from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.spans import SpanFilter


def test_calls_of_before_there_were_sums_of_them_are_summed_too(tmp_path: Path) -> None:
    where = SpanFilter(since_ns=START)
    store = SqliteSpans(tmp_path / "spans")
    outer = span(1, 1, model="outer")
    inner = span(1, 2, model="inner", ttft_ms=3.0, attributes={"mainspring.cache": "hit"})
    store.append([outer, inner, span(2, cost=1.0), span(3, kind="execute_tool"), span(4, status="running")])
    expected = store.calls("default", where, by="model", step_ns=HOUR)
    store.close()
    old = apsw.Connection(str(tmp_path / "spans" / "spans.sqlite"))
    old.execute("DROP TABLE calls; PRAGMA user_version = 3")
    old.close()
    store = SqliteSpans(tmp_path / "spans")
    assert store.calls("default", where, by="model", step_ns=HOUR) == expected
    assert sum(one.calls for one in expected) == 2
    store.close()
