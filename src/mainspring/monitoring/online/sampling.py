"""Sampling: which calls an evaluator draws, always the same ones, and what a scorer is shown of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping

from mainspring.evals.scorers import Answer
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.monitoring.online.models import Choice, Draw, DrawnCall
from mainspring.monitoring.sample import CALLS, EXPERIMENT, NOT_LIVE, Outer, question, without
from mainspring.traces.models import moment

JUDGED = "mainspring.metadata.judged"
"""Attribute of the calls of judges: an evaluator never looks at what another one asked."""
_MOST = 20_000


def drawn(
    platform: Platform, project: str, row: RowMapping, since_ns: int, until_ns: int, *, limit: int = _MOST
) -> Iterator[Span]:
    """Yield the calls of a time that an evaluator draws, newest first."""
    left, choice, outer = limit, Choice(**row["choice"]), Outer(platform, project)
    for span in _fitting(platform, project, choice, since_ns, until_ns):
        if left and _is_call(span, choice, outer) and share(row["id"], span.trace_id) < row["rate"]:
            left -= 1
            yield span
        if not left:
            return


def preview(
    platform: Platform, project: str, row: Mapping[str, Any], since_ns: int, until_ns: int, *, shown: int
) -> Draw:
    """Count the calls of a time that fit and those that would be drawn, and return the latest of these."""
    looked, fit, chosen, oldest = 0, 0, 0, until_ns
    calls: list[DrawnCall] = []
    choice, outer = Choice(**row["choice"]), Outer(platform, project)
    for span in _fitting(platform, project, choice, since_ns, until_ns):
        looked, oldest = looked + 1, span.start_ns
        if not _is_call(span, choice, outer):
            continue
        fit += 1
        if share(row["id"], span.trace_id) >= row["rate"]:
            continue
        chosen += 1
        if len(calls) < shown:
            calls.append(
                DrawnCall(
                    trace_id=span.trace_id,
                    at=moment(span.start_ns),
                    deployment=span.deployment,
                    model=span.model,
                    question=question(span.input)[:300],
                )
            )
    more = looked >= _MOST
    hours = (until_ns - (oldest if more else since_ns)) / 3.6e12
    per_day = chosen * 24 / hours if hours > 0 else 0.0
    return Draw(hours=hours, fitting=fit, drawn=chosen, per_day=per_day, more=more, calls=calls)


def _fitting(platform: Platform, project: str, choice: Choice, since_ns: int, until_ns: int) -> Iterator[Span]:
    """Yield the spans of a time that fit a choice, newest first, at most 20,000."""
    is_release = choice.target.startswith("release/")
    live = choice.traffic == "live"
    where = SpanFilter(
        environment=without(choice.environment, (EXPERIMENT,)) if live else choice.environment,
        release=choice.target if is_release else "",
        deployment="" if is_release else choice.target,
        service=without(choice.service, NOT_LIVE) if live else choice.service,
        status="error" if choice.status == "error" else "",
        query=choice.query.strip(),
        min_duration_ms=choice.min_duration_ms,
        since_ns=since_ns,
        until_ns=until_ns,
    )
    yield from platform.spans.scan(project, where, limit=_MOST)


def share(evaluator_id: str, trace_id: str) -> float:
    """Return a number from 0 to 1 that differs from trace to trace, and is always the same for one evaluator."""
    return int.from_bytes(hashlib.sha256(f"{evaluator_id}/{trace_id}".encode()).digest()[:8], "big") / 2**64


def _is_call(span: Span, choice: Choice, outer: Outer) -> bool:
    """Tell whether a span is a call to be drawn: of one that client and gateway both report the inner one is."""
    if span.kind not in CALLS or outer.has(span) or JUDGED in span.attributes:
        return False
    # Most instrumentations of OpenTelemetry leave unset how a call ended that went well.
    return not (choice.status == "ok" and span.status == "error")


def answer_of(span: Span, spans: Sequence[Span]) -> Answer:
    """Return a call as scorers take it; `spans` are those of its trace, where retrieved passages stand."""
    reasons = span.attributes.get("gen_ai.response.finish_reasons") or [""]
    return Answer(
        text_of(span.output),
        latency_ms=(span.end_ns - span.start_ns) / 1e6,
        ttft_ms=span.ttft_ms,
        input_tokens=span.input_tokens,
        output_tokens=span.output_tokens,
        cost=span.cost,
        finish_reason=str(reasons[0] if isinstance(reasons, list) and reasons else ""),
        question=question(span.input),
        contexts=tuple(_passages(spans)),
        key=f"{span.trace_id}-{span.span_id}",
    )


def text_of(value: Any) -> str:
    """Return the text of an output, in any of the forms in which it is stored."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(filter(None, map(text_of, value)))
    if isinstance(value, dict):
        held = value.get("parts", value.get("content", value.get("text", "")))
        return text_of(held) if value.get("type", "text") in ("text", "message", "reasoning") else ""
    return ""


def _passages(spans: Sequence[Span]) -> Iterator[str]:
    for span in spans:
        if span.kind in ("retrieval", "retriever", "reranker"):
            held = span.attributes.get("gen_ai.retrieval.documents") or span.output
            for document in held if isinstance(held, list) else []:
                content = document.get("content", document.get("text")) if isinstance(document, dict) else document
                if isinstance(content, str) and content:
                    yield content
