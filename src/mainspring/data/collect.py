"""Collecting: traces and what people said of them become rows of a new dataset version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mainspring.data.models import Message, Row
from mainspring.kernel.lineage import SourceKind
from mainspring.kernel.records import Record
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.traces import scores
from mainspring.traces.models import Score, nanoseconds

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform

_ROLES = ("system", "developer", "user", "assistant", "tool")
_TEXT = ("text", "reasoning")
_PAGE = 200


class Choice(Record):
    """Which traces to collect; an empty field does not narrow."""

    score: str = ""
    """Name of a score that the trace must have."""
    at_most: float | None = None
    """Largest number of that score: 0 for thumbs down."""
    at_least: float | None = None
    label: str = ""
    """Label of that score."""
    corrected: bool = False
    """Only traces for which somebody said what the answer should have been."""
    deployment: str = ""
    release: str = ""
    since: datetime | None = None
    limit: int = 1000
    trace_ids: tuple[str, ...] = ()
    """Just these traces, where any are named; then `score` only says which judgements the rows carry."""

    @property
    def by_score(self) -> bool:
        """Whether scores decide."""
        return bool(self.score or self.label or self.corrected) or self.at_most is not None or self.at_least is not None


Collected = tuple[Row, list[tuple[str, SourceKind, str]]]
"""A row, and (row id, source kind, source id) for each of its sources."""


def collect(platform: Platform, choice: Choice) -> Iterator[Collected]:
    """Yield a row for each trace that fits and holds a conversation, with its sources, newest trace first.

    A corrected answer takes the place of the given one, which is kept in `meta.answer`. Two traces with the same words
    are both kept: how often something happens is worth knowing, and a recipe can remove duplicates.
    """
    with platform.read() as tx:
        project = tx.project
    platform.spans.flush()
    found = 0
    for ids in _pages(platform, project, choice):
        with platform.read() as tx:
            judged: dict[str, list[Score]] = {}
            for one in scores.of_traces(tx, ids):
                if not choice.trace_ids or choice.score in ("", one.name):
                    judged.setdefault(one.trace_id, []).append(one)
        for trace_id in ids:
            spans = platform.spans.trace(project, trace_id)
            span = next((one for one in spans if _turns(one.input) and _fits(one, choice)), None)
            if span is not None and found < choice.limit:
                found += 1
                yield _row(span, judged.get(trace_id, []))
        if found >= choice.limit:
            return


def _pages(platform: Platform, project: str, choice: Choice) -> Iterator[list[str]]:
    if choice.trace_ids:
        wanted = list(dict.fromkeys(choice.trace_ids))
        return (wanted[start : start + _PAGE] for start in range(0, len(wanted), _PAGE))
    return _scored(platform, choice) if choice.by_score else _listed(platform, project, choice)


def _scored(platform: Platform, choice: Choice) -> Iterator[list[str]]:
    with platform.read() as tx:
        found = scores.find(
            tx,
            name=choice.score,
            label=choice.label,
            since=choice.since,
            at_most=choice.at_most,
            at_least=choice.at_least,
        )
    ids = list(dict.fromkeys(one.trace_id for one in found if one.correction or not choice.corrected))
    yield from (ids[start : start + _PAGE] for start in range(0, len(ids), _PAGE))


def _listed(platform: Platform, project: str, choice: Choice) -> Iterator[list[str]]:
    where = SpanFilter(deployment=choice.deployment, release=choice.release, since_ns=nanoseconds(choice.since))
    cursor = ""
    while True:
        lines, cursor = platform.spans.traces(project, where, limit=_PAGE, cursor=cursor)
        yield [line.trace_id for line in lines]
        if not cursor:
            return


def _fits(span: Span, choice: Choice) -> bool:
    wanted = ((choice.deployment, span.deployment), (choice.release, span.release))
    return all(not asked or asked == given for asked, given in wanted)


def _row(span: Span, judged: list[Score]) -> Collected:
    asked, answered = _turns(span.input), _turns(span.output)
    answer = "\n".join(turn.content for turn in answered)
    corrected = next((one for one in reversed(judged) if one.correction), None)
    given = corrected.correction if corrected else answer
    row_id = f"{span.trace_id}-{span.span_id}"
    meta: dict[str, Any] = {"trace_id": span.trace_id, "model": span.model, "answer": answer}
    meta |= {"release": span.release, "deployment": span.deployment, "prompt": span.prompt}
    meta["scores"] = [{"name": one.name, "number": one.number, "label": one.label} for one in judged]
    row = Row(
        id=row_id,
        messages=[*asked, Message(role="assistant", content=given)] if given else asked,
        reference=corrected.correction if corrected else None,
        group=span.session_id,
        meta={key: value for key, value in meta.items() if value},
    )
    sources: list[tuple[str, SourceKind, str]] = [(row_id, "trace", span.trace_id)]
    return row, sources + [(row_id, "feedback", one.id) for one in judged]


def _turns(value: Any) -> list[Message]:
    """Return the messages of a span's input or output, in any of the forms in which they are stored."""
    if isinstance(value, str):
        return [Message(role="user", content=value)] if value else []
    if isinstance(value, dict):
        value = value.get("messages", [value])
    turns = []
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict):
            role = one.get("role") if one.get("role") in _ROLES else "assistant"
            content = one.get("content")
            if not isinstance(content, str):
                parts = one.get("parts") or content or []
                content = "\n".join(str(part.get("content", part.get("text", ""))) for part in parts if _is_text(part))
            if content:
                turns.append(Message.model_validate({"role": role, "content": content}))
    return turns


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type", "text") in _TEXT
