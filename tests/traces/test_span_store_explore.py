"""What explores the span store: tests of any attribute, counts over time, users, outlines; on each back end."""

from __future__ import annotations

import pytest
from tests.traces.test_span_store import HOUR, START, span

from mainspring.kernel.spans import AttributeTest, Span, SpanFilter


def ids(store, *tests: AttributeTest, **where: object) -> list[int]:
    narrowed = SpanFilter(attributes=tests, **where)
    return [int(line.trace_id, 16) for line in store.traces("default", narrowed, limit=9)[0]]


TESTS = [
    (AttributeTest("tier", "=", "gold"), [1]),
    (AttributeTest("tier", "!=", "gold"), [2]),
    (AttributeTest("tier", "~", "OL"), [1]),
    (AttributeTest("tier", "has"), [2, 1]),
    (AttributeTest("tier", "lacks"), [3]),
    (AttributeTest("retry.count", ">=", "2"), [2]),
    (AttributeTest("retry.count", "<", "2.5"), [2, 1]),
    (AttributeTest("retry.count", "=", "1.0"), [1]),
    (AttributeTest("cached", "=", "true"), [3]),
    (AttributeTest("tag.tags", "=", "blue"), [2]),
    (AttributeTest("metadata.plan.name", "=", 'pro "x"'), [3]),
    (AttributeTest("host.name", "=", "web-1"), [1]),
    (AttributeTest("provider", "=", "acme", "provider"), [2]),
    (AttributeTest("gen_ai.usage.input_tokens", ">", "10", "input_tokens"), [2]),
    (AttributeTest("order", "=", "9007199254740993"), [3]),
    (AttributeTest("order", "=", "9007199254740992"), []),
    (AttributeTest("order", ">", "9007199254740992"), [3]),
    (AttributeTest("nothing", "=", "gold"), []),
]


@pytest.fixture
def filled(store):
    store.append(
        [
            span(1, attributes={"tier": "gold", "retry.count": 1}, resource={"host.name": "web-1"}),
            span(2, attributes={"tier": "silver", "retry.count": 2, "tag.tags": ["red", "blue"]}),
            span(2, 2, provider="acme", input_tokens=50),
            span(
                3,
                attributes={
                    "cached": True,
                    "order": 2**53 + 1,
                    "metadata": {"plan.name": 'pro "x"', "plan": {"name": "other"}},
                },
            ),
        ]
    )
    return store


@pytest.mark.parametrize("case", TESTS, ids=lambda case: f"{case[0].key}{case[0].op}{case[0].value}")
def test_any_attribute_narrows_traces_and_scans(filled, case):
    test, expected = case
    if test.op == "lacks":
        assert ids(filled, test) == [3, 2]  # the second span of trace 2 lacks it
        return
    assert ids(filled, test) == expected
    found = filled.scan("default", SpanFilter(attributes=(test,)), limit=9)
    assert [int(one.trace_id, 16) for one in found] == expected


def test_one_span_must_pass_all_tests_and_other_filters_hold_beside_them(filled):
    gold, second = AttributeTest("tier", "has"), AttributeTest("provider", "=", "acme", "provider")
    assert ids(filled, gold, second) == []
    assert ids(filled, gold, AttributeTest("retry.count", ">", "0")) == [2, 1]
    assert ids(filled, gold, since_ns=START + 2_000_000_000) == [2]
    assert ids(filled, gold, query="silver") == [2]
    assert ids(filled, gold, trace_ids=(f"{1:032x}", f"{3:032x}")) == [1]


def test_pages_of_tested_traces_follow_each_other(store):
    store.append([span(n, attributes={"odd": n % 2}) for n in range(1, 30)])
    for query in ("", "chat"):
        seen: list[int] = []
        cursor = ""
        while True:
            where = SpanFilter(attributes=(AttributeTest("odd", "=", "1"),), query=query)
            page, cursor = store.traces("default", where, limit=4, cursor=cursor)
            seen += [int(line.trace_id, 16) for line in page]
            if not cursor:
                break
        assert seen == list(range(29, 0, -2))


def test_a_histogram_counts_traces_and_errors_newest_first(store):
    store.append([span(n, start_ns=START + n * HOUR, end_ns=START + n * HOUR + 9) for n in range(1, 5)])
    store.append([span(8, start_ns=START + HOUR, end_ns=START + HOUR + 9, status="error", model="m")])
    edges = [START, START + HOUR, START + 2 * HOUR, START + 5 * HOUR]
    assert store.histogram("default", SpanFilter(), edges) == [(3, 0), (2, 1), (0, 0)]
    assert store.histogram("default", SpanFilter(model="m"), edges) == [(0, 0), (1, 1), (0, 0)]
    assert store.histogram("default", SpanFilter(trace_ids=(f"{8:032x}",)), edges) == [(0, 0), (1, 1), (0, 0)]
    assert store.histogram("default", SpanFilter(model="none"), edges) == [(0, 0)] * 3
    assert store.histogram("other", SpanFilter(), edges) == [(0, 0)] * 3


