"""OTLP log records that say something of spans: judgements become scores, messages join the span that they are of.

Instrumentations of the conventions before 1.37 send what was said as events beside the spans, through another
exporter. They wait in a table, masked as spans are, until their span has come; the worker joins them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from sqlalchemy import RowMapping, delete, insert, select

from mainspring.kernel import access, hooks
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import Invalid, MainspringError, TooLarge
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.traces import limits, otlp, protobuf
from mainspring.traces import scores as score_store
from mainspring.traces.dialects import is_message, messages_of
from mainspring.traces.intake import Intake
from mainspring.traces.tables import awaiting

EVALUATION = "gen_ai.evaluation.result"
WAITS = timedelta(hours=1)
"""How long messages wait for their span."""
_PAGE = 500
_SIDES = ("input", "output")
_NO_METRICS = "Mainspring computes its figures from spans and keeps no metrics; set OTEL_METRICS_EXPORTER=none."


def store(platform: Platform, intake: Intake, caller: Caller, data: bytes, encoding: otlp.Encoding) -> bytes:
    """Store what an inflated request of log records says of spans, durably; return the body of the answer."""
    rejected, reasons = 0, list[str]()
    said: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    judged: list[dict[str, Any]] = []
    for record in _records(data, encoding):
        problem = ""
        if not _is_id(record["trace_id"], 32) or not _is_id(record["span_id"], 16):
            problem = "a log record is kept only where it belongs to a span"
        elif record["name"] == EVALUATION:
            judged.append(record)
        elif is_message(record):
            said[record["trace_id"], record["span_id"]].append(record)
        else:
            problem = f"the event '{record['name'][:60]}' says nothing of a model call"
        if problem:
            rejected += 1
            reasons += [problem] if problem not in reasons and len(reasons) < 5 else []
    with access.acting_as(caller):
        if judged:
            access.require(caller, "score.write")
            _judge(platform, intake, caller, judged)
        if said:
            _await(platform, intake, caller, said)
    return _reply(encoding, ExportLogsServiceResponse(), "LogRecords", rejected, "; ".join(reasons))


def no_metrics(data: bytes, encoding: otlp.Encoding) -> bytes:
    """Return an answer that says that nothing of an inflated request of metrics is kept."""
    try:
        if encoding == "json":
            count = str(msgspec.json.decode(data)).count("timeUnixNano")
        else:
            request = ExportMetricsServiceRequest.FromString(data)
            count = sum(
                len(getattr(metric, metric.WhichOneof("data") or "gauge").data_points)
                for group in request.resource_metrics
                for scope in group.scope_metrics
                for metric in scope.metrics
            )
    except (DecodeError, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Invalid("The body is not an OTLP request of metrics.") from None
    return _reply(encoding, ExportMetricsServiceResponse(), "DataPoints", max(1, count), _NO_METRICS)


def join(platform: Platform) -> int:
    """Put messages that wait into the spans that have come, and forget those that waited too long."""
    joined, last = 0, ""
    while True:
        with access.acting_as(access.system()), platform.read() as tx:
            query = select(awaiting).where(awaiting.c.id > last).order_by(awaiting.c.id).limit(_PAGE)
            rows = tx.execute(query).mappings().all()
        waiting: dict[tuple[str, str, str], list[RowMapping]] = defaultdict(list)
        for row in rows:
            waiting[row["project"], row["trace_id"], row["span_id"]].append(row)
        done: list[str] = []
        for (project, trace_id, span_id), parts in waiting.items():
            spans = platform.spans.trace(project, trace_id)
            span = next((one for one in spans if one.span_id == span_id and one.status != "running"), None)
            if span is not None:
                said = {name: _merged(getattr(span, name), [part[name] for part in parts]) for name in _SIDES}
                platform.spans.append([msgspec.structs.replace(span, **said)])
                joined += 1
            old = (part for part in parts if platform.clock.now() - part["created_at"] > WAITS)
            done += [part["id"] for part in (parts if span is not None else old)]
        if done:
            with access.acting_as(access.system()), platform.begin() as tx:
                tx.execute(delete(awaiting).where(awaiting.c.id.in_(done)))
        if len(rows) < _PAGE:
            return joined
        last = rows[-1]["id"]


def _merged(held: Any, parts: list[Any]) -> Any:
    """Return what a span says with the messages that came for it; those that it holds already are not said twice."""
    if held is not None and not isinstance(held, list):
        return held
    known = list(held or [])
    fresh = [message for part in parts if isinstance(part, list) for message in part]
    found = known + (fresh if not known else [message for message in fresh if message not in known])
    return found or held


def _judge(platform: Platform, intake: Intake, caller: Caller, records: list[dict[str, Any]]) -> None:
    masked = [_masked(intake, caller, record) for record in records]
    with platform.begin() as tx:
        for record, said in zip(records, masked, strict=True):
            name = re.sub(r"[^a-z0-9._-]+", "-", str(said.get("gen_ai.evaluation.name", "evaluation")).lower())
            number, label = said.get("gen_ai.evaluation.score.value"), said.get("gen_ai.evaluation.score.label")
            score_store.put_once(
                tx,
                name.strip("-._")[:100] or "evaluation",
                trace_id=record["trace_id"],
                span_id=record["span_id"],
                number=float(number) if isinstance(number, int | float) else None,
                label=str(label)[:200] if label is not None else None,
                comment=str(said.get("gen_ai.evaluation.explanation", ""))[:10_000],
            )


def _masked(intake: Intake, caller: Caller, record: dict[str, Any]) -> dict[str, Any]:
    """Return what a judgement says as it may be written: as an event of its span would be."""
    span = Span(
        trace_id=record["trace_id"],
        span_id=record["span_id"],
        project=caller.project,
        environment=caller.environment,
        start_ns=1,
        end_ns=1,
        events=[{"name": EVALUATION, "time_ns": 1, "attributes": record["attributes"]}],
    )
    said: dict[str, Any] = intake.prepared(span).events[0]["attributes"]
    return said


def _await(
    platform: Platform, intake: Intake, caller: Caller, said: dict[tuple[str, str], list[dict[str, Any]]]
) -> None:
    rows = []
    for (trace_id, span_id), records in said.items():
        asked, answered = messages_of(sorted(records, key=lambda record: int(record["time_ns"])))
        at = max(1, min(int(record["time_ns"]) for record in records))
        span = intake.prepared(
            Span(
                trace_id=trace_id,
                span_id=span_id,
                project=caller.project,
                environment=caller.environment,
                start_ns=at,
                end_ns=at,
                input=asked,
                output=answered,
            )
        )
        if span.input is not None or span.output is not None:
            rows.append({name: getattr(span, name) for name in ("project", "trace_id", "span_id", "input", "output")})
    with platform.begin() as tx:
        for row in rows:
            tx.execute(insert(awaiting).values(id=tx.new_id(), created_at=tx.now, **row))


def _records(data: bytes, encoding: otlp.Encoding) -> Iterator[dict[str, Any]]:
    for number, record in enumerate(_from_json(data) if encoding == "json" else _from_protobuf(data)):
        if number >= limits.SPANS:
            raise TooLarge(f"The request has over {limits.SPANS:,} records.", hint="Send fewer at a time.")
        body = record.pop("body")
        if isinstance(body, dict):
            record["attributes"] = {**record["attributes"], **body}
        record["name"] = record["name"] or str(record["attributes"].pop("event.name", ""))
        yield record


def _from_protobuf(data: bytes) -> Iterator[dict[str, Any]]:
    try:
        request = ExportLogsServiceRequest.FromString(data)
    except DecodeError:
        raise Invalid("The body is not an OTLP request of log records in protobuf.") from None
    for group in request.resource_logs:
        for scope in group.scope_logs:
            for record in scope.log_records:
                yield {
                    "name": record.event_name,
                    "trace_id": record.trace_id.hex(),
                    "span_id": record.span_id.hex(),
                    "time_ns": record.time_unix_nano or record.observed_time_unix_nano,
                    "attributes": protobuf.attributes(record.attributes),
                    "body": protobuf.value(record.body),
                }


def _from_json(data: bytes) -> Iterator[dict[str, Any]]:
    try:
        request = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Invalid("The body is not valid JSON.") from None
    try:
        for group in request.get("resourceLogs") or []:
            for scope in group.get("scopeLogs") or []:
                for record in scope.get("logRecords") or []:
                    yield {
                        "name": str(record.get("eventName") or ""),
                        "trace_id": str(record.get("traceId") or "").lower(),
                        "span_id": str(record.get("spanId") or "").lower(),
                        "time_ns": int(record.get("timeUnixNano") or record.get("observedTimeUnixNano") or 0),
                        "attributes": otlp.json_attributes(record.get("attributes")),
                        "body": otlp.json_value(record.get("body")),
                    }
    except MainspringError:
        raise
    except (AttributeError, TypeError, ValueError, OverflowError, RecursionError):
        raise Invalid("The body is not an OTLP request of log records.") from None


def _reply(encoding: otlp.Encoding, response: Any, what: str, rejected: int, problem: str) -> bytes:
    if encoding == "json":
        partial = {f"rejected{what}": str(rejected), "errorMessage": problem}
        return msgspec.json.encode({"partialSuccess": partial} if rejected else {})
    if rejected:
        field = {"LogRecords": "rejected_log_records", "DataPoints": "rejected_data_points"}[what]
        setattr(response.partial_success, field, rejected)
        response.partial_success.error_message = problem
    data: bytes = response.SerializeToString()
    return data


def _is_id(text: str, digits: int) -> bool:
    return len(text) == digits and not text.strip("0123456789abcdef") and bool(text.strip("0"))


hooks.periodic("traces.join", 5.0, join, select(awaiting.c.id))
