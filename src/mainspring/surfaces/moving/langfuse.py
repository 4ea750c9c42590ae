"""Exports of Langfuse: its API, its tables in the browser and its blob storage, told apart by what rows hold."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mainspring.surfaces.moving.moved import (
    Moved,
    MovedPrompt,
    MovedScore,
    asked,
    attributes,
    bounded,
    finite,
    hex_id,
    moment,
    named,
    nanos,
    parsed,
    sampling,
)

Fields = dict[str, Any]
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LONGEST, _LONGEST_ID = 20_000, 512
_SOURCES = {"ANNOTATION": "human", "API": "code", "EVAL": "model"}


def read(rows: Iterable[tuple[Path, Any]]) -> Moved:
    """Read an export."""
    moved = Moved()
    traces: dict[str, Fields] = {}
    observations: dict[str, dict[str, Fields]] = defaultdict(dict)
    scores: dict[str, Fields] = {}
    for _, row in bounded(iter(rows)):
        with moved.reading("a row"):
            for kind, fields in _told(row):
                if kind == "trace":
                    traces[str(fields["id"])] = traces.get(str(fields["id"]), {}) | fields
                elif kind == "observation":
                    observations[str(fields["trace_id"])][str(fields["id"])] = fields
                elif kind == "score":
                    scores[str(fields["id"])] = _aimed(fields)
                elif kind == "prompt":
                    _prompt(moved, fields)
                elif kind == "item":
                    _item(moved, fields)
                else:
                    moved.leave(kind)
    for trace_id in dict.fromkeys([*traces, *observations]):
        with moved.reading("a trace"):
            _trace(moved, trace_id, traces.get(trace_id, {}), observations.get(trace_id, {}))
    for fields in scores.values():
        with moved.reading("a score"):
            _score(moved, fields)
    moved.prompts.sort(key=lambda one: (one.name, one.version))
    return moved


def _told(row: Any) -> Iterator[tuple[str, Fields]]:
    """Yield what a row is, and what lies in it; a kind that is none says why it is left out."""
    if not isinstance(row, dict):
        yield "a row that is no object", {}
        return
    fields = snaked(row)
    if "id" in fields and "trace_id" in fields and "start_time" in fields:
        yield "observation", fields
    elif "id" in fields and "data_type" in fields and "name" in fields and "source" in fields:
        yield "score", fields
    elif "prompt" in fields and "version" in fields and "name" in fields:
        yield "prompt", fields
    elif "id" in fields and ("expected_output" in fields or ("dataset_id" in fields and "input" in fields)):
        yield "item", fields
    elif "id" in fields and "timestamp" in fields:
        yield "trace", fields
        # What a list of traces gives of these are ids alone.
        for part in [*_objects(fields.get("observations")), *_objects(fields.get("scores"))]:
            yield from _told({"traceId": fields["id"], **part})
    elif "items" in fields and "name" in fields:
        for item in _objects(fields["items"]):
            yield from _told({"datasetName": fields["name"], **item})
    elif isinstance(fields.get("traces"), list):
        for trace in _objects(fields["traces"]):
            yield from _told({"sessionId": fields.get("id"), **trace})
    elif "versions" in fields and "labels" in fields:
        yield "the name of a prompt without its text", {}
    elif "dataset_run_id" in fields or "dataset_run_items" in fields:
        yield "a run of a dataset", {}
    elif "project_id" in fields and "name" in fields:
        yield "the name of a dataset without its rows", {}
    else:
        yield "a row of no known kind", {}


def snaked(row: Fields) -> Fields:
    """Return an object with its names as tables write them, `traceId` as `trace_id`."""
    return {_WORD.sub("_", key).lower(): value for key, value in row.items()}


def _objects(value: Any) -> list[Fields]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _trace(moved: Moved, trace_id: str, trace: Fields, observations: dict[str, Fields]) -> None:
    """Write a trace's spans. Where no one observation stands for the whole, the trace is a span above them."""
    usable = {key: one for key, one in observations.items() if moment(one.get("start_time"))}
    moved.leave("an observation without a start", len(observations) - len(usable))
    tops = [one for one in usable.values() if one.get("parent_observation_id") not in usable]
    whole = hex_id(trace_id, 32)
    first = min(usable.values(), key=lambda one: str(one["start_time"]), default={})
    shared = {name: first.get(name) for name in ("user_id", "session_id", "environment", "tags", "release")}
    shared |= {"name": first.get("trace_name")} | {key: value for key, value in trace.items() if value is not None}
    start = moment(trace.get("timestamp"))
    if not usable and start is None:
        moved.leave("a trace without a time")
        return
    alone = len(tops) == 1 and shared.get("name") in (None, "", tops[0].get("name"))
    root = "" if alone else hex_id(f"trace {trace_id}", 16)
    spans = []
    for one in usable.values():
        above = one.get("parent_observation_id")
        parent = hex_id(str(above), 16) if above in usable else root
        spans.append(_span(whole, parent, one, shared if not parent else {**_whose(shared)}))
    if root:
        begin = min([start] if start else [], default=None) or moment(first["start_time"])
        ends = [int(span["endTimeUnixNano"]) for span in spans]
        assert begin is not None
        spans.insert(0, _span_of_trace(whole, root, shared, trace_id, nanos(begin), max([nanos(begin), *ends])))
    moved.spans[whole] = spans