def test_users_are_pages_last_seen_first(store):
    store.append([span(n, user_id=f"u{n % 3}", session_id=f"s{n % 6}", input_tokens=1) for n in range(1, 13)])
    store.append([span(20), span(21, user_id="u1", status="error", cost=0.5)])
    first, cursor = store.users("default", SpanFilter(), limit=2)
    rest, end = store.users("default", SpanFilter(), limit=2, cursor=cursor)
    assert [u.user_id for u in first + rest] == ["u1", "u0", "u2"] and end == ""
    line = first[0]
    assert (line.traces, line.errors, line.input_tokens, line.cost) == (5, 1, 4, 0.5)
    assert (line.first_ns, line.last_ns) == (START + 1_000_000_001, START + 21_000_000_001)
    assert [u.user_id for u in store.users("default", SpanFilter(user_id="u2"), limit=2)[0]] == ["u2"]
    later = SpanFilter(since_ns=START + 12_000_000_000)
    assert [u.user_id for u in store.users("default", later, limit=5)[0]] == ["u1", "u0"]


def test_users_follow_what_is_replaced_and_erased(store):
    store.append([span(1, user_id="ann", cost=1.0), span(2, user_id="ann", cost=2.0), span(3, user_id="bob")])
    store.flush()
    store.append([span(1, user_id="bob", cost=1.0)])

    def lines() -> dict[str, tuple[int, float, int]]:
        found, _ = store.users("default", SpanFilter(), limit=9)
        return {u.user_id: (u.traces, u.cost, (u.first_ns - START) // 10**9) for u in found}

    assert lines() == {"bob": (2, 1.0, 1), "ann": (1, 2.0, 2)}
    store.delete("default", [f"{2:032x}", f"{1:032x}"])
    assert lines() == {"bob": (1, 0.0, 3)}


def test_an_outline_says_all_but_the_texts_and_one_span_says_the_rest(store):
    whole = [span(1, 1, kind="invoke_agent", user_id="ann"), span(1, 2, input="hi", model="m", input_tokens=3)]
    store.append([*whole, span(1, 3, status="running", service="web")])
    lines = store.outline("default", f"{1:032x}")
    assert [(line.span_id, line.says, line.model, line.status) for line in lines] == [
        (f"{101:016x}", False, "", "unset"),
        (f"{102:016x}", True, "m", "unset"),
        (f"{103:016x}", False, "", "running"),
    ]
    assert (lines[0].kind, lines[0].parent_id) == ("invoke_agent", "")
    assert (lines[1].parent_id, lines[1].input_tokens, lines[2].service) == (f"{101:016x}", 3, "web")
    assert store.span("default", f"{1:032x}", f"{102:016x}") == whole[1]
    assert store.span("default", f"{1:032x}", f"{109:016x}") is None
    assert store.span("default", f"{1:032x}", "odd") is None
    assert store.outline("other", f"{1:032x}") == [] and store.span("other", f"{1:032x}", f"{102:016x}") is None


def test_what_begins_at_the_same_moment_has_one_order_in_every_store(store):
    """By the ids: the order in which they arrived is known to one store alone."""
    at = 1_790_000_000_000_000_000
    several = [
        Span(trace_id=f"{trace:032x}", span_id=f"{number:016x}", project="one", kind="chat", start_ns=at, end_ns=at + 5,
             model=f"m{number}", input=f"said by {number}")
        for trace, number in ((3, 5), (1, 9), (3, 2), (2, 1), (3, 8), (1, 4))
    ]  # fmt: skip
    for one in several:
        store.append([one])
        store.flush()
    assert [int(span.span_id, 16) for span in store.trace("one", f"{3:032x}")] == [2, 5, 8]
    assert [int(line.span_id, 16) for line in store.outline("one", f"{3:032x}")] == [2, 5, 8]
    assert [int(span.span_id, 16) for span in store.scan("one", SpanFilter(), limit=10)] == [9, 8, 5, 4, 2, 1]
    lines, cursor = store.traces("one", SpanFilter(), limit=2)
    rest, end = store.traces("one", SpanFilter(), limit=2, cursor=cursor)
    assert [(int(line.trace_id, 16), line.model, line.input_preview) for line in lines + rest] == [
        (3, "m2", "said by 2"), (2, "m1", "said by 1"), (1, "m4", "said by 4"),
    ] and not end  # fmt: skip
    where = SpanFilter(attributes=(AttributeTest("model", "has", "", "model"),))
    lines, cursor = store.traces("one", where, limit=1)
    rest, _ = store.traces("one", where, limit=5, cursor=cursor)
    assert [int(line.trace_id, 16) for line in lines + rest] == [3, 2, 1]
