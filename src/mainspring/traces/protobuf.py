"""Spans of an OTLP request in protobuf.

Where this module is compiled it reads spans where they lie in the bytes: nearly every attribute is a short key and a
text, and a message object for each would take longer than all that is done with it afterwards. What is seldom there
(events, links, lists, a resource) is left to the generated messages, and so is everything where it is interpreted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any, Final, Literal

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from mainspring.kernel.errors import Invalid
from mainspring.traces import limits
from mainspring.traces.raw import RawSpan

STATUS: Final[tuple[Literal["unset", "ok", "error"], ...]] = ("unset", "ok", "error")
_PARTS = ("attributes", "events", "links")
_LOST: Final = {0x50: 0, 0x60: 1, 0x70: 2}
"""Fields that count what the sender left out, by their tags, in the order of `_PARTS`."""
_MASK: Final = (1 << 64) - 1
_MOST_NAMES: Final = 1_000
_LONGEST_NAME: Final = 64
_names: dict[bytes, str] = {}
"""Keys of attributes that came before: the same ones come with every span."""


def spans(body: bytes) -> Iterator[RawSpan]:
    """Yield the spans of a request. Raises Invalid where the bytes are no such message."""
    try:
        for _, at, end in _parts(body, 0, len(body), 1):
            yield from _of_resource(body, at, end)
    except (DecodeError, IndexError, UnicodeDecodeError):
        raise Invalid("The body is not an OTLP trace request in protobuf.") from None


def with_scope(resource: dict[str, Any], name: str, version: str) -> dict[str, Any]:
    """Return the attributes of a resource, with what says which instrumentation made its spans."""
    extra = {"otel.scope.name": limits.cut(name, limits.NAME)} if name else {}
    if name and version:
        extra["otel.scope.version"] = limits.cut(version, limits.NAME)
    return {**resource, **extra}


def dropped(*counts: int) -> dict[str, Any]:
    """Return the attributes that tell how much of a span its sender, or this side's limits, left out."""
    return {f"otel.dropped_{name}_count": count for name, count in zip(_PARTS, counts, strict=True) if count > 0}


def attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    """Return the attributes of a message, at most `limits.ATTRIBUTES`."""
    found: dict[str, Any] = {}
    for pair in pairs:
        if len(found) >= limits.ATTRIBUTES:
            break
        given, key = pair.value, pair.key
        text = given.string_value  # nearly every attribute is a text; empty, it may be something else
        if not text:
            text = value(given)
        elif len(text) > limits.TEXT:
            text = limits.cut(text)
        found[key if len(key) <= limits.NAME else limits.cut(key, limits.NAME)] = text
    return found


def value(given: Any, depth: int = 0, room: list[int] | None = None) -> Any:
    """Return an AnyValue as a Python value; `room` counts down the values that may still come."""
    room = [limits.ITEMS] if room is None else room
    room[0] -= 1
    kind = given.WhichOneof("value")
    if kind == "string_value":
        return limits.cut(given.string_value)
    if kind in ("array_value", "kvlist_value"):
        if depth >= limits.DEPTH:
            return "[too deep]"
        if kind == "array_value":
            return [value(item, depth + 1, room) for item in given.array_value.values if room[0] > 0]
        pairs = (pair for pair in given.kvlist_value.values if room[0] > 0)
        return {limits.cut(pair.key, limits.NAME): value(pair.value, depth + 1, room) for pair in pairs}
    if kind == "bytes_value":
        return limits.cut(given.bytes_value.hex())
    return None if kind is None else getattr(given, kind)


def _of_resource(data: bytes, at: int, end: int) -> Iterator[RawSpan]:
    resource: dict[str, Any] = {}
    scopes: list[tuple[int, int]] = []
    for field, start, stop in _parts(data, at, end, 2):
        if field == 1:
            resource |= attributes(Resource.FromString(data[start:stop]).attributes)
        else:
            scopes.append((start, stop))
    for begin, over in scopes:
        about, found = resource, []
        for field, start, stop in _parts(data, begin, over, 2):
            if field == 1:
                scope = InstrumentationScope.FromString(data[start:stop])
                about = with_scope(resource, scope.name, scope.version)
            else:
                found.append((start, stop))
        if _COMPILED:
            for start, stop in found:
                yield read(data, start, stop, about)
        else:
            for span in ScopeSpans.FromString(data[begin:over]).spans:
                yield taken(span, about)