def _whose(shared: Fields) -> Fields:
    return {name: shared.get(name) for name in ("user_id", "session_id")}


def _of_trace(shared: Fields) -> Fields:
    return {
        "user.id": shared.get("user_id"),
        "session.id": shared.get("session_id"),
        "langfuse.trace.name": shared.get("name"),
        "langfuse.trace.tags": shared.get("tags"),
        "langfuse.trace.metadata": parsed(shared.get("metadata")),
        "langfuse.environment": shared.get("environment"),
        "langfuse.release": shared.get("release"),
        "langfuse.version": shared.get("version"),
    }


def _span_of_trace(whole: str, span_id: str, shared: Fields, trace_id: str, start: int, end: int) -> Fields:
    said = {
        **_of_trace(shared),
        "langfuse.trace.id": trace_id,
        "langfuse.observation.input": shared.get("input"),
        "langfuse.observation.output": shared.get("output"),
    }
    return {
        "traceId": whole,
        "spanId": span_id,
        "name": str(shared.get("name") or "trace")[:500],
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(end),
        "attributes": attributes(said),
        "status": {"code": 1},
    }


def _span(whole: str, parent: str, one: Fields, shared: Fields) -> Fields:
    start = moment(one["start_time"])
    assert start is not None
    end = max(start, moment(one.get("end_time")) or start)
    first = moment(one.get("completion_start_time"))
    failed = one.get("level") == "ERROR"
    name, version = one.get("prompt_name"), one.get("prompt_version")
    said = {
        **_of_trace(shared),
        "langfuse.observation.id": one["id"],
        "langfuse.observation.type": str(one.get("type") or "span").lower(),
        "langfuse.observation.input": one.get("input"),
        "langfuse.observation.output": one.get("output"),
        "langfuse.observation.metadata": parsed(one.get("metadata")),
        "langfuse.observation.level": one.get("level"),
        "langfuse.observation.status_message": one.get("status_message"),
        "langfuse.observation.model.name": one.get("provided_model_name") or one.get("model"),
        "langfuse.observation.model.parameters": parsed(one.get("model_parameters")),
        "langfuse.observation.usage_details": _usage(one),
        "langfuse.observation.cost_details": _cost(one),
        "langfuse.observation.completion_start_time": first.isoformat() if first else None,
        "langfuse.observation.prompt.name": name,
        "langfuse.observation.prompt.version": version,
        "mainspring.prompt": f"prompt/{named(str(name))}@{version}" if name and version else None,
    }
    return {
        "traceId": whole,
        "spanId": hex_id(str(one["id"]), 16),
        "parentSpanId": parent,
        "name": str(one.get("name") or one.get("type") or "span")[:500],
        "startTimeUnixNano": str(nanos(start)),
        "endTimeUnixNano": str(nanos(end)),
        "attributes": attributes(said),
        "status": {"code": 2 if failed else 1, "message": str(one.get("status_message") or "")[:2000]},
    }


def _usage(one: Fields) -> Fields:
    """Return tokens by kind, in whichever of its forms they are."""
    held = parsed(one.get("usage_details")) or {}
    if isinstance(held, dict) and held:
        return {key: int(float(value)) for key, value in held.items() if value is not None}
    old = parsed(one.get("usage")) if isinstance(parsed(one.get("usage")), dict) else {}
    counts = {
        "input": old.get("input", old.get("promptTokens", one.get("prompt_tokens"))),
        "output": old.get("output", old.get("completionTokens", one.get("completion_tokens"))),
    }
    return {key: int(value) for key, value in counts.items() if isinstance(value, int | float) and value}


