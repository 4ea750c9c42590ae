"""The decorator and the block: what of functions, coroutines and generators is recorded, and that nothing breaks."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import os
import subprocess
import sys
import threading
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mainspring
from mainspring.sdk.snapshot import MOST, Snapshot


def test_a_function_is_a_span_with_what_went_in_and_out(sink):
    class Shop:
        @mainspring.trace(kind="tool")
        def price(self, item: str, *more: int, currency: str = "CHF") -> dict[str, Any]:
            return {"item": item, "price": 7}

        @staticmethod
        @mainspring.trace
        def closed() -> None:
            return None

    assert Shop().price("tea", 1, 2, currency="EUR") == {"item": "tea", "price": 7}
    assert Shop.closed() is None and Shop.price.__name__ == "price"
    found = sink.named()
    [price] = [span for name, span in found.items() if name.endswith("Shop.price")]
    assert (price.kind, price.input, price.output) == (
        "execute_tool",
        {"item": "tea", "args": [1, 2], "currency": "EUR"},
        {"item": "tea", "price": 7},
    )
    assert price.service == "shop" and price.end_ns >= price.start_ns and price.parent_id == ""


def test_spans_nest_and_share_session_and_user(sink):
    @mainspring.trace
    def inner():
        return mainspring.current_trace_id()

    @mainspring.trace(name="outer", kind="agent")
    def outer():
        with mainspring.span("block", kind="retriever", input="q", top=3) as span:
            span.set_output(["a"]).event("hit", at=1)
            return inner()

    with mainspring.session("s1"), mainspring.user("u1"):
        trace_id = outer()
    assert mainspring.current_trace_id() == ""
    found = {name.rpartition(".")[2]: span for name, span in sink.named().items()}
    assert {span.trace_id for span in found.values()} == {trace_id}
    assert found["inner"].parent_id == found["block"].span_id and found["block"].parent_id == found["outer"].span_id
    assert {(span.session_id, span.user_id) for span in found.values()} == {("s1", "u1")}
    assert (found["block"].kind, found["block"].input, found["block"].output) == ("retrieval", "q", ["a"])
    assert found["block"].attributes["top"] == 3 and found["block"].events[0]["name"] == "hit"


def test_an_error_is_recorded_and_goes_on(sink):
    @mainspring.trace(name="fails")
    def fails():
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        fails()
    with pytest.raises(KeyboardInterrupt), mainspring.span("stopped"):
        raise KeyboardInterrupt
    found = sink.named()
    assert found["fails"].status == "error" and "no such thing" in found["fails"].status_message
    assert found["fails"].events[0]["attributes"]["exception.type"] == "ValueError"
    assert found["stopped"].status == "error"


def test_coroutines_keep_apart_and_nest(sink):
    @mainspring.trace(name="leaf")
    async def leaf(n):
        await asyncio.sleep(0)
        return n

    @mainspring.trace(name="root")
    async def root(n):
        return await asyncio.gather(leaf(n), leaf(n + 1))

    async def both():
        return await asyncio.gather(root(10), root(20))

    assert asyncio.run(both()) == [[10, 11], [20, 21]]
    spans = sink.spans()
    roots = {span.span_id: span for span in spans if span.name == "root"}
    assert len(roots) == 2
    for leaf_span in (span for span in spans if span.name == "leaf"):
        parent = roots[leaf_span.parent_id]
        assert parent.trace_id == leaf_span.trace_id and leaf_span.output in parent.output


def test_generators_are_current_only_while_they_run(sink):
    @mainspring.trace(name="step")
    def step(n):
        return n

    @mainspring.trace(name="numbers")
    def numbers():
        got = yield step(1)
        try:
            yield step(got)
        except LookupError:
            yield "caught"
        return "end"

    run = numbers()
    assert next(run) == 1 and mainspring.current_trace_id() == ""
    assert run.send(5) == 5
    assert run.throw(LookupError()) == "caught"
    with pytest.raises(StopIteration) as end:
        next(run)
    assert end.value.value == "end"
    spans = sink.spans()
    [whole] = [span for span in spans if span.name == "numbers"]
    assert whole.output == [1, 5, "caught"] and whole.status == "unset"
    assert {span.parent_id for span in spans if span.name == "step"} == {whole.span_id}


def test_generators_end_when_they_are_closed_or_fail(sink):
    @mainspring.trace(name="closed")
    def closed():
        yield 1
        yield 2

    @mainspring.trace(name="failed")
    def failed():
        yield 1
        raise ValueError("late")

    run = closed()
    next(run)
    run.close()
    with pytest.raises(ValueError, match="late"):
        list(failed())
    found = sink.named()
    assert (found["closed"].output, found["closed"].status) == ([1], "unset")
    assert (found["failed"].output, found["failed"].status) == ([1], "error")


def test_asynchronous_generators(sink):
    @mainspring.trace(name="step")
    async def step(n):
        return n

    @mainspring.trace(name="stream")
    async def stream():
        got = yield await step(1)
        yield await step(got or 2)

    async def consume():
        found = [item async for item in stream()]
        run = stream()
        assert await run.__anext__() == 1 and mainspring.current_trace_id() == ""
        assert await run.asend(9) == 9
        await run.aclose()
        return found

    assert asyncio.run(consume()) == [1, 2]
    spans = sink.spans()
    assert [span.output for span in spans if span.name == "stream"] == [[1, 2], [1, 9]]
    streams = {span.span_id for span in spans if span.name == "stream"}
    assert {span.parent_id for span in spans if span.name == "step"} == streams


def test_a_thread_continues_a_trace_by_its_context_or_by_headers(sink):
    with mainspring.span("here") as here:
        copied, carried = contextvars.copy_context(), mainspring.headers()

    def elsewhere():
        with mainspring.continue_trace({"TraceParent": carried["traceparent"]}), mainspring.span("headers"):
            pass
        copied.run(mainspring.trace(name="copied")(lambda: None))
        for wrong in ({}, None, "rubbish", {"traceparent": f"00-{'0' * 32}-{'1' * 16}-01"}):
            with mainspring.continue_trace(wrong), mainspring.span("fresh"):
                pass

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    spans = sink.spans()
    below = [span for span in spans if span.name in ("headers", "copied")]
    assert {(span.trace_id, span.parent_id) for span in below} == {(here.trace_id, here.span_id)}
    assert all(span.trace_id != here.trace_id for span in spans if span.name == "fresh")


def test_scores_and_feedback_are_sent(sink):
    with mainspring.span("answer") as span:
        mainspring.score("relevance", 0.5, comment="fair")
        span.score("length", label="short")
    mainspring.feedback(span.trace_id, False, correction="it was tea")
    mainspring.score("session", 1, session_id="s1")
    relevance, length, thumb, session = sink.scores()
    assert (relevance["trace_id"], relevance["number"], relevance["source"]) == (span.trace_id, 0.5, "code")
    assert (length["span_id"], length["label"]) == (span.span_id, "short")
    assert (thumb["number"], thumb["source"], thumb["correction"]) == (0.0, "human", "it was tea")
    assert session["session_id"] == "s1" and "trace_id" not in session


def test_without_init_nothing_is_recorded_and_all_works():
    mainspring.shutdown(0.1)

    @mainspring.trace
    def plain(n):
        return n

    @mainspring.trace
    def many():
        yield from (1, 2)

    with mainspring.span("x", input=1) as span:
        span.set(a=1).set_output(2).event("e").fail("no")
        assert plain(1) == 1 and list(many()) == [1, 2]
    mainspring.score("x", 1.0, trace_id="1" * 32)
    assert mainspring.flush() and mainspring.counters() == {"sent": 0, "dropped": 0, "rejected": 0}


def test_init_without_a_key_or_with_a_wrong_url_says_so_and_goes_on(tmp_path, monkeypatch, caplog):
    for name in ("MAINSPRING_API_KEY", "MAINSPRING_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path))
    assert mainspring.init() is False and mainspring.init("ftp://x", "k") is False
    assert "no API key" in caplog.text and "ftp://x" in caplog.text


@dataclasses.dataclass
class Order:
    item: str
    day: date


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


class HostileDict(dict):
    def copy(self):
        raise RuntimeError("no")


def test_any_value_is_kept_within_bounds(sink):
    @mainspring.trace(name="odd")
    def odd(*values):
        return values

    loop: list[Any] = []
    loop.append(loop)
    odd(Order("tea", date(2026, 1, 2)), Hostile(), loop, b"x" * 10_000, float("nan"), {1: {2, 3}}, "y" * 200_000)
    odd(HostileDict(a=1))
    first, second = sink.spans()
    order, hostile, *_, long = first.input["args"]
    assert order == {"item": "tea", "day": "2026-01-02"} and hostile.endswith("Hostile]")
    assert 60_000 < len(long) < 66_000
    assert second.status == "unset" and "cannot be read" in str(second.input)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=50) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4),
    max_leaves=40,
)


@given(anything, st.integers(0, 200))
def test_a_snapshot_is_json_and_no_longer_than_it_may_be(value, chars):
    import json

    room = Snapshot(chars)
    copy = room.copy(value)
    json.dumps(copy, allow_nan=False)
    small = Snapshot(10**6)
    assert len(json.dumps(small.copy(list(range(10 * MOST))))) < 40 * MOST


def test_a_child_of_a_fork_records_its_own_and_not_its_parents(sink, server):
    sink.server.gate.clear()
    with mainspring.span("parent"):
        pass
    child = os.fork()
    if child == 0:
        with mainspring.span("child"):
            pass
        os._exit(0 if mainspring.flush(20) else 1)
    sink.server.gate.set()
    assert os.waitpid(child, 0)[1] == 0
    spans = sink.spans()
    assert sorted(span.name for span in spans) == ["child", "parent"]
    assert len({span.trace_id for span in spans}) == 2


def test_an_ending_process_sends_what_it_has(server):
    code = (
        "import mainspring\n"
        f"mainspring.init({server.url!r}, 'key', service='script')\n"
        "@mainspring.trace\ndef work(): return 1\n"
        "work()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
    assert [path for path, _, _ in server.received] == ["/v1/traces"]


def test_importing_loads_nothing_of_the_server():
    code = (
        "import sys, mainspring\n"
        "assert 'mainspring.sdk' not in sys.modules\n"
        "mainspring.init\n"
        "heavy = {'httpx', 'pydantic', 'sqlalchemy', 'msgspec', 'opentelemetry', 'google', 'ssl', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)), [m for m in sys.modules if m.startswith('mainspring.k')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "[] []"


def test_odd_names_and_classes_break_nothing(sink, caplog):
    @mainspring.trace
    class Thing:
        def work(self):
            return 1

    assert isinstance(Thing, type) and Thing().work() == 1 and "takes functions" in caplog.text
    with mainspring.span(None, kind=None) as span:  # type: ignore[arg-type]
        span.event(None).event(7).fail(None)  # type: ignore[arg-type]
    found = sink.one()
    assert (found.name, [event["name"] for event in found.events[:2]]) == ("None", ["None", "7"])
