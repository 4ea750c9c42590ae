"""Spans as OTLP/JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mainspring.sdk.live import LiveSpan

Redact = Callable[[Any], Any]
RUNNING = "mainspring.running"
_CALLS = ("chat", "text_completion", "generate_content")
_ENDLESS = {math.inf: "Infinity", -math.inf: "-Infinity"}


def request(spans: Iterable[tuple[Any, bool]], resource: Mapping[str, Any], redact: Redact | None) -> bytes:
    """Return the body of a request; each span comes with whether it is told of while it runs."""
    ours: list[dict[str, Any]] = []
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for span, running in spans:
        if isinstance(span, LiveSpan):
            ours.append(_ours(span, running, redact))
        else:
            scope = getattr(span, "instrumentation_scope", None)
            made_by = (str(scope.name), str(scope.version or "")) if scope is not None else ("opentelemetry", "")
            key = (id(span.resource), *made_by)
            if key not in groups:
                about = {"attributes": _pairs(_merged(resource, span.resource.attributes))}
                groups[key] = {"resource": about, "scopeSpans": [_scope(*made_by, [])]}
            groups[key]["scopeSpans"][0]["spans"].append(_theirs(span, redact))
    said = (
        [{"resource": {"attributes": _pairs(resource)}, "scopeSpans": [_scope("mainspring", "", ours)]}] if ours else []
    )
    said += groups.values()
    return json.dumps({"resourceSpans": said}, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def _merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenTelemetry's resource, with our name of the service where it has none of its own."""
    unnamed = str(theirs.get("service.name", "")).startswith("unknown_service")
    return {**ours, **{name: value for name, value in theirs.items() if not (unnamed and name == "service.name")}}


def _scope(name: str, version: str, spans: list[dict[str, Any]]) -> dict[str, Any]:
    return {"scope": {"name": name} | ({"version": version} if version else {}), "spans": spans}


def _ours(span: LiveSpan, running: bool, redact: Redact | None) -> dict[str, Any]:
    attributes = dict(span.attributes)
    calls = span.kind in _CALLS
    for key, value in (
        ("gen_ai.input.messages" if calls else "input.value", span.input),
        ("gen_ai.output.messages" if calls else "output.value", span.output),
    ):
        if value is not None:
            attributes[key] = value
    attributes = {key: redacted(value, redact) for key, value in attributes.items()}
    if span.kind:
        attributes["gen_ai.operation.name"] = span.kind
    if span.session_id:
        attributes["session.id"] = redacted(span.session_id, redact)
    if span.user_id:
        attributes["user.id"] = redacted(span.user_id, redact)
    if running:
        attributes[RUNNING] = True
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_id,
        "name": span.name[:500],
        "kind": 3 if calls else 1,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": "0" if running else str(span.end_ns),
        "attributes": _pairs(attributes),
        "events": [_event(event["name"], event["time_ns"], event["attributes"], redact) for event in list(span.events)],
        "status": {"code": 0 if running else span.status, "message": redacted(span.message, redact)},
    }


def _theirs(span: Any, redact: Redact | None) -> dict[str, Any]:
    """Return an ended span of the OpenTelemetry SDK."""
    attributes = {key: redacted(value, redact) for key, value in (span.attributes or {}).items()}
    return {
        "traceId": f"{span.context.trace_id:032x}",
        "spanId": f"{span.context.span_id:016x}",
        "parentSpanId": f"{span.parent.span_id:016x}" if span.parent else "",
        "name": str(span.name)[:500],
        "kind": int(span.kind.value) + 1,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time or span.start_time),
        "attributes": _pairs(attributes),
        "events": [_event(each.name, each.timestamp, each.attributes or {}, redact) for each in span.events],
        "links": [
            {"traceId": f"{link.context.trace_id:032x}", "spanId": f"{link.context.span_id:016x}"}
            for link in span.links
        ],
        "status": {"code": int(span.status.status_code.value), "message": redacted(span.status.description, redact)},
    }


def _event(name: str, time_ns: int, attributes: Mapping[str, Any], redact: Redact | None) -> dict[str, Any]:
    said = {key: redacted(value, redact) for key, value in attributes.items()}
    return {"name": name, "timeUnixNano": str(time_ns), "attributes": _pairs(said)}


def redacted(value: Any, redact: Redact | None) -> Any:
    """Return a value as the application's hook lets it out; where the hook fails, nothing of it."""
    if redact is None or value is None or value == "":
        return value
    try:
        return redact(value)
    except Exception:  # the hook is the application's: what it does not bear is not sent
        return "[redaction failed]"


def _pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        # JSON has no word for them: as protobuf's JSON says them, they do not spoil what they are sent with.
        return {"doubleValue": value if math.isfinite(value) else _ENDLESS.get(value, "NaN")}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, tuple):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)}