def _cost(one: Fields) -> Fields:
    held = parsed(one.get("cost_details")) or {}
    if isinstance(held, dict) and held:
        return {key: float(value) for key, value in held.items() if value is not None}
    total = one.get("total_cost") or one.get("calculated_total_cost")
    return {"total": float(total)} if total else {}


def _aimed(fields: Fields) -> Fields:
    """Return a score that names what it judges as all did before their subject stood in an object of its own."""
    subject = fields.get("subject")
    if not isinstance(subject, dict):
        return fields
    kind, name = subject.get("kind"), subject.get("id")
    if kind == "observation":
        return {**fields, "observation_id": name, "trace_id": subject.get("traceId") or subject.get("trace_id")}
    return {**fields, f"{kind}_id": name}


def _score(moved: Moved, fields: Fields) -> None:
    if not fields.get("trace_id") and not fields.get("session_id"):
        of_run = fields.get("dataset_run_id") or fields.get("experiment_id")
        moved.leave("a score of a run of a dataset" if of_run else "a score that does not say what it judges")
        return
    found = score_of(fields)
    if found is None:
        moved.leave("a score that says nothing")
    else:
        moved.scores.append(found)


def score_of(fields: Fields) -> MovedScore | None:
    """Return what a score says, of an export or as a client writes it; None where it says nothing."""
    value, text, kind = fields.get("value"), fields.get("string_value"), fields.get("data_type")
    if kind is None:
        kind = "CATEGORICAL" if isinstance(value, str) else "NUMERIC"
    number = finite(value) if kind in ("NUMERIC", "BOOLEAN") else None
    # A label has a number beside it where its values are ranked: what it says is the word.
    label = str(text if text is not None else value)[:200] if kind == "CATEGORICAL" else None
    comment, correction = str(fields.get("comment") or "")[:_LONGEST], ""
    if kind == "TEXT":
        comment = "\n".join(filter(None, [str(text or value or ""), comment]))[:_LONGEST]
    elif kind == "CORRECTION":
        correction = str(text or value or "")[:_LONGEST]
    if number is None and label is None and not comment and not correction:
        return None
    trace = fields.get("trace_id")
    return MovedScore(
        name=named(str(fields["name"])),
        trace_id=hex_id(str(trace), 32) if trace else "",
        span_id=hex_id(str(fields["observation_id"]), 16) if trace and fields.get("observation_id") else "",
        session_id="" if trace else str(fields["session_id"])[:_LONGEST_ID],
        number=number,
        label=label,
        comment=comment,
        correction=correction,
        source=_SOURCES.get(str(fields.get("source") or "API"), "human"),
        at=moment(fields.get("timestamp") or fields.get("created_at")),
    )


def _prompt(moved: Moved, fields: Fields) -> None:
    held, config = parsed(fields["prompt"]), parsed(fields.get("config"))
    messages = _objects(held)
    if any("role" not in one or not isinstance(one.get("content"), str) for one in messages):
        moved.leave("a prompt's version with places for messages")
        return
    known, other = sampling(config if isinstance(config, dict) else {})
    note = f"Version {fields['version']} in Langfuse. {fields.get('commit_message') or ''}".strip()
    moved.prompts.append(
        MovedPrompt(
            name=named(str(fields["name"])),
            version=int(fields["version"]),
            text="" if messages else str(held),
            messages=tuple({"role": str(one["role"]), "content": one["content"]} for one in messages),
            parameters=known,
            labels=tuple(named(str(label)) for label in fields.get("labels") or () if label != "latest"),
            note=f"{note} Its config: {other}"[:2000] if other else note[:2000],
        )
    )


def _item(moved: Moved, fields: Fields) -> None:
    if str(fields.get("status") or "ACTIVE").upper() != "ACTIVE":
        moved.leave("an archived row of a dataset")
        return
    name = fields.get("dataset_name") or fields.get("dataset_id")
    if not name:
        moved.leave("a row of no dataset")
        return
    source = fields.get("source_trace_id")
    meta = {"metadata": parsed(fields.get("metadata")), "trace_id": hex_id(str(source), 32) if source else None}
    row = {
        "id": re.sub(r"[^A-Za-z0-9._:-]", "-", str(fields["id"]))[:64],
        "messages": asked(fields.get("input")),
        "reference": parsed(fields.get("expected_output")),
        "meta": {key: value for key, value in meta.items() if value},
    }
    moved.datasets.setdefault(named(str(name)), []).append(row)
