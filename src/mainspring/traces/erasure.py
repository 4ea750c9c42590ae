"""Erasure: of chosen traces, and of those that are older than the project keeps them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from sqlalchemy import RowMapping, delete, select, update

from mainspring.kernel import access, hooks
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import SpanFilter, TraceSummary
from mainspring.traces import comments
from mainspring.traces import scores as score_store
from mainspring.traces.models import Erased, RetentionRule, nanoseconds
from mainspring.traces.tables import awaiting, retentions

_log = logging.getLogger(__name__)
_BATCH = 500
_TOGETHER = 5_000
"""Traces that expire at once: to drop the words of few from the index takes as long as to drop those of many."""
_WHOLE = timedelta(days=1)
"""After so long everything that is old enough is looked at again."""
_ROOM = "traces"


def erase_traces(platform: Platform, project: str, trace_ids: Sequence[str]) -> Erased:
    """Erase traces with their scores and comments. Doing it again, after a failure half-way, finishes it."""
    with platform.begin() as tx:
        # While the spans are there it is known which sessions end with them.
        said = score_store.erase_sessions(tx, _ending(platform, project, trace_ids))
    spans = platform.spans.delete(project, trace_ids)
    with platform.begin() as tx:
        for at in range(0, len(trace_ids), _BATCH):
            some = awaiting.c.trace_id.in_(trace_ids[at : at + _BATCH])
            tx.execute(delete(awaiting).where(awaiting.c.project == project, some))
        comments.erase(tx, trace_ids)
        return Erased(spans=spans, scores=said + score_store.erase(tx, trace_ids))


def erase_everywhere(platform: Platform, project: str, trace_ids: Sequence[str]) -> Erased:
    """Erase traces, and what other rooms made of them: places in queues and areas, kept answers, tasks.

    The other rooms come first, so that doing it again after a failure half-way finishes it.
    """
    request = ErasureRequest(project, tuple(trace_ids))
    for room, hook in list(hooks.erasure_hooks.items()):
        if room != _ROOM:
            hook(platform, request, True)
    return erase_traces(platform, project, trace_ids)


def counted(platform: Platform, project: str, trace_ids: Sequence[str]) -> dict[str, int]:
    """Return what `erase_traces` would remove, by what it is."""
    spans = sum(line.spans for line in _lines(platform, project, trace_ids))
    ending = _ending(platform, project, trace_ids)
    with platform.read() as tx:
        given = score_store.erase(tx, trace_ids, really=False)
        return {
            "traces": len(trace_ids),
            "spans": spans,
            "sessions": len(ending),
            "scores": given + score_store.erase_sessions(tx, ending, really=False),
            "comments": comments.erase(tx, trace_ids, really=False),
        }


def _lines(platform: Platform, project: str, trace_ids: Sequence[str]) -> Iterator[TraceSummary]:
    for at in range(0, len(trace_ids), _BATCH):
        some = SpanFilter(trace_ids=tuple(trace_ids[at : at + _BATCH]))
        yield from platform.spans.traces(project, some, limit=_BATCH)[0]


def _ending(platform: Platform, project: str, trace_ids: Sequence[str]) -> list[str]:
    """Return the sessions that have no other traces than these."""
    here = Counter(line.session_id for line in _lines(platform, project, trace_ids) if line.session_id)
    ending = []
    for name, many in here.items():
        found, _ = platform.spans.sessions(project, SpanFilter(session_id=name), limit=1)
        if found and found[0].traces <= many:
            ending.append(name)
    return ending


def erase_request(platform: Platform, request: ErasureRequest, really: bool) -> int:
    """Erase what a request names in spans and scores, or count it; the hook of this room."""
    with access.acting_as(access.system(request.project)):
        if really:
            removed = erase_traces(platform, request.project, request.trace_ids)
            return removed.spans + removed.scores
        count = counted(platform, request.project, request.trace_ids)
        return count["spans"] + count["scores"]


def expire(platform: Platform) -> int:
    """Erase the traces that are older than their project keeps them; return the number of spans.

    Each rule decides once on a trace, when it outgrows the rule's days. Once a day, and when the rules have changed,
    all that is older is looked at: what came late, and what is bad no more.
    """
    with access.acting_as(access.system()), platform.read() as tx:
        kept = tx.execute(select(retentions)).mappings().all()
    removed = 0
    for row in kept:
        try:
            removed += _expire_project(platform, row)
        except Exception:  # the other projects' traces expire all the same, and these at the next turn
            _log.exception("traces of %s that are too old could not be erased", row["project"])
    return removed


def _expire_project(platform: Platform, row: RowMapping) -> int:
    now, project = platform.clock.now(), row["project"]
    rules = [RetentionRule(**rule) for rule in row["rules"]] + [RetentionRule(days=row["days"])]
    whole = row["looked_at"] is None or now - row["looked_at"] >= _WHOLE
    known, marks, removed = row["marks"] or [0] * len(rules), list[int](), 0
    with access.acting_as(access.system(project)):
        for number, rule in enumerate(rules):
            marks.append(nanoseconds(now - timedelta(days=rule.days)) if rule.days else 0)
            if rule.days:
                since = 0 if whole else known[number]
                removed += _expire(platform, project, rules, number, since, marks[number])
        with platform.begin() as tx:
            # Rules that were set meanwhile have not been looked with.
            same = (retentions.c.project == project) & (retentions.c.changed_at == row["changed_at"])
            looked_at = now if whole else row["looked_at"]
            tx.execute(update(retentions).where(same).values(marks=marks, looked_at=looked_at))
    return removed


def _expire(
    platform: Platform, project: str, rules: list[RetentionRule], number: int, since_ns: int, until_ns: int
) -> int:
    """Erase what one rule has outlived of what began in a time: its traces are those that no rule before it names."""
    rule, before = rules[number], rules[:number]
    where = SpanFilter(
        environment=rule.environment or _others(one.environment for one in before if not one.kind and _is_plain(one)),
        kind=rule.kind or _others(one.kind for one in before if not one.environment and _is_plain(one)),
        since_ns=since_ns,
        until_ns=until_ns,
    )
    removed, cursor, more = 0, "", True
    gone: list[str] = []
    while more:
        lines, cursor = platform.spans.traces(project, where, limit=_BATCH, cursor=cursor)
        low = {at: _low(platform, rules[at], lines) for at in range(number + 1) if rules[at].bad}
        gone += [
            line.trace_id
            for line in lines
            if _names(rule, line, low.get(number))
            and not any(_names(one, line, low.get(at)) for at, one in enumerate(before))
        ]
        more = bool(cursor)
        if gone and (len(gone) >= _TOGETHER or not more):
            removed += erase_everywhere(platform, project, gone).spans
            gone = []
    return removed


def _others(words: Iterable[str]) -> str:
    """Return the filter that leaves words out; those that a filter cannot say are left to `_names`."""
    said = [word for word in words if word and "," not in word and word[0] != "!"]
    return "!" + ",".join(said) if said else ""


def _is_plain(rule: RetentionRule) -> bool:
    """Tell whether a rule names all traces of its environment and kind."""
    return not rule.bad and rule.share == 1


def _low(platform: Platform, rule: RetentionRule, lines: Sequence[TraceSummary]) -> set[str]:
    """Return the traces with a score that a rule calls low."""
    with platform.read() as tx:
        given = score_store.of_traces(tx, [line.trace_id for line in lines])
    return {
        one.trace_id
        for one in given
        if (not rule.scores or one.name in rule.scores)
        and ((one.number is not None and one.number <= rule.at_most) or one.label in rule.labels)
    }


def _names(rule: RetentionRule, line: TraceSummary, low: set[str] | None) -> bool:
    from mainspring.traces.capture import place

    if rule.environment not in ("", line.environment) or rule.kind not in ("", line.kind):
        return False
    if low is not None and line.status != "error" and line.trace_id not in low:
        return False
    return rule.share == 1 or place(line.trace_id) >= 1 - rule.share


hooks.erasable(_ROOM, erase_request)
