"""A raw span of any dialect to a Span."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from mainspring.kernel.spans import Span
from mainspring.traces import limits
from mainspring.traces.counting import span_attributes
from mainspring.traces.dialects import flat, names, shapes
from mainspring.traces.dialects.messages import conversation, parsed, scalar, spoken
from mainspring.traces.dialects.shapes import Shape
from mainspring.traces.dialects.usage import packed
from mainspring.traces.raw import RawSpan

_MOST_TOOLS, _LONGEST_TOOLS = 64, 32_768
_BEFORE_EVERY_VALUE = ("", "0", "1", "2", "3", "4")
_known_tools: dict[str, Any] = {}
Counts = tuple[int | None, int | None, int | None]
"""Tokens in, out, and cached."""
_MESSAGES = {*names.EVENT_ROLES, *names.EVENT_INPUTS, *names.EVENT_OUTPUTS, names.EVENT_CHOICE, names.EVENT_DETAILS}


def to_span(raw: RawSpan, *, project: str, environment: str = "") -> Span:
    """Translate a raw span; understood attributes become fields, others stay."""
    attributes = raw.attributes.copy()
    shape = shapes.of(attributes)
    for key in shape.vectors:
        del attributes[key]
    kind = _kind(attributes, shape)
    _renamed(attributes, shape)
    said, answered = _speech(attributes, raw.events, kind, shape)
    model, provider = _text(attributes, shape.model), _text(attributes, shape.provider)
    if shape.of_mlflow and not model:
        model = limits.cut(str(parsed(attributes.pop("model", "")) or ""), limits.NAME)
    counts = (
        _count(attributes, shape.input_tokens),
        _count(attributes, shape.output_tokens),
        _count(attributes, shape.cached_tokens),
    )
    if shape.usage:
        counts = _unpacked(attributes, counts, shape.usage)
    if shape.metadata:
        _metadata(attributes, shape.metadata, str(raw.resource.get("otel.scope.version") or ""))
    status = raw.status
    if status == "unset" and shape.levels and any(attributes.get(key) == "ERROR" for key in shape.levels):
        status = "error"
    message = raw.status_message or (_why(raw, attributes) if status == "error" else "")
    events = raw.events
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
        status=status,
        status_message=limits.cut(message) if message else "",
        model=model,
        provider=_provider(provider) if provider else "",
        deployment=_text(attributes, shape.deployment),
        release=_text(attributes, shape.release),
        prompt=_text(attributes, shape.prompt),
        session_id=_text(attributes, shape.session_id),
        user_id=_text(attributes, shape.user_id),
        input_tokens=counts[0],
        output_tokens=counts[1],
        cached_tokens=counts[2],
        cost=_cost(attributes, shape) if shape.costly else None,
        ttft_ms=_first_token_ms(attributes, raw.start_ns, shape) if shape.timed else None,
        input=said,
        output=answered,
        attributes=attributes,
        resource=raw.resource,
        events=[event for event in events if not is_message(event)] if events else events,
        links=raw.links,
    )


def messages_of(events: list[dict[str, Any]]) -> tuple[Any, Any]:
    """Return what events say that a model call was asked and answered."""
    return _speech({}, events, "chat", shapes.of({}))


def _bare(values: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an event that are the message itself."""
    return {key: parsed(item) for key, item in values.items() if not key.startswith("gen_ai.")}


def is_message(event: dict[str, Any]) -> bool:
    """Tell whether an event carries messages of a model call."""
    return event["name"] in _MESSAGES


def _kind(attributes: dict[str, Any], shape: Shape) -> str:
    for key in shape.kind:
        if isinstance(attributes.get(key), str) and attributes[key]:
            return limits.cut(attributes.pop(key), limits.NAME)
    for key, words in shape.kind_words:
        word = parsed(attributes.get(key))
        found = words.get(word) if isinstance(word, str) else None
        if found is not None:
            del attributes[key]
            return found
    return "span"


