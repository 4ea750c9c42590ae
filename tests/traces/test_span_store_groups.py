"""Spans of a trace that came together: each is found, replaced and erased as if it lay alone, on each back end."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from tests.traces.test_span_store import START, span

from mainspring.backends.spans_log import wal
from mainspring.backends.spans_log.codec import encode
from mainspring.backends.spans_sqlite import SqliteSpans, bodies
from mainspring.kernel.spans import AttributeTest, Span, SpanFilter

TRACE = f"{1:032x}"
TALK = "what was said before and is said again"


def told(number: int, word: str, **fields: object) -> Span:
    """Make a span that repeats the talk and adds a word."""
    return span(1, number, input=[TALK, word], attributes={"number": number}, **fields)


def found(store, query: str) -> list[str]:
    """Return the spans that say the words themselves, in order; the trace is found by them where any does."""
    spans = [one.span_id for one in store.scan("default", SpanFilter(query=query), limit=99)]
    lines, _ = store.traces("default", SpanFilter(query=query), limit=9)
    assert [line.trace_id for line in lines] == ([TRACE] if spans else [])
    return sorted(spans)


def ids(*numbers: int) -> list[str]:
    return [f"{100 + number:016x}" for number in numbers]


@pytest.mark.parametrize("again", [(1,), (2,), (4,), (1, 2), (2, 3), (1, 2, 3, 4)])
def test_a_span_that_came_with_others_is_replaced_alone(store, again):
    words = {1: "alder", 2: "birch", 3: "cedar", 4: "dogwood"}
    store.append([told(number, word) for number, word in words.items()])
    store.flush()
    store.append([told(number, "elm") for number in again])
    expected = {number: "elm" if number in again else word for number, word in words.items()}
    for _ in range(2):
        assert [one.input for one in store.trace("default", TRACE)] == [[TALK, word] for word in expected.values()]
        for number, word in words.items():
            assert found(store, word) == ([] if number in again else ids(number))
            assert store.span("default", TRACE, *ids(number)).input == [TALK, expected[number]]
        assert found(store, "elm") == ids(*again)
        assert found(store, f"{TALK} elm") == ids(*again)
        assert found(store, "again") == ids(1, 2, 3, 4)
        [line], _ = store.traces("default", SpanFilter(attributes=(AttributeTest("number", "=", "4"),)), limit=9)
        assert line.spans == 4
        store.append([told(number, "elm") for number in again])  # what is there already changes nothing
    assert store.delete("default", [TRACE]) == 4
    assert found(store, "again") == [] and store.trace("default", TRACE) == []


def test_what_runs_is_replaced_in_whatever_company_it_came(store):
    store.append([told(1, "alder"), told(2, "birch", status="running"), told(3, "cedar", status="running")])
    store.flush()
    assert found(store, "alder") == ids(1)
    store.append([told(2, "elm"), told(4, "dogwood")])
    store.append([told(2, "birch", status="running"), told(3, "fir", status="running")])
    assert [one.input[1] for one in store.trace("default", TRACE)] == ["alder", "elm", "fir", "dogwood"]
    assert found(store, "elm") == ids(2) and found(store, "birch") == []
    assert store.traces("default", SpanFilter(query="cedar"), limit=9)[0] == []
    assert len(store.traces("default", SpanFilter(query="fir"), limit=9)[0]) == 1


def test_a_long_trace_lies_in_several_pieces(store):
    count = 3 * bodies.MOST_SPANS + 5
    large = told(count + 1, "x" * bodies.MOST_BYTES)
    sent = [*(span(1, 1 + at, name=f"step{at}", start_ns=START - at) for at in range(count)), large]
    store.append(sent)
    assert store.trace("default", TRACE) == sorted(sent, key=lambda one: one.start_ns)
    assert len(store.outline("default", TRACE)) == count + 1
    for at in (0, 1, bodies.MOST_SPANS - 1, bodies.MOST_SPANS, count):
        assert store.span("default", TRACE, sent[at].span_id) == sent[at]
    every = list(store.scan("default", SpanFilter(), limit=count + 9))
    assert every == sorted(sent, key=lambda one: one.start_ns, reverse=True)
    assert [one.name for one in store.scan("default", SpanFilter(query="step70"), limit=9)] == ["step70"]


def test_words_of_a_scan_stand_in_one_span(store):
    store.append([told(1, "Grüne alder"), told(2, "birch a-b@example.org"), span(2, input="alder birch")])
    assert [one.span_id for one in store.scan("default", SpanFilter(query="birch ALDER"), limit=9)] == [f"{201:016x}"]
    for query in ("grun*", "GRUNE", "b@exam*", "said-again talk", "-- alder"):
        spans = list(store.scan("default", SpanFilter(query=query), limit=9))
        assert len(spans) == {"said-again talk": 0, "-- alder": 2}.get(query, 1), query


def test_a_frequent_word_is_looked_for_in_order_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mainspring.backends.spans_sqlite.scanning._FEW", 2)
    store = SqliteSpans(tmp_path)
    store.append([span(number, input="pear" if number % 2 else "plum") for number in range(1, 20)])
    store.append([told(2, "pear")])
    newest = [int(one.trace_id, 16) for one in store.scan("default", SpanFilter(query="pear"), limit=3)]
    assert newest == [19, 17, 15]
    assert len(list(store.scan("default", SpanFilter(query="pear"), limit=99))) == 11
    store.close()


def test_a_store_in_which_every_span_lay_alone_is_read_and_added_to(tmp_path: Path):
    store = SqliteSpans(tmp_path)
    for number, word in enumerate(("alder", "birch", "cedar"), 1):
        store.append([told(number, word)])
        store.flush()  # so each has a body and words of its own, as all had up to version 4
    store.close()
    file = apsw.Connection(str(tmp_path / "spans.sqlite"))
    assert file.execute("SELECT min(length(body)) > 0 FROM spans").get
    file.execute("PRAGMA user_version = 4")
    file.close()
    store = SqliteSpans(tmp_path)
    store.append([told(2, "elm"), told(4, "dogwood")])
    assert [one.input[1] for one in store.trace("default", TRACE)] == ["alder", "elm", "cedar", "dogwood"]
    assert found(store, "birch") == [] and found(store, "alder") == ids(1) and found(store, "elm") == ids(2)
    assert store.delete("default", [TRACE]) == 4
    store.close()


def test_a_write_ahead_file_gives_back_what_was_compressed_up_to_its_torn_end(open_store, tmp_path: Path):
    folder = tmp_path / "spans" / "wal"
    folder.mkdir(parents=True)
    log = wal.WriteAhead(folder)
    for numbers in ((1, 2), (3, 4)):
        log.append([encode(told(number, f"word{number} " + "x" * 20_000)) for number in numbers])
    [path] = folder.iterdir()
    assert path.stat().st_size < 20_000
    (folder / "00-dead.wal").write_bytes(path.read_bytes()[:-5])
    path.unlink()
    store = open_store()
    try:
        assert [one.span_id for one in store.trace("default", TRACE)] == ids(1, 2)
        assert found(store, "word2") == ids(2)
    finally:
        store.close()
