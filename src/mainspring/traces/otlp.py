"""OTLP/HTTP (opentelemetry-proto 1.x): a request body, protobuf or JSON, to spans, and the reply to it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from mainspring.kernel.errors import Invalid, TooLarge
from mainspring.kernel.spans import Span
from mainspring.traces import limits, protobuf
from mainspring.traces.dialects import to_span
from mainspring.traces.protobuf import STATUS, dropped, with_scope
from mainspring.traces.raw import RawSpan

Encoding = Literal["protobuf", "json"]
PROTOBUF, JSON_TYPE = "application/x-protobuf", "application/json"
_INT64: Final = 1 << 63
_HEX: Final = "0123456789abcdef"
_ZEROS: Final = "0" * 32
_TOLD = 10
_ZSTD_WINDOW, _ZSTD_STEP = 8 << 20, 256
_MEMBERS = 64
"""Streams that one body may be made of: what follows each is copied."""
RUNNING = "mainspring.running"
"""The attribute of a span that is sent at its start, before it has an end."""
Told = tuple[Any, dict[str, Any]]
"""A span as JSON says it, and the attributes of its resource."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The spans of a request, and what was wrong with those that are not among them."""

    spans: list[Span]
    rejected: int
    problem: str
    """Why the rejected were rejected, the first ten of them by name; empty where none was."""


def encoding_of(content_type: str) -> Encoding:
    """Return how a body is encoded by its content type. Raises Invalid for another."""
    media = content_type.partition(";")[0].strip().lower()
    if media == PROTOBUF:
        return "protobuf"
    if media == JSON_TYPE:
        return "json"
    raise Invalid(f"The content type is '{media[:100]}'.", hint=f"Send {PROTOBUF} or {JSON_TYPE}.")


def inflate(body: bytes, content_encoding: str, limit: int) -> bytes:
    """Undo gzip, deflate or zstd. Raises TooLarge before more than `limit` bytes exist, Invalid for what is neither."""
    name = content_encoding.strip().lower()
    if name in ("", "identity"):
        data = body
    elif name == "zstd":
        data = _unzstd(body, limit)
    elif name in ("gzip", "deflate"):
        data = _unzip(body, name, limit)
    else:
        raise Invalid(f"The content encoding is '{name[:100]}'.", hint="Send gzip, deflate, zstd or none.")
    if len(data) > limit:
        raise TooLarge(f"The request is over {limit:,} bytes.", hint="Send fewer spans at a time.")
    return data