def _speech(attributes: dict[str, Any], events: list[dict[str, Any]], kind: str, shape: Shape) -> tuple[Any, Any]:
    """Return what went in and what came out."""
    calls = kind in names.MODEL_CALLS
    details: dict[str, Any] = {}
    for event in events:
        if event["name"] == names.EVENT_DETAILS:
            details = event["attributes"]
            break
    source = attributes
    if details:
        source = {**details, **attributes}
        shape = shapes.of(source)
    for key in shape.mimes:
        del source[key]
    instructions = _instructions(parsed(_first(source, shape.instructions))) if shape.instructions else None
    said: Any = _listed(source, shape.input_lists)
    if said is not None:
        source.pop("input.value", None)
    elif kind == "embeddings":
        said = _embedded(source, shape)
        asked = parsed(_first(source, shape.inputs))
        if isinstance(asked, dict) and "input" in asked:
            asked = asked["input"]
        asked = [parsed(item) for item in asked] if isinstance(asked, list) else asked
        said = asked if said is None else said
    else:
        said = parsed(_first(source, shape.inputs))
    if said is None and events:
        said = _event_messages(events, names.EVENT_INPUTS, names.EVENT_ROLES)
    answered: Any = _listed(source, shape.output_lists)
    if answered is not None:
        source.pop("output.value", None)
    else:
        answered = parsed(_first(source, shape.outputs))
    if answered is None:
        answered = _listed(source, shape.document_lists)
    if answered is None and events:
        answered = _event_messages(events, names.EVENT_OUTPUTS, {})
    if kind == "embeddings" and isinstance(answered, dict) and "data" in answered:
        answered = None
    if isinstance(said, dict) and isinstance(said.get("messages"), list) and isinstance(said.get("tools"), list):
        attributes.setdefault("gen_ai.tool.definitions", said["tools"])
        source.setdefault("gen_ai.tool.definitions", said["tools"])
    said = conversation(said, "user") if calls or spoken(said) else said
    answered = conversation(answered, "assistant") if calls or spoken(answered) else answered
    if isinstance(instructions, list):
        said = [*instructions, *(said if isinstance(said, list) else [] if said is None else [said])]
    if details:
        for key in attributes.keys() - source.keys():
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
    return found


def _listed(attributes: dict[str, Any], prefixes: tuple[str, ...]) -> list[Any] | None:
    found = None
    for prefix in prefixes:
        listed = flat.take(attributes, prefix)
        if found is None:
            found = listed
    return found


def _embedded(attributes: dict[str, Any], shape: Shape) -> Any:
    """Return the texts that were embedded; vectors are not kept."""
    found = _listed(attributes, shape.embedded_lists)
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
            found.append({"role": roles[event["name"]], **_bare(values)})
        if not roles and event["name"] == names.EVENT_CHOICE:
            said = parsed(values.get("message", _bare(values)))
            said = said if isinstance(said, dict) else {"content": said}
            about = {key: values[key] for key in ("finish_reason",) if key in values}
            found.append({**said, **about})
    return found or None


def _text(attributes: dict[str, Any], keys: tuple[str, ...]) -> str:
    """Return the first of the texts; it leaves the attributes, another that differs from it stays."""
    if not keys:
        return ""
    found = ""
    for key in keys:
        if key not in attributes:
            continue
        value = parsed(attributes[key]) if key.startswith("mlflow.") else attributes[key]
        if isinstance(value, str) and value:
            found = found or value
            if value == found:
                del attributes[key]
    return limits.cut(found, limits.NAME)


def _count(attributes: dict[str, Any], keys: tuple[str, ...]) -> int | None:
    found = _number(attributes, keys) if keys else None
    return None if found is None or found >= 1 << 40 else int(found)


def _number(attributes: dict[str, Any], keys: tuple[str, ...]) -> float | None:
    found: float | None = None
    for key in keys:
        if key not in attributes:
            continue
        value = attributes[key]
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
            found = float(value) if found is None else found
            if found == value:
                del attributes[key]
    return None if found is None or found >= 1e12 else found


