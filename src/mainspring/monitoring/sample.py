"""Samples: the traffic that a monitor looks at, and the text of what came in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any

from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.traces.models import nanoseconds

TRIED = ("shadow", "loadtest", "redteam")
"""The services of calls that nobody reads the answers of."""
CALLS = ("chat", "text_completion", "generate_content")
LOOKED_AT = 20_000
"""Calls that one look goes through at most, the newest."""


def calls(
    platform: Platform,
    project: str,
    target: str,
    environment: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = LOOKED_AT,
) -> Iterator[Span]:
    """Yield model calls of a deployment, a release or all traffic, newest first, at most `limit`."""
    is_release = target.startswith("release/")
    where: dict[str, Any] = {
        "environment": environment,
        "release": target if is_release else "",
        "deployment": "" if is_release else target,
        "since_ns": nanoseconds(since),
        "until_ns": nanoseconds(until),
    }
    # Kind by kind: a trace of many thousand spans would else stand before the calls of a whole day.
    found = [platform.spans.scan(project, SpanFilter(kind=kind, **where), limit=LOOKED_AT) for kind in CALLS]
    left = limit
    for span in islice(merge(*found, key=lambda span: -span.start_ns), LOOKED_AT):
        if left and span.service not in TRIED:
            left -= 1
            yield span
        if not left:
            return


def question(value: Any) -> str:
    """Return the text that the user said last; empty where there is none."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    for message in reversed(value):
        if isinstance(message, dict) and message.get("role", "user") == "user":
            said = message.get("parts", message.get("content"))
            parts = said if isinstance(said, list) else [said]
            texts = [part.get("content", part.get("text", "")) if isinstance(part, dict) else part for part in parts]
            return "\n".join(text for text in texts if isinstance(text, str))
    return ""
