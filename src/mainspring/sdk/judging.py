"""Scores from the application: sent in the background, as spans are."""

from __future__ import annotations

from typing import Any

from mainspring.sdk.active import exporter, log
from mainspring.sdk.context import current_trace_id

_LONGEST = 20_000
"""Characters of a comment or a correction: what the server takes."""


def score(
    name: str,
    number: float | None = None,
    *,
    label: str | None = None,
    comment: str = "",
    correction: str = "",
    trace_id: str = "",
    span_id: str = "",
    session_id: str = "",
    source: str = "code",
) -> None:
    """Judge a trace, a span or a session: by a number, a label, words, or what the answer should have been.

    Without a target it is the trace that the present code belongs to. It never raises, and never waits.
    """
    try:
        sender = exporter()
        if not session_id:
            trace_id = trace_id or current_trace_id()
        if sender is None or not (trace_id or session_id):
            return
        said: dict[str, Any] = {"name": str(name), "source": source}
        said |= {"comment": str(comment)[:_LONGEST], "correction": str(correction)[:_LONGEST]}
        said |= {"number": float(number)} if number is not None else {}
        said |= {"label": str(label)[:200]} if label is not None else {}
        said |= {"trace_id": trace_id} if trace_id else {}
        said |= {"span_id": span_id} if span_id else {}
        said |= {"session_id": session_id} if session_id else {}
        sender.put_score(said)
    except Exception as problem:  # a judgement is never worth the application's own work
        log.warning("mainspring: the score %s was not taken: %s: %s", name, type(problem).__name__, problem)


def feedback(
    trace_id: str, good: bool | float, *, name: str = "thumb", comment: str = "", correction: str = ""
) -> None:
    """Pass on what a user of the application thinks of an answer: good or not, or a number of your own scale."""
    score(name, good, trace_id=trace_id, comment=comment, correction=correction, source="human")
