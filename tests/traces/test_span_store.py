"""The span store through its port, on each back end."""

from __future__ import annotations

import threading

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.backends.spans_log import wal
from mainspring.kernel.errors import Invalid, Unavailable
from mainspring.kernel.spans import AttributeTest, Span, SpanFilter

START = 1_790_000_000_000_000_000
HOUR = 3_600_000_000_000


def span(trace: int, number: int = 1, **fields: object) -> Span:
    """Make a span; the first of a trace is its root."""
    base: dict[str, object] = {
        "trace_id": f"{trace:032x}",
        "span_id": f"{trace * 100 + number:016x}",
        "parent_id": "" if number == 1 else f"{trace * 100 + 1:016x}",
        "project": "default",
        "name": "chat docs",
        "kind": "chat",
        "start_ns": START + trace * 1_000_000_000 + number,
        "end_ns": START + trace * 1_000_000_000 + 50_000_000,
    }
    return Span(**{**base, **fields})  # type: ignore[arg-type]


def test_a_trace_comes_back_as_it_was_sent(store):
    sent = [
        span(1, 2, input_tokens=3, cost=0.5, attributes={"a": [1, {"b": None}]}),
        span(1, 1, input=[{"role": "user", "parts": [{"type": "text", "content": "héllo"}]}], status="ok"),
    ]
    store.append(sent)
    assert store.trace("default", sent[0].trace_id) == [sent[1], sent[0]]
    assert store.trace("other", sent[0].trace_id) == []
    assert store.trace("default", "no-id") == []


def test_a_line_of_the_list_sums_the_trace(store):
    store.append(
        [
            span(1, 1, kind="invoke_agent", name="agent", input_tokens=100, session_id="s", output="done well"),
            span(1, 2, input_tokens=60, output_tokens=6, cost=0.1, model="m", status="error"),
            span(1, 3, input_tokens=40, output_tokens=4, cost=0.2, release="release/docs@2"),
        ]
    )
    [line], cursor = store.traces("default", SpanFilter(), limit=10)
    assert (line.name, line.kind, line.spans, line.status, line.model) == ("agent", "invoke_agent", 3, "error", "m")
    assert (line.input_tokens, line.output_tokens, round(line.cost, 9)) == (100, 10, 0.3)
    assert (line.session_id, line.release, line.output_preview, cursor) == ("s", "release/docs@2", "done well", "")


def test_a_call_reported_by_client_and_gateway_counts_once(store):
    store.append([span(1, 1, input_tokens=10, cost=1.0), span(1, 2, input_tokens=10, cost=1.0)])
    [line], _ = store.traces("default", SpanFilter(), limit=10)
    assert (line.input_tokens, line.cost) == (10, 1.0)


def test_a_span_sent_again_replaces_the_first(store):
    store.append([span(1, input="alpha", input_tokens=5, session_id="old")])
    store.flush()
    store.append([span(1, input="beta", input_tokens=7, session_id="new")])
    [line], _ = store.traces("default", SpanFilter(query="beta"), limit=10)
    assert (line.spans, line.input_tokens, line.input_preview) == (1, 7, "beta")
    assert store.traces("default", SpanFilter(query="alpha"), limit=10)[0] == []
    assert [s.session_id for s in store.sessions("default", SpanFilter(), limit=10)[0]] == ["new"]
    assert [(u.spans, u.input_tokens) for u in store.usage("default", SpanFilter())] == [(1, 7)]


def test_projects_do_not_see_or_replace_each_other(store):
    store.append([span(1, input="mine"), span(1, project="other", input="theirs")])
    assert store.trace("default", f"{1:032x}")[0].input == "mine"
    assert store.trace("other", f"{1:032x}")[0].input == "theirs"
    store.delete("other", [f"{1:032x}"])
    assert store.trace("default", f"{1:032x}")