def decode(body: bytes, encoding: Encoding, *, project: str, environment: str = "") -> Decoded:
    """Read the spans of a request on behalf of a key's project and environment.

    A span that cannot be is rejected alone. Raises Invalid where the body as a whole cannot be read, TooLarge for
    more spans than one request may have, or resources that are too large to be stored with each.
    """
    spans: list[Span] = []
    rejected, reasons = 0, []
    repeated = weight = 0
    about: dict[str, Any] | None = None
    came: Iterator[RawSpan | Told] = protobuf.spans(body) if encoding == "protobuf" else _json(body)
    for number, found in enumerate(came):
        if number >= limits.SPANS:
            raise TooLarge(f"The request has over {limits.SPANS:,} spans.", hint="Send fewer at a time.")
        try:
            raw = _checked(found) if isinstance(found, RawSpan) else _checked(_hexed(_from_json(*found)))
            if raw.resource is not about:
                about, weight = raw.resource, len(msgspec.json.encode(raw.resource))
            spans.append(to_span(raw, project=project, environment=environment))
        except (Invalid, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            rejected += 1
            if rejected <= _TOLD:
                reasons.append(f"span {number}: {_reason(error)}")
            continue
        repeated += weight
        if repeated > limits.REPEATED:
            raise TooLarge(
                "The resources of the request are too large for so many spans.", hint="Send fewer at a time."
            )
    if rejected > _TOLD:
        reasons.append(f"and {rejected - _TOLD} more")
    return Decoded(spans, rejected, "; ".join(reasons))


def _reason(error: Exception) -> str:
    return error.message[:300] if isinstance(error, Invalid) else f"it is not formed as OTLP says ({error})"[:300]


def _unzip(body: bytes, name: str, limit: int) -> bytes:
    """Undo gzip or deflate, of which a body may hold several one after the other (RFC 1952, section 2.2)."""
    data = bytearray()
    for _ in range(_MEMBERS):
        machine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        try:
            data += machine.decompress(body, limit + 1 - len(data))
        except zlib.error as error:
            raise Invalid(f"The body is not valid {name}: {error}.") from None
        if len(data) > limit:
            return bytes(data)
        if not machine.eof:
            raise Invalid(f"The body is not whole: its {name} stream has no end.")
        body = machine.unused_data
        if not body:
            return bytes(data)
    raise Invalid(f"The body has over {_MEMBERS} parts of {name}.", hint="Compress it as a whole.")


def _unzstd(body: bytes, limit: int) -> bytes:
    import zstandard

    machine = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
    data, read = bytearray(), 0
    try:
        # A little at a time, since one call inflates all that it is given: 256 bytes make at most 8 MiB.
        for at in range(0, len(body), _ZSTD_STEP):
            data += machine.decompress(body[at : at + _ZSTD_STEP])
            read = at + _ZSTD_STEP
            if machine.eof or len(data) > limit:
                break
    except zstandard.ZstdError as error:
        raise Invalid(f"The body is not valid zstd: {error}.") from None
    if len(data) <= limit and not machine.eof:
        raise Invalid("The body is not whole: its zstd stream has no end.")
    if len(data) <= limit and (machine.unused_data or read < len(body)):
        raise Invalid("The body goes on after its zstd frame.", hint="Compress it as a whole.")
    return bytes(data)


def reply(encoding: Encoding, decoded: Decoded) -> bytes:
    """Return the body of the answer: empty, or with `partial_success` where spans were rejected."""
    if encoding == "json":
        partial = {"rejectedSpans": str(decoded.rejected), "errorMessage": decoded.problem}
        return msgspec.json.encode({"partialSuccess": partial} if decoded.rejected else {})
    response = ExportTraceServiceResponse()
    if decoded.rejected:
        response.partial_success.rejected_spans = decoded.rejected
        response.partial_success.error_message = decoded.problem
    data: bytes = response.SerializeToString()
    return data


def failure(encoding: Encoding, code: int, message: str) -> bytes:
    """Return a `google.rpc.Status`, which is what an OTLP client expects of an error."""
    if encoding == "json":
        return msgspec.json.encode({"code": code, "message": message})
    text = message.encode()
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _lost(span: Any, count: str, held: str, limit: int) -> int:
    there = _field(span, held)
    return int(_field(span, count) or 0) + max(0, (len(there) if isinstance(there, list) else 0) - limit)


def _json(body: bytes) -> Iterator[Told]:
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Invalid("The body is not valid JSON.") from None
    for group in _list(request, "resourceSpans", "resource_spans"):
        resource = _resource(_field(group, "resource") or {})
        for scope in _list(group, "scopeSpans", "scope_spans"):
            named = _field(scope, "scope") or {}
            about = with_scope(resource, str(_field(named, "name") or ""), str(_field(named, "version") or ""))
            for span in _list(scope, "spans"):
                yield span, about


def _resource(given: Any) -> dict[str, Any]:
    try:
        return json_attributes(_field(given, "attributes"))
    except (ValueError, TypeError, OverflowError) as error:
        raise Invalid(f"A resource is not formed as OTLP says ({error})"[:300] + ".") from None


def _from_json(span: Any, resource: dict[str, Any]) -> RawSpan:
    status = _field(span, "status") or {}
    code = _field(status, "code") or 0
    if isinstance(code, str):
        code = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}.get(code, 0)
    return RawSpan(
        trace_id=str(_field(span, "traceId", "trace_id") or "").lower(),
        span_id=str(_field(span, "spanId", "span_id") or "").lower(),
        parent_id=str(_field(span, "parentSpanId", "parent_span_id") or "").lower(),
        name=str(_field(span, "name") or ""),
        start_ns=int(_field(span, "startTimeUnixNano", "start_time_unix_nano") or 0),
        end_ns=int(_field(span, "endTimeUnixNano", "end_time_unix_nano") or 0),
        status=STATUS[code] if code in (0, 1, 2) else "unset",
        status_message=str(_field(status, "message") or ""),
        attributes=json_attributes(_field(span, "attributes"))
        | dropped(
            _lost(span, "droppedAttributesCount", "attributes", limits.ATTRIBUTES),
            _lost(span, "droppedEventsCount", "events", limits.EVENTS),
            _lost(span, "droppedLinksCount", "links", limits.LINKS),
        ),
        resource=resource,
        events=[
            {
                "name": str(_field(event, "name") or ""),
                "time_ns": int(_field(event, "timeUnixNano", "time_unix_nano") or 0),
                "attributes": json_attributes(_field(event, "attributes")),
            }
            for event in _list(span, "events")[: limits.EVENTS]
        ],
        links=[
            {
                "trace_id": str(_field(link, "traceId", "trace_id") or "").lower(),
                "span_id": str(_field(link, "spanId", "span_id") or "").lower(),
                "attributes": json_attributes(_field(link, "attributes")),
            }
            for link in _list(span, "links")[: limits.LINKS]
        ],
    )


