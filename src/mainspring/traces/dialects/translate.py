"""A raw span of any dialect to a Span."""

from __future__ import annotations

import math
from typing import Any

from mainspring.kernel.spans import Span
from mainspring.traces import limits
from mainspring.traces.dialects import flat, names
from mainspring.traces.dialects.messages import conversation, parsed, spoken
from mainspring.traces.raw import RawSpan


def to_span(raw: RawSpan, *, project: str, environment: str = "") -> Span:
    """Translate a raw span; understood attributes become fields, others stay."""
    attributes = dict(raw.attributes)
    kind = _kind(attributes)
    said, answered = _speech(attributes, raw.events, kind)
    fields: dict[str, Any] = {field: _text(attributes, keys) for field, keys in names.TEXTS.items()}
    fields |= {field: _count(attributes, keys) for field, keys in names.COUNTS.items()}
    events = [event for event in raw.events if not is_message(event)]
    return Span(
        trace_id=raw.trace_id,
        span_id=raw.span_id,
        parent_id=raw.parent_id,
        project=project,
        environment=environment,
        name=limits.cut(raw.name, limits.NAME),
        kind=kind,
        service=limits.cut(str(raw.resource.get("service.name") or ""), limits.NAME),
        start_ns=raw.start_ns,
        end_ns=raw.end_ns,
        status=raw.status,
        status_message=limits.cut(raw.status_message),
        cost=_number(attributes, names.COST),
        ttft_ms=_first_token_ms(attributes),
        input=said,
        output=answered,
        attributes=attributes,
        resource=raw.resource,
        events=events,
        links=raw.links,
        **fields,
    )


def messages_of(events: list[dict[str, Any]]) -> tuple[Any, Any]:
    """Return what events say that a model call was asked and answered."""
    return _speech({}, events, "chat")


def is_message(event: dict[str, Any]) -> bool:
    """Tell whether an event carries messages of a model call."""
    known = (*names.EVENT_ROLES, *names.EVENT_INPUTS, *names.EVENT_OUTPUTS, names.EVENT_CHOICE, names.EVENT_DETAILS)
    return event["name"] in known


def _kind(attributes: dict[str, Any]) -> str:
    for key in names.KIND:
        if isinstance(attributes.get(key), str) and attributes[key]:
            return limits.cut(attributes.pop(key), limits.NAME)
    for key, words in names.KIND_WORDS.items():
        word = parsed(attributes.get(key))
        found = words.get(word) if isinstance(word, str) else None
        if found is not None:
            del attributes[key]
            return found
    return "span"


def _speech(attributes: dict[str, Any], events: list[dict[str, Any]], kind: str) -> tuple[Any, Any]:
    """Return what went in and what came out."""
    calls = kind in names.MODEL_CALLS
    details: dict[str, Any] = next(
        (event["attributes"] for event in events if event["name"] == names.EVENT_DETAILS), {}
    )
    source = {**details, **attributes}
    instructions = _instructions(parsed(_first(source, names.INSTRUCTIONS)))
    said: Any = _listed(source, names.INPUT_LISTS)
    if said is not None:
        source.pop("input.value", None)
    else:
        said = parsed(_first(source, names.INPUTS))
    if said is None:
        said = _embedded(source)
    if said is None:
        said = _event_messages(events, names.EVENT_INPUTS, names.EVENT_ROLES)
    answered: Any = _listed(source, names.OUTPUT_LISTS)
    if answered is not None:
        source.pop("output.value", None)
    else:
        answered = parsed(_first(source, names.OUTPUTS))
    if answered is None:
        answered = _listed(source, names.DOCUMENT_LISTS)
    if answered is None:
        answered = _event_messages(events, names.EVENT_OUTPUTS, {})
    said = conversation(said, "user") if calls or spoken(said) else said
    answered = conversation(answered, "assistant") if calls or spoken(answered) else answered
    if isinstance(instructions, list):
        said = [*instructions, *(said if isinstance(said, list) else [] if said is None else [said])]
    for key in set(attributes) - set(source):
        del attributes[key]
    return said, answered


def _instructions(value: Any) -> Any:
    """Return system instructions, which are parts without a message around them, as one message."""
    if isinstance(value, list) and value and all(isinstance(item, dict) and "role" not in item for item in value):
        value = {"role": "system", "parts": value}
    return conversation(value, "system")


def _first(attributes: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """Remove and return the first of the attributes that is there; the same said again in others goes too."""
    found = None
    for key in keys:
        if attributes.get(key) is not None:
            value = attributes[key]
            if found is None:
                found = value
            if found == value:
                del attributes[key]
    for extra in ("input.mime_type", "output.mime_type"):
        attributes.pop(extra, None)
    return found


def _listed(attributes: dict[str, Any], prefixes: tuple[str, ...]) -> list[Any] | None:
    found = None
    for prefix in prefixes:
        listed = flat.take(attributes, prefix)
        if found is None:
            found = listed
    return found


def _embedded(attributes: dict[str, Any]) -> Any:
    """Return the texts that were embedded; vectors are not kept."""
    found = _listed(attributes, names.EMBEDDED_LISTS)
    if found is None:
        return None
    return [item.get("embedding", item).get("text", "") if isinstance(item, dict) else item for item in found]


def _event_messages(events: list[dict[str, Any]], whole: dict[str, str], roles: dict[str, str]) -> Any:
    """Return the messages that events carry: whole conversations, or one message each."""
    found: list[Any] = []
    for event in events:
        values = event["attributes"]
        if event["name"] in whole and whole[event["name"]] in values:
            return parsed(values[whole[event["name"]]])
        if event["name"] in roles:
            found.append({"role": roles[event["name"]], **{key: parsed(item) for key, item in values.items()}})
        if not roles and event["name"] == names.EVENT_CHOICE:
            said = parsed(values.get("message", values))
            found.append(said if isinstance(said, dict) else {"content": said})
    return found or None


def _text(attributes: dict[str, Any], keys: tuple[str, ...]) -> str:
    """Return the first of the texts; it leaves the attributes, another that differs from it stays."""
    found = ""
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, str) and value:
            found = found or value
            if value == found:
                del attributes[key]
    return limits.cut(found, limits.NAME)


def _count(attributes: dict[str, Any], keys: tuple[str, ...]) -> int | None:
    found = _number(attributes, keys)
    return None if found is None or found >= 1 << 40 else int(found)


def _number(attributes: dict[str, Any], keys: tuple[str, ...]) -> float | None:
    found: float | None = None
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
            found = float(value) if found is None else found
            if found == value:
                del attributes[key]
    return None if found is None or found >= 1e12 else found


def _first_token_ms(attributes: dict[str, Any]) -> float | None:
    seconds = _number(attributes, names.FIRST_SECONDS)
    return seconds * 1000 if seconds is not None else _number(attributes, names.FIRST_MILLISECONDS)