def test_pages_follow_each_other_without_gap_or_repeat(store):
    store.append([span(n, start_ns=START + n // 3, end_ns=START + 9**9) for n in range(1, 48)])
    for query in ("", "chat"):
        seen: list[str] = []
        cursor = ""
        while True:
            page, cursor = store.traces("default", SpanFilter(query=query), limit=10, cursor=cursor)
            seen += [line.trace_id for line in page]
            if not cursor:
                break
        assert len(seen) == len(set(seen)) == 47
    with pytest.raises(Invalid):
        store.traces("default", SpanFilter(), limit=10, cursor="x:y")


FILTERS = [
    {"environment": "staging"},
    {"model": "m2"},
    {"deployment": "docs"},
    {"release": "release/docs@2"},
    {"session_id": "s2"},
    {"user_id": "u2"},
    {"status": "error"},
    {"service": "web"},
    {"name": "odd"},
    {"kind": "embeddings"},
    {"prompt": "prompt/docs@1"},
]


@pytest.mark.parametrize("where", FILTERS, ids=lambda where: next(iter(where)))
def test_each_filter_narrows_traces_and_scans(store, where):
    store.append([span(n) for n in (1, 2)] + [span(3, **where)])
    narrowed = SpanFilter(**where)
    assert [line.trace_id for line in store.traces("default", narrowed, limit=5)[0]] == [f"{3:032x}"]
    assert [found.trace_id for found in store.scan("default", narrowed, limit=5)] == [f"{3:032x}"]


@pytest.mark.parametrize("field", ["environment", "model", "deployment", "release", "service", "kind", "prompt"])
def test_a_word_is_left_out(store, field):
    store.append([span(1, **{field: "this"}), span(2, **{field: "that"}), span(3)])
    for word, left in (("!this", [3, 2]), ("!that", [3, 1]), ("!other", [3, 2, 1]), ("!this,other,that", [3])):
        narrowed = SpanFilter(**{field: word})
        lines, _ = store.traces("default", narrowed, limit=5)
        assert [line.trace_id for line in lines] == [f"{number:032x}" for number in left]
        assert {found.trace_id for found in store.scan("default", narrowed, limit=5)} == {f"{n:032x}" for n in left}


def test_time_duration_and_chosen_traces_narrow(store):
    store.append([span(n) for n in range(1, 6)] + [span(9, end_ns=START + 20_000_000_000)])

    def ids(**where: object) -> list[int]:
        return [int(line.trace_id, 16) for line in store.traces("default", SpanFilter(**where), limit=9)[0]]

    assert ids(since_ns=START + 4_000_000_000) == [9, 5, 4]
    assert ids(until_ns=START + 3_000_000_000) == [2, 1]
    assert ids(min_duration_ms=1_000.0) == [9]
    assert ids(trace_ids=(f"{2:032x}", f"{4:032x}")) == [4, 2]
    assert len(list(store.scan("default", SpanFilter(trace_ids=(f"{2:032x}",)), limit=9))) == 1
    with pytest.raises(Invalid):
        ids(status="bad")


def test_all_words_must_stand_in_the_trace_though_not_in_one_span(store):
    store.append([span(1, 1, input="red apple"), span(1, 2, output="Grüne pear"), span(2, input="red plum")])
    store.append([span(3, input="to a-b@example.org")])

    def found(query: str) -> list[int]:
        return [int(line.trace_id, 16) for line in store.traces("default", SpanFilter(query=query), limit=5)[0]]

    assert found("red grune") == [1]
    assert found("RED") == [2, 1]
    assert found("a-b@ex*") == [3] and found("b-a") == []
    assert found("pl*") == [2]
    assert found("red cherry") == []
    assert found('"apple" OR') == []
    with pytest.raises(Invalid):
        found("  ** ")


def pages(store, **where: object) -> list[int]:
    """Return the numbers of the traces that a list shows, in pages of two."""
    numbers: list[int] = []
    cursor = ""
    while True:
        lines, cursor = store.traces("default", SpanFilter(**where), limit=2, cursor=cursor)
        numbers += [int(line.trace_id, 16) for line in lines]
        if not cursor:
            return numbers


def test_a_search_shows_what_arrived_last_first_and_a_list_what_began_last(store, open_store):
    store.append([span(5, input="plum"), span(1, input="plum"), span(9, input="plum", status="running")])
    store.flush()
    store.append([span(3, input="plum")])
    store.flush()
    # What comes later to a trace, or ends its spans, does not make it arrive again.
    store.append([span(9, input="plum"), span(1, 2, output="plum too")])
    store.append([span(2, start_ns=START, input="plum"), span(7, start_ns=START, input="plum")])
    store.append([span(4, start_ns=START, input="plum")])
    store.flush()
    assert pages(store, query="plum") == [4, 7, 2, 3, 9, 1, 5]
    assert pages(store, query="plum", until_ns=START + 1) == [4, 7, 2]
    assert pages(store) == [9, 5, 3, 1, 7, 4, 2]
    plain = AttributeTest("gen_ai.operation.name", "=", "chat", field="kind")
    assert pages(store, query="plum", attributes=(plain,)) == [4, 7, 2, 3, 9, 1, 5]
    again = open_store()
    assert pages(again, query="plum") == [4, 7, 2, 3, 9, 1, 5]
    again.close()


def test_hours_come_in_one_order(store):
    models = ["pear", "apple", "plum"]
    store.append([span(n, start_ns=START, model=model) for n, model in enumerate(models, 1)])
    assert [hour.model for hour in store.usage("default", SpanFilter())] == sorted(models)


def test_sessions_are_pages_last_active_first(store):
    store.append([span(n, session_id=f"s{n % 5}", user_id="ann", input_tokens=1) for n in range(1, 21)])
    first, cursor = store.sessions("default", SpanFilter(), limit=3)
    rest, end = store.sessions("default", SpanFilter(), limit=3, cursor=cursor)
    assert [s.session_id for s in first + rest] == ["s0", "s4", "s3", "s2", "s1"]
    assert end == "" and first[0].traces == 4 and first[0].input_tokens == 4 and first[0].user_id == "ann"
    assert len(store.sessions("default", SpanFilter(session_id="s1"), limit=3)[0]) == 1


def test_usage_sums_hours(store):
    store.append([span(n, start_ns=START + n * HOUR, end_ns=START + n * HOUR + 2_000_000, cost=0.5) for n in (1, 2)])
    store.append([span(3, start_ns=START + HOUR, end_ns=START + HOUR + 9_000_000, status="error")])
    hours = store.usage("default", SpanFilter(kind="chat"))
    sums = [(u.spans, u.errors, u.roots, u.cost, u.duration_ms) for u in hours]
    assert sums == [(2, 1, 2, 0.5, 11.0), (1, 0, 1, 0.5, 2.0)]
    assert sum(hours[0].latencies.values()) == 2
    assert store.usage("default", SpanFilter(model="none")) == []


def test_erasure_leaves_no_byte_behind(store, tmp_path):
    store.append([span(1, input="supersecretword", user_id="someuserid"), span(2, input="keep")])
    store.append([span(1, 2, output="anothersecretword")])
    assert store.delete("default", [f"{1:032x}", f"{7:032x}"]) == 2
    blob = b"".join(path.read_bytes() for path in (tmp_path / "spans").rglob("*") if path.is_file())
    for word in (b"supersecretword", b"anothersecret", b"someuserid"):
        assert word not in blob
    assert store.traces("default", SpanFilter(query="supersecretword"), limit=5)[0] == []
    assert [line.input_preview for line in store.traces("default", SpanFilter(), limit=5)[0]] == ["keep"]
    assert sum(u.spans for u in store.usage("default", SpanFilter())) == 1
    store.append([span(1, 3, output="late")])
    assert store.trace("default", f"{1:032x}") == []


def test_erasure_reaches_what_another_process_holds(store, open_store, tmp_path):
    other = open_store()
    try:
        other.append([span(1, input="elsewhere")])
        assert store.delete("default", [f"{1:032x}"]) in (0, 1)
        assert other.trace("default", f"{1:032x}") == []
        blob = b"".join(path.read_bytes() for path in (tmp_path / "spans" / "wal").iterdir())
        assert b"elsewhere" not in blob
    finally:
        other.close()


def test_a_write_ahead_file_of_a_dead_process_is_replayed_up_to_its_torn_end(open_store, tmp_path):
    folder = tmp_path / "spans" / "wal"
    folder.mkdir(parents=True)
    log = wal.WriteAhead(folder)
    log.append([msgspec.json.encode(span(1)), msgspec.json.encode(span(2))])
    log.append([msgspec.json.encode(span(3))])
    [path] = folder.iterdir()
    (folder / "00-dead.wal").write_bytes(path.read_bytes()[:-5])
    path.unlink()
    store = open_store()
    try:
        assert len(store.traces("default", SpanFilter(), limit=5)[0]) == 2
        assert not (folder / "00-dead.wal").exists()
    finally:
        store.close()


def test_threads_share_the_store(store):
    def send(base: int) -> None:
        for n in range(20):
            store.append([span(base + n)])

    threads = [threading.Thread(target=send, args=(base,)) for base in (100, 200, 300, 400)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.flush()
    assert store.stats()["spans"] == 80 and store.stats()["pending"] == 0


def test_a_backup_taken_while_writing_restores(store, open_store, tmp_path):
    other = open_store()
    other.append([span(1, input="one")])
    store.append([span(2)])
    store.backup(tmp_path / "copy")
    other.close()
    store.append([span(3)])
    store.restore(tmp_path / "copy")
    assert [int(line.trace_id, 16) for line in store.traces("default", SpanFilter(), limit=5)[0]] == [2, 1]
    store.append([span(4)])
    assert len(store.trace("default", f"{4:032x}")) == 1
    (tmp_path / "junk").write_bytes(b"junk" * 1000)
    with pytest.raises(Invalid):
        store.restore(tmp_path / "junk")


BAD = [
    {"trace_id": "0" * 32},
    {"trace_id": "A" * 32},
    {"span_id": "12"},
    {"parent_id": "zz"},
    {"end_ns": 5},
    {"start_ns": 1 << 64, "end_ns": 1 << 64},
    {"input_tokens": -1},
    {"cost": float("nan")},
    {"project": ""},
    {"input": "\ud800"},
    {"attributes": {"a": object()}},
]


@pytest.mark.parametrize("fields", BAD, ids=lambda fields: next(iter(fields)))
def test_an_impossible_span_is_refused_with_all_that_came_with_it(store, fields):
    with pytest.raises(Invalid):
        store.append([span(1), span(2, **fields)])
    assert store.stats()["spans"] == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=json_values, text=st.text(st.characters(codec="utf-8")), tokens=st.integers(0, (1 << 40) - 1))
def test_whatever_is_accepted_becomes_visible(store, value, text, tokens):
    store.append([span(1, input=value, name=text, model=text, session_id=text, input_tokens=tokens)])
    store.flush(10)
    assert store.trace("default", f"{1:032x}")[0].name == text


def test_a_closed_store_says_so(open_store):
    store = open_store()
    store.close()
    with pytest.raises(Unavailable):
        store.append([span(1)])


def test_calls_are_summed_by_step_and_group(store):
    common = {"ttft_ms": 30.0, "input_tokens": 10, "output_tokens": 2, "cached_tokens": 4, "cost": 0.5, "status": "ok"}
    store.append(
        [span(n, model=("a", "a", "b")[n % 3], user_id=f"u{n % 2}", prompt="prompt/p@1", **common) for n in range(1, 7)]
        + [
            span(
                7,
                model="c",
                status="error",
                attributes={"mainspring.guard.action": "block", "mainspring.cache": "miss"},
            ),
            span(8, model="a", attributes={"mainspring.guard.action": "mask", "mainspring.cache": "semantic"}),
            span(9, kind="execute_tool", model="a"),
            span(10, status="running", model="a"),
        ]
    )
    where = SpanFilter(since_ns=START, until_ns=START + 12_000_000_000)
    [all_] = store.calls("default", where, step_ns=12_000_000_000)
    assert (all_.calls, all_.errors, all_.input_tokens, all_.cached_tokens, all_.cost) == (8, 1, 60, 24, 3.0)
    assert (all_.masked, all_.blocked, all_.hits, all_.lookups) == (1, 1, 1, 2)
    assert (sum(all_.latencies.values()), sum(all_.first_tokens.values())) == (8, 6)
    found = store.calls("default", where, by="model", step_ns=4_000_000_000, groups=1)
    assert [((one.at_ns - START) // 10**9, one.group, one.calls) for one in found] == [
        (0, "a", 2), (0, None, 1), (4, "a", 2), (4, None, 2), (8, "a", 1)
    ]  # fmt: skip
    for by, groups in (("user_id", ["u0", "u1", ""]), ("prompt", ["prompt/p@1", ""]), ("deployment", [""])):
        assert {one.group for one in store.calls("default", where, by=by, step_ns=HOUR)} == set(groups)
    narrow = SpanFilter(since_ns=START, model="!a,c", user_id="u0")
    assert [one.calls for one in store.calls("default", narrow, step_ns=HOUR)] == [1]
    kinds = SpanFilter(since_ns=START, kind="chat,text_completion", service="!shadow,loadtest")
    assert [one.calls for one in store.calls("default", kinds, step_ns=HOUR)] == [8]
    assert store.calls("other", where, step_ns=HOUR) == []
    for wrong in ({"by": "odd", "step_ns": HOUR}, {"step_ns": 0}, {"step_ns": 1}, {"step_ns": HOUR, "groups": 51}):
        with pytest.raises(Invalid):
            store.calls("default", where, **wrong)


def test_a_call_that_client_and_gateway_report_is_summed_once_whoever_comes_first(store):
    where = SpanFilter(since_ns=START)
    outer, inner = span(1, 1, model="outer", cost=1.0), span(1, 2, model="inner", cost=1.0)
    store.append([outer])
    assert [one.group for one in store.calls("default", where, by="model", step_ns=HOUR)] == ["outer"]
    store.append([inner])
    assert [one.group for one in store.calls("default", where, by="model", step_ns=HOUR)] == ["inner"]
    store.append([span(1, 2, model="inner", cost=2.0, start_ns=START + 9)])
    assert [(one.calls, one.cost) for one in store.calls("default", where, step_ns=HOUR)] == [(1, 2.0)]
    store.append([span(2, 2, model="inner"), span(2, 1, model="outer")])
    assert [one.calls for one in store.calls("default", where, by="model", step_ns=HOUR)] == [2]
    store.delete("default", [f"{1:032x}", f"{2:032x}"])
    assert store.calls("default", where, step_ns=HOUR) == []
