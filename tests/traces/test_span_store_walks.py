"""Lists of the SQLite store by several things at once, and a store that an earlier version made."""

from __future__ import annotations

import time
from pathlib import Path

import apsw
import msgspec
import pytest

from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.errors import Invalid
from mainspring.kernel.spans import Span, SpanFilter

SECOND = 10**9
RARE = {4, 700, 1_100}


def made(number: int) -> Span:
    """Make a trace of one span: all in production, a few by a rare deployment, every third a word."""
    return Span(
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        project="default",
        environment="production",
        deployment="rare" if number in RARE else "shop",
        model="m" if number % 2 else "n",
        name="chat",
        session_id=f"s{number % 7}",
        start_ns=number * SECOND,
        end_ns=number * SECOND + 5,
        input="pears and apples" if number % 3 == 0 else "plums",
    )


@pytest.fixture
def filled(tmp_path: Path):
    store = SqliteSpans(tmp_path)
    store.append([made(number) for number in range(1, 1_201)])
    store.flush()
    yield store
    store.close()


def found(store: SqliteSpans, limit: int = 1_000, **where: object) -> list[int]:
    """Return the numbers of every trace that a list shows, page after page."""
    numbers: list[int] = []
    cursor = ""
    while True:
        lines, cursor = store.traces("default", SpanFilter(**where), limit=limit, cursor=cursor)  # type: ignore[arg-type]
        numbers += [int(line.trace_id, 16) for line in lines]
        if not cursor:
            return numbers


def test_a_rare_value_beside_frequent_ones_is_found_whole(filled):
    rare = sorted(RARE, reverse=True)
    assert found(filled, environment="production", deployment="rare", name="chat") == rare
    assert found(filled, 1, environment="production", deployment="rare") == rare
    bounds = {"since_ns": 5 * SECOND, "until_ns": 1_100 * SECOND}
    assert found(filled, environment="production", deployment="rare", **bounds) == [700]
    assert found(filled, deployment="rare", model="m") == []
    frequent = found(filled, 100, environment="production", deployment="shop", model="m", session_id="s1")
    assert frequent == [n for n in range(1_200, 0, -1) if n % 2 and n % 7 == 1 and n not in RARE]


def test_chosen_traces_are_pages_too(filled):
    ids = tuple(f"{number:032x}" for number in (3, 4, 700, 701, 5_000))
    assert found(filled, 2, trace_ids=ids) == [701, 700, 4, 3]
    assert found(filled, 1, trace_ids=ids, deployment="rare", since_ns=SECOND, model="n") == [700, 4]
    assert found(filled, trace_ids=ids, since_ns=5 * SECOND, until_ns=701 * SECOND) == [700]


def test_the_pages_of_a_search_follow_each_other(filled):
    every = [n for n in range(1_200, 0, -1) if n % 3 == 0]
    assert found(filled, 7, query="pears") == every
    assert found(filled, 7, query="pears apples") == every
    assert found(filled, 300, query="pear*", environment="production") == every
    assert found(filled, 7, query="pears", deployment="rare", environment="production") == []
    assert found(filled, query="plums", deployment="rare") == sorted(RARE, reverse=True)


def test_a_store_of_an_earlier_version_gets_what_it_lacks(tmp_path):
    store = SqliteSpans(tmp_path)
    store.append([made(number) for number in range(1, 50)])
    store.close()
    file = apsw.Connection(str(tmp_path / "spans.sqlite"))
    indexes = {name for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")}
    for name in ("environment", "service", "model", "deployment", "prompt", "kind", "name"):
        file.execute(f"DROP INDEX traces_{name}")
    file.execute("DROP INDEX sessions_environment; DROP TABLE calls")
    file.execute("PRAGMA user_version = 2")
    file.close()
    again = SqliteSpans(tmp_path)
    assert found(again, deployment="rare", environment="production") == [4]
    again.close()
    file = apsw.Connection(str(tmp_path / "spans.sqlite"))
    assert {name for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")} == indexes
    file.close()


def test_the_log_of_sqlite_gives_its_space_back_once_nothing_comes(tmp_path):
    store = SqliteSpans(tmp_path)
    store.append([made(number) for number in range(1, 200)])
    store.flush()
    log, until = tmp_path / "spans.sqlite-wal", time.monotonic() + 120
    while log.stat().st_size:
        assert time.monotonic() < until, "the log keeps its size"
        time.sleep(0.01)  # a step of waiting on a condition
    assert len(found(store)) == 199
    store.close()


def test_figures_of_too_many_parts_are_refused_and_never_cut(filled, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.append([msgspec.structs.replace(made(2_000), kind="chat")])
    filled.flush()
    monkeypatch.setattr("mainspring.backends.spans_sqlite.calls._MOST", 1)
    with pytest.raises(Invalid, match="too many parts"):
        filled.calls("default", SpanFilter(since_ns=SECOND), step_ns=1_000 * SECOND)
