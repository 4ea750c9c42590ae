"""Spans of protobuf requests: read from the bytes as the generated messages read them."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from mainspring.kernel.errors import Invalid
from mainspring.traces import protobuf


def _pair(values):
    return st.fixed_dictionaries({"key": KEYS, "value": values})


KEYS = st.text(max_size=200)
TEXTS = st.text(max_size=300)
VALUES = st.recursive(
    st.builds(lambda text: {"string_value": text}, TEXTS)
    | st.builds(lambda number: {"int_value": number}, st.integers(-(1 << 63), (1 << 63) - 1))
    | st.builds(lambda number: {"double_value": number}, st.floats(allow_nan=False))
    | st.builds(lambda said: {"bool_value": said}, st.booleans())
    | st.builds(lambda data: {"bytes_value": data}, st.binary(max_size=20))
    | st.just({}),
    lambda inner: (
        st.builds(lambda items: {"array_value": {"values": items}}, st.lists(inner, max_size=3))
        | st.builds(lambda pairs: {"kvlist_value": {"values": pairs}}, st.lists(_pair(inner), max_size=3))
    ),
    max_leaves=6,
)


COUNTS = st.integers(0, (1 << 32) - 1)
TIMES = st.integers(0, (1 << 64) - 1)
PAIRS = st.lists(_pair(VALUES), max_size=6)
SPANS = st.fixed_dictionaries(
    {},
    optional={
        "trace_id": st.binary(max_size=20),
        "span_id": st.binary(max_size=10),
        "parent_span_id": st.binary(max_size=10),
        "trace_state": TEXTS,
        "flags": COUNTS,
        "kind": st.integers(0, 5),
        "name": TEXTS,
        "start_time_unix_nano": TIMES,
        "end_time_unix_nano": TIMES,
        "attributes": PAIRS,
        "dropped_attributes_count": COUNTS,
        "dropped_events_count": COUNTS,
        "dropped_links_count": COUNTS,
        "events": st.lists(
            st.fixed_dictionaries({"name": TEXTS, "time_unix_nano": TIMES, "attributes": PAIRS}), max_size=2
        ),
        "links": st.lists(st.fixed_dictionaries({"trace_id": st.binary(max_size=16), "attributes": PAIRS}), max_size=2),
        "status": st.fixed_dictionaries({"code": st.integers(0, 5), "message": TEXTS}),
    },
)


@given(SPANS)
def test_bytes_say_what_the_message_says(fields):
    message = Message(**fields)
    data = message.SerializeToString()

    assert protobuf.read(b"\x00" + data, 1, len(data) + 1, {}) == protobuf.taken(message, {})


@pytest.mark.parametrize("count", [127, 128, 511, 512, 513, 600])
def test_what_is_over_the_limits_is_counted(count):
    pairs = [{"key": f"key {number}", "value": {"string_value": "x" * number}} for number in range(count)]
    message = Message(attributes=pairs, events=[{"name": "e"}] * count, links=[{}] * count)
    data = message.SerializeToString()

    assert protobuf.read(data, 0, len(data), {}) == protobuf.taken(message, {})


@given(SPANS, st.data())
def test_a_span_that_is_cut_short_is_refused_or_is_another_whole_one(fields, data):
    whole = Message(**fields).SerializeToString()
    part = whole[: data.draw(st.integers(0, len(whole)))]
    try:
        expected = protobuf.taken(Message.FromString(part), {})
    except DecodeError:
        with pytest.raises((DecodeError, IndexError, UnicodeDecodeError)):
            protobuf.read(part, 0, len(part), {})
    else:
        assert protobuf.read(part, 0, len(part), {}) == expected


@given(st.binary(max_size=60))
def test_any_bytes_are_spans_or_refused(data):
    try:
        assert isinstance(list(protobuf.spans(data)), list)
    except Invalid as error:
        assert "protobuf" in error.message
    try:
        protobuf.read(data, 0, len(data), {})
    except (DecodeError, IndexError, UnicodeDecodeError):
        return
