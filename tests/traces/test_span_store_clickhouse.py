"""What only a span store on a server can meet: the server away, another process, an address that is none."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.traces.span_stores import ClickHouse
from tests.traces.test_span_store import span

from mainspring.backends.spans_clickhouse import ClickHouseSpans, open_spans
from mainspring.backends.spans_log.words import stored
from mainspring.kernel.errors import Invalid, MissingExtra, Unavailable
from mainspring.kernel.spans import SpanFilter


@pytest.mark.slow
def test_what_is_taken_while_the_server_is_away_arrives_when_it_is_back(tmp_path: Path) -> None:
    pytest.importorskip("chdb")
    server = ClickHouse(tmp_path / "data").start()
    store = ClickHouseSpans(url := server.address(), tmp_path / "spans")
    store.append([span(1)])
    store.flush()
    server.stop()
    store.append([span(2)])
    with pytest.raises(Unavailable, match="ClickHouse at 127"):
        store.traces("default", SpanFilter(), limit=5)
    server.start()
    store.flush()
    assert [int(line.trace_id, 16) for line in store.traces("default", SpanFilter(), limit=5)[0]] == [2, 1]
    store.close()
    server.stop()
    away = ClickHouseSpans(url, tmp_path / "spans")
    away.append([span(3)])
    server.start()
    again = ClickHouseSpans(url, tmp_path / "others")
    away.flush()
    assert len(again.traces("default", SpanFilter(), limit=5)[0]) == 3
    away.close()
    again.close()
    server.stop()


WRITER = """
import sys
from pathlib import Path
from mainspring.backends.spans_clickhouse import ClickHouseSpans
from mainspring.kernel.spans import Span
store = ClickHouseSpans(sys.argv[1], Path(sys.argv[2]))
for n in range(1, 100000):
    ids = {"trace_id": f"{n:032x}", "span_id": f"{n:016x}"}
    store.append([Span(**ids, project="default", start_ns=n, end_ns=n, input="x" * 500)])
    print(n, flush=True)
"""


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(clickhouse: ClickHouse, tmp_path: Path) -> None:
    url = clickhouse.address()
    child = subprocess.Popen([sys.executable, "-c", WRITER, url, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    last = 0
    for line in child.stdout:
        last = int(line) if line.endswith("\n") else last
        if last == 700:
            child.send_signal(signal.SIGKILL)
    child.wait()
    store = ClickHouseSpans(url, tmp_path)
    found = {int(s.trace_id, 16) for s in store.scan("default", SpanFilter(), limit=100_000)}
    assert last >= 700 and set(range(1, last + 1)) <= found
    assert len(found) == store.stats()["traces"] == store.stats()["spans"] <= last + 1
    store.close()


def test_processes_that_write_one_trace_agree_on_its_line(clickhouse: ClickHouse, tmp_path: Path) -> None:
    url = clickhouse.address()
    stores = [ClickHouseSpans(url, tmp_path / str(n)) for n in range(3)]

    def send(number: int) -> None:
        for part in range(5):
            stores[number].append([span(1, 1 + number * 10 + part)])
            stores[number].flush()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [line], _ = stores[0].traces("default", SpanFilter(), limit=5)
    assert line.spans == 15 == len(stores[1].trace("default", line.trace_id))
    for store in stores:
        store.close()


@pytest.mark.parametrize(
    "url", ["clickhouse://", "clickhouse://host/a-b", "clickhouse://host:port/x", "clickhouse://host/x?tls=1"]
)
def test_an_address_that_is_none_is_refused_without_showing_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        open_spans(url, tmp_path, {})


def test_without_the_driver_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "clickhouse_connect", None)
    with pytest.raises(MissingExtra, match="ClickHouse") as refused:
        open_spans("clickhouse://localhost/x", tmp_path, {})
    assert "mainspring[clickhouse]" in refused.value.hint


def test_words_are_those_of_the_embedded_store() -> None:
    assert stored("Grüne FOO-bar_baz don't 日本") == " grune foo bar baz don t 日本 "
