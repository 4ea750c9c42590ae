"""Sampling: which calls an evaluator draws, always the same ones, and what a scorer is shown of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import RowMapping

from mainspring.evals.scorers import Answer
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.monitoring.online.models import Choice
from mainspring.monitoring.sample import CALLS, TRIED, question

JUDGED = "mainspring.metadata.judged"
"""Attribute of the calls of judges: an evaluator never looks at what another one asked."""
_MOST = 20_000


def drawn(
    platform: Platform, project: str, row: RowMapping, since_ns: int, until_ns: int, *, limit: int = _MOST
) -> Iterator[Span]:
    """Yield the calls of a time that an evaluator draws, newest first."""
    choice, left = Choice(**row["choice"]), limit
    is_release = choice.target.startswith("release/")
    where = SpanFilter(
        environment=choice.environment,
        release=choice.target if is_release else "",
        deployment="" if is_release else choice.target,
        service=choice.service,
        status=choice.status,
        query=choice.query.strip(),
        min_duration_ms=choice.min_duration_ms,
        since_ns=since_ns,
        until_ns=until_ns,
    )
    for span in platform.spans.scan(project, where, limit=_MOST):
        if left and _is_call(span) and share(row["id"], span.trace_id) < row["rate"]:
            left -= 1
            yield span
        if not left:
            return


def share(evaluator_id: str, trace_id: str) -> float:
    """Return a number from 0 to 1 that differs from trace to trace, and is always the same for one evaluator."""
    return int.from_bytes(hashlib.sha256(f"{evaluator_id}/{trace_id}".encode()).digest()[:8], "big") / 2**64


def _is_call(span: Span) -> bool:
    return span.kind in CALLS and span.service not in TRIED and JUDGED not in span.attributes


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
