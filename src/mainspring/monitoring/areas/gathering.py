"""Gathering: which traces went wrong, in what words, and what they are held against."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from mainspring.evals import scorers
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.kernel.tx import Tx
from mainspring.monitoring.areas import halves, tools
from mainspring.monitoring.areas.models import FindSettings
from mainspring.monitoring.online.tables import evaluators
from mainspring.monitoring.sample import CALLS, EXPERIMENT, NOT_LIVE, calls, question
from mainspring.traces import scores as score_store
from mainspring.traces.models import Score

_LONGEST = 1000
_CHUNK = 200
_NOT_SAID = re.compile(r"From the queue \S+\.")
"""What stands in the place of a comment where nobody made one."""
_NUMBERS = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bad:
    """A trace that went wrong."""

    trace_id: str
    at_ns: int
    release: str
    why: str
    """`errors`, `scores` or `tools`."""
    score: str
    """The score that it was bad at, or the tool that failed."""
    value: float | None
    asked: str
    """What the user asked."""
    text: str
    """What it is grouped by: the question with what was said of the answer, or the error without its numbers."""
    unit: str
    """The session, or else the trace."""

    @property
    def kind(self) -> Kind:
        """How it went wrong: only what went wrong in the same way is grouped."""
        return kind_of(self.why, self.score)

    @property
    def key(self) -> tuple[str, str]:
        """What is in an area once: the trace, and by itself each tool that failed in it."""
        return self.trace_id, self.kind.tool


class Kind(NamedTuple):
    """A way to go wrong."""

    why: str
    tool: str
    """The tool that failed, or empty."""


def kind_of(why: str, score: str) -> Kind:
    """Return the kind of an area or a bad trace from its columns."""
    return Kind(why, score if why == "tools" else "")


@dataclass(frozen=True, slots=True)
class Seen:
    """Any call of the time, for comparison."""

    trace_id: str
    asked: str
    failed: bool
    at_ns: int
    unit: str
    """The session, or else the trace."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a search looks at."""

    bad: list[Bad]
    seen: list[Seen]
    values: dict[str, dict[str, float]]
    """Numbers of scores by name and trace."""


def gather(
    platform: Platform, target: str, environment: str, settings: FindSettings, *, since: datetime, until: datetime
) -> Gathered:
    """Return the newest bad traces of a time, each once, and the newest calls."""
    with platform.read() as tx:
        project = tx.project
        good_when_low = _good_when_low(tx)
        given = [one for one in score_store.find(tx, since=since) if one.created_at <= until]
    wanted = [
        one for one in given if (one.name in settings.scores if settings.scores else one.name not in good_when_low)
    ]
    every = list(calls(platform, project, target, environment, since=since, until=until))
    newest = {span.trace_id: span for span in reversed(every)}
    bad: dict[str, Bad] = {}
    if settings.errors:
        for span in every:
            if span.status == "error":
                bad.setdefault(span.trace_id, _failure(span))
    judged = [one for one in wanted if _is_bad(one, settings)]
    missing = [one.trace_id for one in judged if one.trace_id not in newest]
    spans = newest | {span.trace_id: span for span in _spans_of(platform, project, target, environment, missing)}
    for one in judged:
        if one.trace_id in spans:
            bad.setdefault(one.trace_id, _judged(spans[one.trace_id], one))
    values: dict[str, dict[str, float]] = {}
    for one in reversed(wanted):
        if one.number is not None:
            values.setdefault(one.name, {})[one.trace_id] = one.number
    found = sorted(bad.values(), key=lambda one: -one.at_ns)[: settings.limit]
    if settings.tools:
        broken = tools.failed(platform, project, environment, newest if target else None, since=since, until=until)
        found += [_broken(span, newest.get(span.trace_id)) for span in broken[: settings.limit]]
    return Gathered(found, _comparison(every, settings, values), values)


def _comparison(every: Sequence[Span], settings: FindSettings, values: dict[str, dict[str, float]]) -> list[Seen]:
    """Return calls to hold areas against: those that were judged first, since few are."""
    scored = {trace_id for held in values.values() for trace_id in held}
    first = [span for span in every if span.trace_id in scored]
    rest = [span for span in every if span.trace_id not in scored]
    chosen = [*first[: settings.limit], *rest[: settings.limit]]
    found = [
        Seen(
            span.trace_id,
            question(span.input).strip()[:_LONGEST],
            span.status == "error",
            span.start_ns,
            halves.unit(span),
        )
        for span in chosen
    ]
    return [one for one in found if one.asked]


def _good_when_low(tx: Tx) -> set[str]:
    """Return the scores of evaluators whose scorers give little where an answer is good."""
    rows = tx.execute(select(evaluators.c.score, evaluators.c.metric).where(evaluators.c.project == tx.project))
    found = set()
    for row in rows:
        try:
            if not scorers.metric(row.metric).scorer.higher_is_better:
                found.add(row.score)
        except MainspringError:
            continue
    return found


def _is_bad(one: Score, settings: FindSettings) -> bool:
    return (one.number is not None and one.number <= settings.bad_at_most) or one.label in settings.bad_labels


def _spans_of(
    platform: Platform, project: str, target: str, environment: str, trace_ids: Sequence[str]
) -> Iterable[Span]:
    """Yield the first call of each trace, which may be older than the score that it got."""
    is_release = target.startswith("release/")
    known = list(dict.fromkeys(trace_ids))
    for start in range(0, len(known), _CHUNK):
        some = tuple(known[start : start + _CHUNK])
        where = SpanFilter(
            environment=environment or f"!{EXPERIMENT}",
            release=target if is_release else "",
            deployment="" if is_release else target,
            trace_ids=some,
        )
        for span in platform.spans.scan(project, where, limit=10_000):
            if span.kind in CALLS and span.service not in NOT_LIVE:
                yield span


def _failure(span: Span) -> Bad:
    said = _NUMBERS.sub("#", span.status_message).strip()
    asked = question(span.input).strip()[:_LONGEST]
    text = said[:_LONGEST] or asked
    return Bad(span.trace_id, span.start_ns, span.release, "errors", "", None, asked, text, halves.unit(span))


def _broken(span: Span, call: Span | None) -> Bad:
    """Return what is told of a tool that failed; the release is that of a call of its trace."""
    tool = tools.name_of(span)
    said = _NUMBERS.sub("#", tools.error_of(span)).strip()[:_LONGEST]
    release = span.release or (call.release if call else "")
    return Bad(span.trace_id, span.start_ns, release, "tools", tool, None, "", said or tool, halves.unit(span))


def _judged(span: Span, one: Score) -> Bad:
    asked = question(span.input).strip()[:_LONGEST]
    text = "\n".join(filter(None, (asked, comment_of(one)[:_LONGEST])))
    unit = halves.unit(span)
    return Bad(span.trace_id, span.start_ns, span.release, "scores", one.name, one.number, asked, text, unit)


def comment_of(one: Score) -> str:
    """Return what somebody said of an answer; empty where nobody did."""
    return "" if _NOT_SAID.fullmatch(one.comment) else one.comment.strip()
