"""Tools: which of them failed, in traces that may have ended well all the same, and in what words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.monitoring.online.sampling import text_of
from mainspring.monitoring.sample import EXPERIMENT, LOOKED_AT, NOT_LIVE
from mainspring.traces.models import nanoseconds

TOOL = "execute_tool"
"""Kind of the span of a tool that was called."""
_LONGEST_NAME = 128


def failed(
    platform: Platform,
    project: str,
    environment: str,
    calls: Mapping[str, Span] | None,
    *,
    since: datetime,
    until: datetime,
) -> list[Span]:
    """Return the tools that failed in a time, newest first, each once in a trace; in the traces of `calls`, if given.

    A tool's own span names no deployment: a call of its trace does.
    """
    where = SpanFilter(
        kind=TOOL,
        status="error",
        environment=environment or f"!{EXPERIMENT}",
        since_ns=nanoseconds(since),
        until_ns=nanoseconds(until),
    )
    found: dict[tuple[str, str], Span] = {}
    for span in platform.spans.scan(project, where, limit=LOOKED_AT):
        if span.service not in NOT_LIVE and (calls is None or span.trace_id in calls):
            found.setdefault((span.trace_id, name_of(span)), span)
    return list(found.values())


def name_of(span: Span) -> str:
    """Return the name of the tool that a span is of."""
    said = span.attributes.get("gen_ai.tool.name") or span.name.removeprefix(f"{TOOL} ")
    return re.sub(r"\s+", " ", str(said)).strip()[:_LONGEST_NAME] or "a tool without a name"


def error_of(span: Span) -> str:
    """Return what a tool that failed said; empty where it said nothing."""
    return span.status_message.strip() or _raised(span.events) or text_of(span.output).strip()


def _raised(events: Sequence[Mapping[str, object]]) -> str:
    for event in reversed(events):
        said = event.get("attributes")
        if isinstance(said, Mapping) and (text := said.get("exception.message") or said.get("exception.type")):
            return str(text).strip()
    return ""
