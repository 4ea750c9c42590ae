"""Features: what is read of a call, or of a row that a release was made with."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from mainspring.evals.models import ExperimentRow
from mainspring.kernel.spans import Span
from mainspring.monitoring.online.sampling import text_of
from mainspring.monitoring.sample import question
from mainspring.safety.refusals import refused

NUMBERS = ("input_length", "output_length", "input_tokens", "output_tokens", "latency_ms", "ttft_ms", "cost")
SHARES = ("errors", "refusals", "guarded", "cut_off")
CATEGORIES = ("model", "service")


@dataclass(frozen=True, slots=True)
class Seen:
    """One call, or one row that stands for one; what is not known is left out."""

    key: str
    """The call's trace, or the row."""
    input: str = ""
    output: str = ""
    numbers: dict[str, float] = field(default_factory=dict)
    shares: dict[str, bool] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)


def of_span(span: Span, scores: Iterable[tuple[str, float]] = ()) -> Seen:
    """Read a call."""
    asked, said = question(span.input).strip(), text_of(span.output).strip()
    failed = span.status == "error"
    reasons = span.attributes.get("gen_ai.response.finish_reasons") or []
    reason = str(reasons[0]) if isinstance(reasons, list) and reasons else ""
    given: dict[str, float | None] = {"input_length": float(len(asked)) if asked else None}
    shares = {"errors": failed}
    if not failed:
        # What a failure took, and how long, says nothing about answers.
        given |= {
            "output_length": float(len(said)),
            "input_tokens": span.input_tokens,
            "output_tokens": span.output_tokens,
            "latency_ms": (span.end_ns - span.start_ns) / 1e6,
            "ttft_ms": span.ttft_ms,
            "cost": span.cost,
        }
        shares |= {"refusals": refused(said, reason), "cut_off": reason == "length"}
    shares["guarded"] = span.attributes.get("mainspring.guard.action") in ("mask", "block")
    return Seen(
        key=span.trace_id,
        input=asked,
        output="" if failed else said,
        numbers=_known(given),
        shares=shares,
        categories={"model": span.model, "service": span.service},
        scores={name: value for name, value in scores if math.isfinite(value)},
    )


def of_row(row: ExperimentRow) -> Seen:
    """Read an answer of an experiment; its scores have the names of the metrics."""
    asked = [message.get("content") for message in row.messages if message.get("role") == "user"]
    said = row.answer.strip()
    text = asked[-1] if asked and isinstance(asked[-1], str) else ""
    given: dict[str, float | None] = {"input_length": float(len(text)) if text else None}
    shares = {"errors": bool(row.error)}
    if not row.error:
        given |= {"output_length": float(len(said)), "input_tokens": row.input_tokens}
        given |= {"output_tokens": row.output_tokens, "cost": row.cost}
        shares |= {"refusals": refused(said, row.finish_reason), "cut_off": row.finish_reason == "length"}
    return Seen(
        key=row.row,
        input=text.strip(),
        output="" if row.error else said,
        numbers=_known(given),
        shares=shares,
        scores={name: value for name, value in row.scores.items() if value is not None},
    )


def _known(given: dict[str, float | None]) -> dict[str, float]:
    return {name: float(value) for name, value in given.items() if value is not None and math.isfinite(value)}
