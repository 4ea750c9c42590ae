"""Exports of MLflow: traces as its client writes them, versions of prompts, and evaluation datasets."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
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
    sampling,
    worded,
)

Fields = dict[str, Any]
_SOURCES = {"HUMAN": "human", "CODE": "code", "LLM_JUDGE": "model", "AI_JUDGE": "model"}
_KEPT = ("mlflow.trace.session", "mlflow.trace.user", "mlflow.source.name", "mlflow.source.git.commit")


def read(rows: Iterable[tuple[Path, Any]]) -> Moved:
    """Read an export."""
    moved = Moved()
    for path, row in bounded(iter(rows)):
        with moved.reading("a row"):
            _row(moved, path, row)
    moved.prompts.sort(key=lambda one: (one.name, one.version))
    return moved


def _row(moved: Moved, path: Path, row: Any) -> None:
    if not isinstance(row, dict):
        moved.leave("a row that is no object")
    elif isinstance(row.get("info"), dict) and isinstance(row.get("data"), dict):
        _trace(moved, row["info"], row["data"].get("spans") or [])
    elif "template" in row and "version" in row and "name" in row:
        _prompt(moved, row)
    elif isinstance(row.get("records"), list):
        for record in row["records"]:
            with moved.reading("a record"):
                _record(moved, str(row.get("name") or path.stem), record)
    elif "inputs" in row and ("expectations" in row or "dataset_record_id" in row):
        _record(moved, path.name.split(".")[0], row)
    else:
        moved.leave("a row of no known kind")


def _trace(moved: Moved, info: Fields, spans: list[Fields]) -> None:
    told = str(info.get("trace_id") or info.get("request_id") or "")
    found, whole = [], ""
    for span in spans:
        held = _ids(span)
        if held is None:
            moved.leave("a span whose ids or times cannot be read")
            continue
        whole = held[0]
        found.append(_span(span, *held, told, info))
    if not found:
        moved.leave("a trace without spans")
        return
    moved.spans[whole] = found
    for one in info.get("assessments") or ():
        with moved.reading("an assessment"):
            _assessment(moved, one, whole)


def _ids(span: Fields) -> tuple[str, str, str] | None:
    """Return trace, span and parent ids: of base64 as they are now, or of hex as they were."""
    context = span.get("context") or {}
    trace = _hex(span.get("trace_id") or context.get("trace_id"), 16)
    own = _hex(span.get("span_id") or context.get("span_id"), 8)
    above = span.get("parent_span_id") or span.get("parent_id")
    parent = _hex(above, 8) if above else ""
    return (trace, own, parent or "") if trace and own and _start(span) else None


def _hex(value: Any, size: int) -> str | None:
    text = str(value or "").removeprefix("0x")
    if len(text) == 2 * size:
        try:
            return bytes.fromhex(text).hex()
        except ValueError:
            return None
    try:
        found = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return found.hex() if len(found) == size else None


def _start(span: Fields) -> int:
    value = span.get("start_time_unix_nano") or span.get("start_time") or 0
    return int(value) if isinstance(value, int | str) and str(value).isdigit() else 0


def _span(span: Fields, trace: str, own: str, parent: str, told: str, info: Fields) -> Fields:
    said = dict(span.get("attributes") or {})
    if not parent:
        meta = info.get("trace_metadata") or info.get("request_metadata") or {}
        tags = {key: value for key, value in (info.get("tags") or {}).items() if not key.startswith("mlflow.")}
        said |= {key: meta[key] for key in _KEPT if meta.get(key)} | {"mlflow.traceRequestId": told}
        said |= {f"mlflow.tag.{key}": value for key, value in tags.items()}
    status = span.get("status") or {}
    code = str(status.get("code") or span.get("status_code") or "")
    start = _start(span)
    end = int(span.get("end_time_unix_nano") or span.get("end_time") or start)
    return {
        "traceId": trace,
        "spanId": own,
        "parentSpanId": parent,
        "name": str(span.get("name") or "span")[:500],
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(max(start, end)),
        "attributes": attributes(said),
        "events": [
            {
                "name": str(event.get("name", ""))[:500],
                "timeUnixNano": str(event.get("time_unix_nano") or event.get("timestamp") or start),
                "attributes": attributes(event.get("attributes") or {}),
            }
            for event in span.get("events") or ()
        ],
        "status": {
            "code": 2 if code.endswith("ERROR") else 1 if code.endswith("OK") else 0,
            "message": str(status.get("message") or span.get("status_message") or "")[:2000],
        },
    }


def _assessment(moved: Moved, one: Fields, trace: str) -> None:
    held, expected = one.get("feedback"), one.get("expectation")
    value = (held or expected or {}).get("value")
    if one.get("valid") is False:
        moved.leave("an assessment that was replaced")
        return
    if value is None:
        moved.leave("an assessment without a value")
        return
    comment = str(one.get("rationale") or "")
    number = finite(value) if not expected else None
    label = value[:200] if isinstance(value, str) and not expected else None
    if number is None and label is None and not expected:
        comment = "\n".join(filter(None, [json.dumps(value, ensure_ascii=False), comment]))
    span = _hex(one.get("span_id"), 8) if one.get("span_id") else ""
    moved.scores.append(
        MovedScore(
            name=named(str(one.get("assessment_name") or one.get("name") or "assessment")),
            trace_id=trace,
            span_id=span or "",
            number=number,
            label=label,
            comment=comment,
            correction=worded(value) if expected else "",
            source=_SOURCES.get(str((one.get("source") or {}).get("source_type")), "human"),
            at=moment(one.get("create_time")),
        )
    )


def _prompt(moved: Moved, row: Fields) -> None:
    held = row["template"]
    messages = held if isinstance(held, list) else []
    if any(not isinstance(one, dict) or not isinstance(one.get("content"), str) for one in messages):
        moved.leave("a prompt's version with content that is no text")
        return
    version, config = int(row["version"]), row.get("model_config") or {}
    said = f"Version {version} in MLflow. {row.get('commit_message') or ''}".strip()
    known, other = sampling({key: value for key, value in config.items() if value is not None})
    moved.prompts.append(
        MovedPrompt(
            name=named(str(row["name"])),
            version=version,
            text="" if messages else str(held),
            messages=tuple({"role": str(one.get("role", "user")), "content": one["content"]} for one in messages),
            parameters=known,
            labels=tuple(named(str(alias)) for alias in row.get("aliases") or ()),
            note=f"{said} Its model_config: {other}"[:2000] if other else said[:2000],
        )
    )


def _record(moved: Moved, dataset: str, record: Any) -> None:
    if not isinstance(record, dict) or record.get("inputs") is None:
        moved.leave("a record without inputs")
        return
    expected = record.get("expectations") or {}
    right = expected.get("expected_response") if isinstance(expected, dict) else expected
    tags = {key: value for key, value in (record.get("tags") or {}).items() if not key.startswith("mlflow.")}
    source = ((record.get("source") or {}).get("source_data") or {}).get("trace_id")
    told = str(record.get("dataset_record_id") or hex_id(json.dumps(record["inputs"], sort_keys=True), 32))
    meta = {"tags": tags, "expectations": expected, "trace_id": str(source).removeprefix("tr-") if source else None}
    row = {
        "id": re.sub(r"[^A-Za-z0-9._:-]", "-", told)[:64],
        "messages": asked(record["inputs"]),
        "reference": right if right is not None else expected or None,
        "meta": {key: value for key, value in meta.items() if value},
    }
    moved.datasets.setdefault(named(dataset), []).append(row)