def _field(value: Any, *names: str) -> Any:
    """Return the first field that is there. Raises Invalid where the value is no object."""
    if not isinstance(value, dict):
        raise Invalid(f"An object with {names[0]} is expected, not {type(value).__name__}.")
    return next((value[name] for name in names if name in value), None)


def _list(value: Any, *names: str) -> list[Any]:
    found = _field(value, *names)
    if found is None:
        return []
    if not isinstance(found, list):
        raise Invalid(f"{names[0]} is not a list.")
    return found


def json_attributes(pairs: Any) -> dict[str, Any]:
    """Return the attributes of an object of OTLP/JSON, at most `limits.ATTRIBUTES`."""
    found: dict[str, Any] = {}
    for pair in pairs if isinstance(pairs, list) else []:
        if len(found) >= limits.ATTRIBUTES:
            break
        key = limits.cut(str(_field(pair, "key") or ""), limits.NAME)
        found[key] = json_value(_field(pair, "value"))
    return found


def json_value(given: Any, depth: int = 0, room: list[int] | None = None) -> Any:
    """Return an AnyValue of OTLP/JSON as a Python value."""
    room = [limits.ITEMS] if room is None else room
    room[0] -= 1
    if not isinstance(given, dict) or depth >= limits.DEPTH:
        return None
    for name, item in given.items():
        kind = name.partition("Value")[0].partition("_value")[0]
        if kind in ("string", "bytes"):
            return limits.cut(str(item))
        if kind == "int":
            number = int(item)
            return number if -_INT64 <= number < _INT64 else str(number)
        if kind in ("double", "bool"):
            return float(item) if kind == "double" else bool(item)
        if kind == "array":
            return [json_value(each, depth + 1, room) for each in _list(item, "values") if room[0] > 0]
        if kind == "kvlist":
            pairs = [pair for pair in _list(item, "values") if room[0] > 0]
            return {
                limits.cut(str(_field(pair, "key")), limits.NAME): json_value(_field(pair, "value"), depth + 1, room)
                for pair in pairs
            }
    return None


def _checked(raw: RawSpan) -> RawSpan:
    """Return the span with its times made possible. Raises Invalid where its identity is not."""
    if len(raw.trace_id) != 32 or raw.trace_id == _ZEROS:
        raise _no_id("trace id", raw.trace_id, 32)
    if len(raw.span_id) != 16 or raw.span_id == _ZEROS[:16]:
        raise _no_id("span id", raw.span_id, 16)
    if not raw.parent_id.strip("0"):
        raw.parent_id = ""
    elif len(raw.parent_id) != 16:
        raise _no_id("parent id", raw.parent_id, 16)
    if not 0 < raw.start_ns < _INT64:
        raise Invalid(f"A span starts at {raw.start_ns} ns, which is not between 1970 and 2262.")
    if raw.attributes.get("logfire.span_type") == "pending_span" and raw.parent_id:
        # Logfire tells of the start of a span by a span of its own below it.
        above = str(raw.attributes.pop("logfire.pending_parent_id", ""))
        known = len(above) == 16 and not above.strip(_HEX) and above.strip("0")
        raw.span_id, raw.parent_id = raw.parent_id, above if known else ""
        raw.attributes[RUNNING] = True
    if raw.attributes.pop(RUNNING, False) is True:
        raw.status, raw.end_ns = "running", raw.start_ns
    elif raw.end_ns < raw.start_ns:
        raw.attributes["mainspring.clock.end_before_start_ns"] = raw.start_ns - max(raw.end_ns, 0)
    raw.end_ns = min(max(raw.end_ns, raw.start_ns), _INT64 - 1)
    return raw


def _hexed(raw: RawSpan) -> RawSpan:
    """Return a span whose ids came as texts. Raises Invalid where they are no hex digits."""
    for name, text, digits in (("trace", raw.trace_id, 32), ("span", raw.span_id, 16), ("parent", raw.parent_id, 16)):
        if text.strip(_HEX):
            raise _no_id(f"{name} id", text, digits)
    return raw


def _no_id(name: str, text: str, digits: int) -> Invalid:
    return Invalid(f"A span has the {name} '{text[:40]}'; it takes {digits} hex digits, not all of them 0.")