def _first_token_ms(attributes: dict[str, Any], start_ns: int, shape: Shape) -> float | None:
    for key in shape.first_moments:
        if key not in attributes:
            continue
        try:
            at = datetime.fromisoformat(str(parsed(attributes[key])))
            waited = at.timestamp() * 1000 - start_ns / 1e6
        except (ValueError, OverflowError):
            continue
        if 0 <= waited < 1e9:
            del attributes[key]
            return waited
    seconds = _number(attributes, shape.first_seconds)
    return seconds * 1000 if seconds is not None else _number(attributes, shape.first_milliseconds)


def _renamed(attributes: dict[str, Any], shape: Shape) -> None:
    """Bring attributes that stay under one name, and tools into one list."""
    tools = _listed(attributes, shape.tool_lists)
    if tools is not None:
        attributes["gen_ai.tool.definitions"] = [
            parsed(item["tool"].get("json_schema"))
            if isinstance(item, dict) and isinstance(item.get("tool"), dict)
            else item
            for item in tools
        ]
    for name, keys in shape.alike:
        for key in keys:
            if key in attributes:
                attributes.setdefault(name, attributes.pop(key))
    held = attributes.get("gen_ai.tool.definitions")
    if held is not None:
        attributes["gen_ai.tool.definitions"] = _tools(held)


def _tools(held: Any) -> Any:
    """Return definitions of tools as the list that they are; an application sends the same ones with every call."""
    text = held if isinstance(held, str) and len(held) <= _LONGEST_TOOLS else ""
    found = _known_tools.get(text)
    if found is None:
        held = parsed(held)
        found = [parsed(item) for item in held] if isinstance(held, list) else held
        if text:
            if len(_known_tools) >= _MOST_TOOLS:
                _known_tools.clear()
            _known_tools[text] = found
    return found


def _unpacked(attributes: dict[str, Any], counts: Counts, keys: tuple[str, ...]) -> Counts:
    """Return the counts, those that nothing else said from the objects that they are packed into."""
    read, said, cached = counts
    for key in keys:
        tokens = packed(parsed(attributes.get(key)))
        if tokens is None:
            continue
        del attributes[key]
        read = tokens.input_tokens if read is None else read
        said = tokens.output_tokens if said is None else said
        cached = tokens.cached_tokens or None if cached is None else cached
        for name, count in span_attributes(tokens).items():
            attributes.setdefault(name, count)
    return read, said, cached


def _metadata(attributes: dict[str, Any], keys: tuple[str, ...], version: str) -> None:
    """Undo the JSON of what an application says of its own.

    The fifth version of Langfuse's client writes every value so, those before only lists and objects.
    """
    every = version.partition(".")[0] not in _BEFORE_EVERY_VALUE
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, str):
            attributes[key] = scalar(value) if every else parsed(value)


def _cost(attributes: dict[str, Any], shape: Shape) -> float | None:
    for key in shape.costs:
        costs = parsed(attributes.get(key))
        if isinstance(costs, dict):
            # Langfuse adds up what has no total.
            parts = (_number(costs, (part,)) or 0.0 for part in tuple(costs))
            total = _number(costs, ("total",)) if "total" in costs else round(sum(parts), 12)
            if total:
                del attributes[key]
                return total
    return _number(attributes, shape.cost)


def _provider(name: str) -> str:
    return next((name.removesuffix(part) for part in names.PROVIDER_PARTS if name.endswith(part)), name)


def _why(raw: RawSpan, attributes: dict[str, Any]) -> str:
    """Return why a span failed, where its status does not say it."""
    for key in names.MESSAGES_OF_STATUS:
        if isinstance(attributes.get(key), str):
            return str(attributes.pop(key))
    found = (event["attributes"] for event in raw.events if event["name"] == "exception")
    return next((str(said.get("exception.message") or said.get("exception.type") or "") for said in found), "")
