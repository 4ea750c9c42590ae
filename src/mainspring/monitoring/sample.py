"""Samples: the traffic that a monitor looks at, and the text of what came in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any, Literal

from mainspring.evals.spans import ENVIRONMENT
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Record
from mainspring.kernel.spans import CallTotals, Span, SpanFilter, TraceSummary
from mainspring.traces.models import ROUTE, nanoseconds

Traffic = Literal["live", "all"]
EXPERIMENT = ENVIRONMENT
"""The environment of experiments."""
NOT_LIVE = ("playground", "shadow", "loadtest", "redteam")
"""The services of calls that are no traffic; experiments are told by their environment."""
CALLS = ("chat", "text_completion", "generate_content")
CARRIED = 2
"""Spans that may lie between a call as its caller saw it and the call itself."""
_REQUESTS = ("POST ", "HTTP POST")
"""How the names of spans begin that instrumentations of HTTP write around a request; some say `POST` alone."""
_TOGETHER = 200
LOOKED_AT = 20_000
"""Calls that one look goes through at most, the newest."""


class Watched(Record):
    """Settings of everything that watches calls."""

    traffic: Traffic = "live"
    """`live` leaves out experiments (unless the environment is theirs), playground, load tests, shadows and red
    teaming; `all` counts them too."""


def calls(
    platform: Platform,
    project: str,
    target: str,
    environment: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = LOOKED_AT,
    traffic: Traffic = "live",
    attempts: bool = False,
) -> Iterator[Span]:
    """Yield model calls of a deployment, a release or all traffic, newest first, at most `limit`.

    Of a routed call the last attempt counts, which is what its caller met; with `attempts` each does. A call that
    encloses another one does not count, whether directly or around what carries it, as for `Spans.calls`.
    """
    is_release = target.startswith("release/")
    where: dict[str, Any] = {
        "environment": environment or ("" if traffic == "all" else f"!{EXPERIMENT}"),
        "release": target if is_release else "",
        "deployment": "" if is_release else target,
        "since_ns": nanoseconds(since),
        "until_ns": nanoseconds(until),
    }
    # Kind by kind: a trace of many thousand spans would else stand before the calls of a whole day.
    found = [platform.spans.scan(project, SpanFilter(kind=kind, **where), limit=LOOKED_AT) for kind in CALLS]
    left, later, outer = limit, set[tuple[str, str]](), Outer(platform, project)
    for span in islice(merge(*found, key=lambda span: -span.start_ns), LOOKED_AT):
        if traffic == "live" and span.service in NOT_LIVE:
            continue
        if outer.has(span):
            continue
        if "mainspring.route.attempt" in span.attributes and span.parent_id and not attempts:
            whole = (span.trace_id, span.parent_id)
            if whole in later:
                continue
            later.add(whole)
        if left:
            left -= 1
            yield span
        if not left:
            return


def totals(
    platform: Platform,
    project: str,
    target: str,
    environment: str,
    *,
    since: datetime,
    until: datetime,
    traffic: Traffic = "live",
) -> CallTotals:
    """Return the sums of all calls of a time that `calls` would yield, however many they are."""
    is_release = target.startswith("release/")
    begin, end = nanoseconds(since), nanoseconds(until)
    where = SpanFilter(
        environment=environment or ("" if traffic == "all" else f"!{EXPERIMENT}"),
        service="" if traffic == "all" else without("", NOT_LIVE),
        kind=",".join(CALLS),
        release=target if is_release else "",
        deployment="" if is_release else target,
        since_ns=begin,
        until_ns=max(end, begin + 1),
    )
    found = platform.spans.calls(project, where, step_ns=max(1, end - begin), groups=1)
    return found[0] if found else CallTotals(at_ns=begin, group="")


def one_of_each_session(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield one call of each session, the first that comes: those of one session are alike."""
    known: set[str] = set()
    for span in spans:
        if span.session_id not in known:
            yield span
        if span.session_id:
            known.add(span.session_id)


class Outer:
    """The calls that enclose another: each began before it, and is the same call as its client saw it.

    Between the two may stand what carries a call, the span of a route or of an HTTP request. It is looked up once
    another call of its trace comes, since most traces have one.
    """

    def __init__(self, platform: Platform, project: str) -> None:
        self._platform, self._project = platform, project
        self._known: dict[str, set[str]] = {}
        """By trace, the parents of calls, and those of what carries them."""
        self._unread: dict[str, list[tuple[str, int]]] = {}
        """By trace, parents of which is not known whether they carry, each with how many carriers lie below it."""

    def has(self, span: Span) -> bool:
        """Tell whether a call encloses one that came before, and take it in."""
        trace, known = span.trace_id, self._known.get(span.trace_id)
        if known is None:
            known = self._known[trace] = set()
        elif span.span_id not in known:
            self._read(trace)
        found = span.span_id in known
        if span.parent_id and span.parent_id not in known:
            known.add(span.parent_id)
            self._unread.setdefault(trace, []).append((span.parent_id, 0))
        return found

    def _read(self, trace: str) -> None:
        """Follow the parents of a trace's calls as far as they carry them."""
        left = self._unread.pop(trace, [])
        while left:
            at, below = left.pop()
            span = self._platform.spans.span(self._project, trace, at) if below < CARRIED else None
            if span is None or not span.parent_id or span.parent_id in self._known[trace] or not _carries(span):
                continue
            self._known[trace].add(span.parent_id)
            left.append((span.parent_id, below + 1))


def _carries(span: Span) -> bool:
    return span.kind == ROUTE or span.name == "POST" or span.name.startswith(_REQUESTS)


def without(text: str, words: Sequence[str]) -> str:
    """Return a filter that leaves words out, unless others are named."""
    if text and not text.startswith("!"):
        return text
    return "!" + ",".join(dict.fromkeys([*filter(None, text.lstrip("!").split(",")), *words]))


def live(platform: Platform, project: str, trace_ids: Iterable[str], environment: str = "") -> set[str]:
    """Return which of some traces are traffic, or are gone, so that nothing speaks against them."""
    known = list(dict.fromkeys(trace_ids))
    tried: set[str] = set()
    for start in range(0, len(known), _TOGETHER):
        where = SpanFilter(trace_ids=tuple(known[start : start + _TOGETHER]))
        lines, _ = platform.spans.traces(project, where, limit=_TOGETHER)
        tried |= {line.trace_id for line in lines if _is_tried(line, environment)}
    return set(known) - tried


def _is_tried(line: TraceSummary, environment: str) -> bool:
    return line.service in NOT_LIVE or (line.environment == EXPERIMENT and environment != EXPERIMENT)


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
