"""Figures: one measure over time, by group, beside the time before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import CallTotals, SpanFilter
from mainspring.monitoring.boards.measures import KINDS, info, joined
from mainspring.monitoring.boards.models import Figures, Series, Where
from mainspring.monitoring.boards.scored import Scored, scored
from mainspring.monitoring.sample import EXPERIMENT, NOT_LIVE, without
from mainspring.traces.models import moment, nanoseconds

_STEPS = (1, 5, 15, 60, 180, 360, 720, 1440, 10_080)
_WANTED = 96
_MOST_STEPS = 1000
_MINUTE_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for."""

    measure: str
    by: str
    where: Where
    since: datetime
    until: datetime
    step_minutes: float
    groups: int
    compare: bool


def step_for(since: datetime, until: datetime) -> float:
    """Return minutes of a step, so that there are at most about a hundred."""
    whole = (until - since) / timedelta(minutes=1)
    return next((step for step in _STEPS if whole / step <= _WANTED), whole / _WANTED)


def figures(platform: Platform, project: str, asked: Asked) -> Figures:
    """Measure. Raises Invalid for a measure, a grouping or a time that cannot be."""
    told = info(asked.measure)
    begin, end, step = nanoseconds(asked.since), nanoseconds(asked.until), int(asked.step_minutes * _MINUTE_NS)
    if not 0 < len(range(begin, end, step)) <= _MOST_STEPS:
        raise Invalid(f"The time holds no step, or more than {_MOST_STEPS:,}.", hint="Take wider steps, or less time.")
    times = list(range(begin, end, step))
    ask = _scores if asked.measure.startswith("score/") else _calls
    now, note = ask(platform, project, asked, begin, end, step)
    then, noted = ask(platform, project, asked, 2 * begin - end, begin, step) if asked.compare else ({}, "")
    names = sorted(now, key=lambda name: (name is None, -now[name].calls, name or ""))
    return Figures(
        measure=told.name,
        label=told.label,
        unit=told.unit,
        since=asked.since,
        until=asked.until,
        step_minutes=asked.step_minutes,
        times=[moment(at) for at in times],
        series=[
            Series(
                group=name,
                values=[now[name].at.get(place) for place in range(len(times))],
                total=now[name].total,
                before=then[name].total if name in then else None,
                before_values=_moved(then.get(name), len(times)) if asked.compare else [],
            )
            for name in names
        ],
        note=" ".join(dict.fromkeys(filter(None, (note, noted)))),
    )


@dataclass(frozen=True, slots=True)
class _Line:
    at: dict[int, float | None]
    total: float | None
    calls: int


def _moved(line: _Line | None, steps: int) -> list[float | None]:
    return [line.at.get(place) if line else None for place in range(steps)]


def _calls(
    platform: Platform, project: str, asked: Asked, begin: int, end: int, step: int
) -> tuple[dict[str | None, _Line], str]:
    of, sums = KINDS[asked.measure].of, KINDS[asked.measure].info.sums
    by = "user_id" if asked.by == "user" else asked.by
    found = platform.spans.calls(project, filter_of(asked.where, begin, end), by=by, step_ns=step, groups=asked.groups)
    lines: dict[str | None, list[CallTotals]] = defaultdict(list)
    for one in found:
        lines[one.group].append(one)
    steps = len(range(begin, end, step))
    # Where nobody called, nothing was used: a sum is zero there, a share or a quantile unknown.
    empty: dict[int, float | None] = dict.fromkeys(range(steps), 0.0) if sums else {}
    return {
        group: _Line(
            empty | {(part.at_ns - begin) // step: of(part) for part in parts},
            of(whole) if (whole := joined(parts)) else None,
            sum(part.calls for part in parts),
        )
        for group, parts in lines.items()
    }, ""


def filter_of(where: Where, begin: int, end: int) -> SpanFilter:
    """Return the choice of calls: of traffic, where nothing else is named."""
    named: dict[str, Any] = where.model_dump(exclude={"user", "traffic"})
    if where.traffic == "live":
        named["service"] = without(where.service, NOT_LIVE)
        named["environment"] = without(where.environment, (EXPERIMENT,))
    return SpanFilter(**named, user_id=where.user, since_ns=begin, until_ns=end)


def _scores(
    platform: Platform, project: str, asked: Asked, begin: int, end: int, step: int
) -> tuple[dict[str | None, _Line], str]:
    given, note = scored(platform, project, asked.measure.removeprefix("score/"), asked.by, asked.where, begin, end)
    most: dict[str, list[Scored]] = defaultdict(list)
    for one in given:
        most[one.group].append(one)
    kept = sorted(most, key=lambda group: -len(most[group]))[: asked.groups]
    lines: dict[str | None, list[Scored]] = defaultdict(list)
    for one in given:
        lines[one.group if one.group in kept else None].append(one)
    return {group: _mean(parts, lambda one: (one.at_ns - begin) // step) for group, parts in lines.items()}, note


def _mean(parts: Sequence[Scored], place: Callable[[Scored], int]) -> _Line:
    at: dict[int, list[float]] = defaultdict(list)
    for part in parts:
        at[place(part)].append(part.value)
    means = {where: sum(values) / len(values) for where, values in at.items()}
    return _Line({**means}, sum(part.value for part in parts) / len(parts), len(parts))