def _parts(data: bytes, at: int, end: int, most: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, begin and end of each message among the first `most` fields."""
    while at < end:
        tag, start = _varint(data, at)
        if tag & 7 == 2 and 8 <= tag < most + 1 << 3:
            size, start = _varint(data, start)
            at = start + size
            if at <= end:
                yield tag >> 3, start, at
        else:
            at = _past(data, at)
    if at != end:
        raise DecodeError("A part reaches beyond its whole.")


def taken(span: Any, resource: dict[str, Any]) -> RawSpan:
    """Return the span of a message."""
    pairs, events, links, status = span.attributes, span.events, span.links, span.status
    said = attributes(pairs)
    lost = (
        span.dropped_attributes_count + max(0, len(pairs) - limits.ATTRIBUTES),
        span.dropped_events_count + max(0, len(events) - limits.EVENTS),
        span.dropped_links_count + max(0, len(links) - limits.LINKS),
    )
    if any(lost):
        said |= dropped(*lost)
    return RawSpan(
        resource,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        _status(status),
        status.message,
        said,
        [_event(event) for event in events[: limits.EVENTS]] if events else [],
        [_link(link) for link in links[: limits.LINKS]] if links else [],
    )


def read(data: bytes, at: int, end: int, resource: dict[str, Any]) -> RawSpan:
    """Return the span that lies in bytes, as `taken` does. Raises DecodeError, IndexError or UnicodeDecodeError."""
    raw, lost = RawSpan(resource), [0, 0, 0]
    said, pairs = raw.attributes, 0
    while at < end:
        tag = data[at]
        at += 1
        if tag & 7 == 2 and tag < 0x80:
            size = data[at]
            at += 1
            if size > 0x7F:
                size, at = _varint(data, at - 1)
            start = at
            at += size
            if at > end:
                break
            if tag == 0x4A:
                pairs += 1
                if len(said) < limits.ATTRIBUTES:
                    _pair(data, start, at, said)
            else:
                _put(raw, tag >> 3, data[start:at], lost)
        elif tag == 0x39:
            raw.start_ns = int.from_bytes(data[at : at + 8], "little")
            at += 8
        elif tag == 0x41:
            raw.end_ns = int.from_bytes(data[at : at + 8], "little")
            at += 8
        elif tag in _LOST:
            number, at = _varint(data, at)
            lost[_LOST[tag]] += number & 0xFFFFFFFF
        else:
            at = _past(data, at - 1)
    if at != end:
        raise DecodeError("A span does not end where it should.")
    lost[0] += max(0, pairs - limits.ATTRIBUTES)
    if any(lost):
        said |= dropped(*lost)
    return raw


def _put(raw: RawSpan, field: int, part: bytes, lost: list[int]) -> None:
    """Fill in a field of a span that has a length."""
    if field == 1:
        raw.trace_id = part.hex()
    elif field == 2:
        raw.span_id = part.hex()
    elif field == 4:
        raw.parent_id = part.hex()
    elif field == 5:
        raw.name = part.decode()
    elif field == 15:
        status = Status.FromString(part)
        raw.status = _status(status)
        raw.status_message = status.message
    elif field == 11 and len(raw.events) < limits.EVENTS:
        raw.events.append(_event(Message.Event.FromString(part)))
    elif field == 13 and len(raw.links) < limits.LINKS:
        raw.links.append(_link(Message.Link.FromString(part)))
    elif field in (11, 13):
        lost[1 if field == 11 else 2] += 1
    elif not field:
        raise DecodeError("A field has no number.")


def _pair(data: bytes, at: int, end: int, found: dict[str, Any]) -> None:
    """Add an attribute: a key and a text, each once and in this order, or whatever else it is."""
    begin = at
    if end - at > 5 and data[at] == 0x0A:
        size = data[at + 1]
        at += 2
        if size > 127:
            size, at = _varint(data, at - 1)
        after = at + size
        if after < end and data[after] == 0x12:
            key = data[at:after]
            size = data[after + 1]
            at = after + 2
            if size > 127:
                size, at = _varint(data, at - 1)
            if size > 1 and at + size == end and data[at] == 0x0A:
                size = data[at + 1]
                at += 2
                if size > 127:
                    size, at = _varint(data, at - 1)
                if at + size == end:
                    text = data[at:end].decode()
                    found[_name(key)] = text if size <= limits.TEXT else limits.cut(text)
                    return
    pair = KeyValue.FromString(data[begin:end])
    found[limits.cut(pair.key, limits.NAME)] = value(pair.value)


def _name(key: bytes) -> str:
    known = _names.get(key)
    if known is None:
        known = limits.cut(key.decode(), limits.NAME)
        if len(key) <= _LONGEST_NAME:
            if len(_names) >= _MOST_NAMES:
                _names.clear()
            _names[key] = known
    return known


def _status(status: Any) -> Literal["unset", "ok", "error"]:
    return STATUS[status.code] if 0 <= status.code <= 2 else "unset"


def _event(event: Any) -> dict[str, Any]:
    return {"name": event.name, "time_ns": event.time_unix_nano, "attributes": attributes(event.attributes)}


def _link(link: Any) -> dict[str, Any]:
    return {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), "attributes": attributes(link.attributes)}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of at most 64 bits and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & _MASK, at
        shift += 7
        if shift > 63:
            raise DecodeError("A number has more than 64 bits.")


def _past(data: bytes, at: int) -> int:
    """Return where a field ends that is not looked at."""
    tag, at = _varint(data, at)
    kind = tag & 7
    if tag < 8 or kind not in (0, 1, 2, 5):
        raise DecodeError("A field is of a kind that OTLP has not.")
    if kind == 0:
        return _varint(data, at)[1]
    if kind == 2:
        size, at = _varint(data, at)
        return at + size
    return at + (8 if kind == 1 else 4)


_COMPILED = not isinstance(read, FunctionType)
