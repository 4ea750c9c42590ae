"""Sends what was read through the client, and says what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mainspring.kernel.errors import Invalid, MainspringError, NoSpace, Unauthenticated, Unreachable
from mainspring.kernel.records import Record
from mainspring.prompts.models import Parameters
from mainspring.surfaces.client import Client
from mainspring.surfaces.moving import langfuse, mlflow
from mainspring.surfaces.moving.files import rows_of
from mainspring.surfaces.moving.moved import Moved, MovedPrompt, MovedScore
from mainspring.traces.models import Score

READERS: dict[str, Callable[..., Moved]] = {"langfuse": langfuse.read, "mlflow": mlflow.read}
_SPANS, _BYTES = 500, 4_000_000
_PROBLEMS = 20


class Report(Record):
    """What an import brought, and what it did not."""

    source: str
    traces: int
    spans: int
    """Sent; one that was there is replaced by itself."""
    scores: int
    """New ones."""
    scores_known: int
    prompts: dict[str, str] = {}
    """The versions of the export, and what they are here."""
    labels: list[str] = []
    """New ones; a label that is there stays where it is."""
    datasets: list[str] = []
    left_out: dict[str, int] = {}
    """What was not taken, by why."""
    problems: list[str] = []
    """What the server refused; the first 20."""
    dry_run: bool = False


def move(
    client: Client, source: str, place: Path, *, dry_run: bool = False, told: Callable[[str], None] = lambda _: None
) -> Report:
    """Bring an export in. What is there already is not added again.

    Raises Invalid, TooLarge; Unreachable, Unauthenticated or NoSpace where the server takes no more.
    """
    if source not in READERS:
        raise Invalid(f"Exports of '{source[:40]}' are not known.", hint=f"Known are {', '.join(READERS)}.")
    moved = READERS[source](rows_of(place))
    spans = sum(map(len, moved.spans.values()))
    counts = {"traces": len(moved.spans), "spans": spans, "left_out": dict(moved.left)}
    if dry_run:
        prompts = {f"{one.name} {one.version}": f"prompt/{one.name}" for one in moved.prompts}
        wanted = sorted(moved.datasets)
        return Report(source=source, scores=len(moved.scores), scores_known=0, prompts=prompts, datasets=wanted,
                      dry_run=True, **counts)  # type: ignore[arg-type]  # fmt: skip
    sender = _Sender(client)
    told(f"{len(moved.prompts)} versions of prompts")
    sender.prompts(moved.prompts)
    told(f"{len(moved.spans)} traces of {spans} spans")
    sender.spans(moved)
    told(f"{len(moved.scores)} scores")
    sender.scores(moved.scores)
    told(f"{len(moved.datasets)} datasets")
    sender.datasets(moved.datasets)
    return Report(source=source, scores=sender.new, scores_known=sender.known, prompts=sender.made,
                  labels=sender.labels, datasets=sender.sets, problems=sender.problems, **counts)  # type: ignore[arg-type]  # fmt: skip


class _Sender:
    def __init__(self, client: Client) -> None:
        self._client = client
        self.made: dict[str, str] = {}
        self.labels: list[str] = []
        self.sets: list[str] = []
        self.problems: list[str] = []
        self.new = self.known = 0

    def prompts(self, wanted: list[MovedPrompt]) -> None:
        """Commit versions in their order, then set labels that are not there."""
        numbers: dict[tuple[str, int], int] = {}
        for one in wanted:
            said: dict[str, Any] = {"text": one.text} if one.text else {"messages": list(one.messages)}
            try:
                how = Parameters.model_validate(one.parameters) if one.parameters else None
                version = self._client.prompt.commit(one.name, parameters=how, note=one.note, **said)
            except (MainspringError, ValidationError) as problem:
                self._wrong(f"prompt {one.name}, version {one.version}", problem)
                continue
            numbers[one.name, one.version] = version.number
            self.made[f"{one.name} {one.version}"] = version.ref
        for one in wanted:
            number = numbers.get((one.name, one.version))
            for label in one.labels if number else ():
                self._label(one.name, label, str(number))

    def _label(self, name: str, label: str, number: str) -> None:
        try:
            if not self._client.prompt.history(name, label=label, limit=1).items:
                self._client.prompt.label(name, label, number, note="As it was where it was imported from.")
                self.labels.append(f"{name}@{label}")
        except MainspringError as problem:
            self._wrong(f"label {label} of {name}", problem)

    def spans(self, moved: Moved) -> None:
        """Send spans as an exporter does; those of one trace go together where they fit."""
        for batch in _batches(moved.spans, self._referred):
            body = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "import"}, "spans": batch}]}]}
            try:
                reply = self._client.request("POST", "/v1/traces", json=body, timeout=None)
            except MainspringError as problem:
                self._wrong(f"{len(batch)} spans", problem)
                continue
            partial = reply.json().get("partialSuccess") or {}
            if int(partial.get("rejectedSpans") or 0):
                self._note(f"{partial['rejectedSpans']} spans: {partial.get('errorMessage', '')}")

    def _referred(self, span: dict[str, Any]) -> dict[str, Any]:
        """Let a span name the version of a prompt as it is called here."""
        for one in span["attributes"]:
            if one["key"] == "mainspring.prompt":
                name, _, version = one["value"]["stringValue"].removeprefix("prompt/").rpartition("@")
                one["value"] = {"stringValue": self.made.get(f"{name} {version}", "")}
        return span

    def scores(self, given: list[MovedScore]) -> None:
        """Store scores that are not there yet."""
        by_target: dict[tuple[str, str], list[MovedScore]] = {}
        for one in given:
            by_target.setdefault((one.trace_id, one.session_id), []).append(one)
        for (trace_id, session_id), some in by_target.items():
            try:
                held = {_said(one) for one in self._known(trace_id, session_id)}
            except MainspringError as problem:
                self._wrong(f"scores of {trace_id or session_id}", problem)
                continue
            for one in some:
                if _said(one) in held:
                    self.known += 1
                    continue
                held.add(_said(one))
                self._score(one)

    def _known(self, trace_id: str, session_id: str) -> list[Score]:
        found: list[Score] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self._client.score.list_(trace_id=trace_id or None, session_id=session_id, limit=1000, cursor=cursor)
            found, cursor = found + page.items, page.next_cursor
        return found

    def _score(self, one: MovedScore) -> None:
        try:
            self._client.score.create(
                one.name, trace_id=one.trace_id or None, span_id=one.span_id or None, session_id=one.session_id,
                number=one.number, label=one.label, comment=one.comment, correction=one.correction,
                source=one.source, at=one.at,  # type: ignore[arg-type]
            )  # fmt: skip
        except MainspringError as problem:
            self._wrong(f"score {one.name} of {one.trace_id or one.session_id}", problem)
        else:
            self.new += 1

    def datasets(self, wanted: dict[str, list[dict[str, Any]]]) -> None:
        """Import datasets; rows that are the same as those of a version are that version."""
        for name, rows in wanted.items():
            unique = list({row["id"]: row for row in rows}.values())
            lines = "\n".join(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in unique)
            try:
                version = self._client.dataset.import_(name, lines.encode(), format="jsonl")  # type: ignore[arg-type]
            except MainspringError as problem:
                self._wrong(f"dataset {name}", problem)
            else:
                self.sets.append(version.ref)

    def _wrong(self, what: str, problem: MainspringError | ValidationError) -> None:
        """Note what the server refused. Raises what would befall all that follows too."""
        if isinstance(problem, Unreachable | Unauthenticated | NoSpace):
            raise problem
        said = f"{problem.message} {problem.hint}".strip() if isinstance(problem, MainspringError) else str(problem)
        self._note(f"{what}: {said}")

    def _note(self, text: str) -> None:
        if len(self.problems) < _PROBLEMS:
            self.problems.append(text[:500])


def _said(one: Score | MovedScore) -> tuple[object, ...]:
    return one.name, one.span_id, one.number, one.label, one.comment, one.correction


def _batches(
    spans: dict[str, list[dict[str, Any]]], ready: Callable[[dict[str, Any]], dict[str, Any]]
) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for trace in spans.values():
        for span in map(ready, trace):
            weight = len(json.dumps(span))
            if batch and (len(batch) >= _SPANS or size + weight > _BYTES):
                yield batch
                batch, size = [], 0
            batch.append(span)
            size += weight
    if batch:
        yield batch
