"""Scorers of one's own: model judges and pieces of Python, as versions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from mainspring.evals.models import Figure, Judgement, MetricComparison
from mainspring.evals.scorers import limited
from mainspring.evals.scorers.code import Code
from mainspring.evals.scorers.judges import Judge, pin
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.records import Record
from mainspring.kernel.tx import Tx
from mainspring.kernel.versions import Version

Kind = Literal["judge", "code"]
Contexts = Annotated[list[Annotated[str, Field(max_length=100_000)]], Field(max_length=100)]


class ScorerVersion(Record):
    """One version of a scorer of one's own."""

    ref: str
    """`judge/name@number` or `code/name@number`."""
    metric: str
    """How an experiment names it: `judge:name@number`."""
    kind: Kind
    name: str
    number: int
    judge: Judge | None = None
    """What it is, where a model judges."""
    code: Code | None = None
    """What it is, where a piece of Python does."""
    note: str
    created_at: datetime
    created_by: str
    existed: bool = False
    """Whether the same content was there already, so that no new version was made."""


class Tried(Record):
    """What a metric gives for one answer."""

    metric: str
    value: float | None
    """Null where it does not apply; `note` says why."""
    note: str = ""
    judgements: list[Judgement] = []
    """What a judge said, each time."""


class HumanColumn(Record):
    """What people gave the answers of an experiment."""

    experiment: str
    name: str
    values: dict[str, float]
    """By row id: at most 1,000 of them."""
    figure: Figure
    comparison: MetricComparison | None = None
    """With a baseline: over the rows that people judged in both."""


def judge_of(**fields: Any) -> Judge:
    """Make a judge. Raises Invalid, saying what is wrong."""
    try:
        return Judge.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"The judge is not valid: {place} {first['msg']}".replace("  ", " ")) from None


def commit_judge(tx: Tx, name: str, judge: Judge, note: str) -> ScorerVersion:
    """Store a judge with its model made exact. Raises Invalid, NotFound."""
    return shown(versions.commit(tx, "judge", name, pin(tx, judge).model_dump(), note=note))


def commit_code(tx: Tx, name: str, code: Code, note: str) -> ScorerVersion:
    """Store a piece of Python that compiles and defines `score`. Raises Invalid."""
    limited.check(code.source)
    return shown(versions.commit(tx, "code", name, code.model_dump(), note=note))


def shown(version: Version) -> ScorerVersion:
    """Make the record of a version."""
    kind: Kind = "judge" if version.kind == "judge" else "code"
    return ScorerVersion(
        ref=version.ref,
        metric=f"{kind}:{version.name}@{version.number}",
        kind=kind,
        name=version.name,
        number=version.number,
        judge=Judge.model_validate(version.content) if kind == "judge" else None,
        code=Code.model_validate(version.content) if kind == "code" else None,
        note=version.note,
        created_at=version.created_at,
        created_by=version.created_by,
        existed=version.existed,
    )
