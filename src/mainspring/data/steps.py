"""The built-in steps of recipes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from mainspring.data import dedup, split, text
from mainspring.data.models import Row
from mainspring.data.recipe import Outcome, step
from mainspring.kernel.records import Record
from mainspring.safety import Policy, Rule, apply


class NoOptions(Record):
    """A step that takes no options."""


class Bounds(Record):
    """What a text must be like; a bound that is not given does not bind."""

    min_words: int = 0
    max_words: int = 1_000_000
    min_chars: int = 0
    max_chars: int = 100_000_000
    containing: list[str] = Field(default=[], max_length=200)
    """Words or phrases of which one must stand in it, upper and lower case alike."""
    without: list[str] = Field(default=[], max_length=200)
    """Words or phrases none of which may stand in it."""
    ends_without: list[str] = Field(default=[], max_length=50)
    """What it must not end with, such as `:` for a fragment."""


class Filter(Bounds):
    """Which rows to keep; the bounds are those of the whole text."""

    fields: dict[str, Bounds] = Field(default={}, max_length=20)
    """Bounds of single fields by path, as in `reference.summary`, `meta.title` or `answer` (the last message)."""
    labels: list[str] = Field(default=[], max_length=1000)
    """Labels to keep; empty for all."""
    languages: list[str] = Field(default=[], max_length=50)
    """Languages to keep by a simple guess, as ISO 639-1 codes; empty for all."""
    max_symbols: float = Field(default=1.0, ge=0, le=1)
    """Largest part of the characters that may be neither letters, digits nor white space."""


class Scrub(Record):
    """What to mask: each hit becomes its kind, as in `[EMAIL]`."""

    detectors: list[Literal["pii", "secrets", "toxicity"]] = ["pii", "secrets"]
    kinds: list[str] = []
    action: Literal["mask", "drop"] = "mask"


class Near(Record):
    """How similar rows are taken for the same."""

    threshold: float = Field(default=0.8, ge=0.3, le=1)
    """Jaccard similarity of word 5-grams."""


class Balance(Record):
    """How many rows to keep for each value."""

    by: str = "label"
    """`label`, or the path of a field such as `meta.kind`."""
    max: int = Field(ge=1)
    limits: dict[str, int] = Field(default={}, max_length=1000)
    """Other maxima for single values."""
    seed: int = 0


class Sample(Record):
    """How many rows to draw."""

    rows: int = Field(ge=1)
    seed: int = 0


class Split(Record):
    """Which part of the rows to test on; see `mainspring.data.split`."""

    test: float = Field(default=0.1, ge=0)
    """A fraction below 1, or a number of rows."""
    validation: float = Field(default=0.05, ge=0)
    near: float = Field(default=0.5, ge=0.3, le=1)
    """Rows at least this similar stay together."""
    by_group: bool = True
    """Whether rows of one group stay together."""
    holdout: list[str] = Field(default=[], max_length=100)
    """Labels whose rows are held out whole."""
    seed: int = 0


@step("normalise", NoOptions)
def normalise(rows: list[Row], options: NoOptions) -> Outcome:
    """Bring every text into one Unicode form, with single blanks and no control characters."""
    return _mapped(rows, text.normalise)


@step("filter", Filter)
def keep(rows: list[Row], options: Filter) -> Outcome:
    """Drop rows whose text, fields, label or language is not as asked."""
    checks = {path: _checker(path, bounds) for path, bounds in options.fields.items()}
    whole = _checker("text", options)
    dropped: dict[str, str] = {}
    for row in rows:
        body = row.body()
        reason = whole(body) if not options.labels or row.label in options.labels else "label not wanted"
        for path, check in checks.items():
            reason = reason or check(_field(row, path))
        if not reason and options.max_symbols < 1 and _symbols(body) > options.max_symbols:
            reason = "too many symbols"
        if not reason and options.languages and (found := text.language(body)) not in options.languages:
            reason = f"language {found}"
        if reason:
            dropped[row.id] = reason
    return _without(rows, dropped)


@step("scrub", Scrub)
def scrub(rows: list[Row], options: Scrub) -> Outcome:
    """Mask personal data and secrets, or drop the rows that hold them."""
    rules = [Rule(detector=name, action="mask", kinds=options.kinds) for name in options.detectors]
    policy = Policy(rules=rules)
    if options.action == "mask":
        return _mapped(rows, lambda value: apply(policy, value, "input").text)
    dropped = {}
    for row in rows:
        hits = apply(policy, row.body(), "input").hits
        if hits:
            dropped[row.id] = f"{hits[0].detector}: {hits[0].kind}"
    return _without(rows, dropped)


@step("dedup", NoOptions)
def exact_dedup(rows: list[Row], options: NoOptions) -> Outcome:
    """Drop rows with the same words as an earlier row."""
    first = dedup.exact([row.body() for row in rows])
    return _without(rows, {rows[at].id: "same words" for at, earlier in enumerate(first) if earlier != at})


@step("near_dedup", Near)
def near_dedup(rows: list[Row], options: Near) -> Outcome:
    """Drop rows that are nearly the same as an earlier row that stays."""
    pairs = dedup.near([row.body() for row in rows], options.threshold)
    dropped = {rows[at].id: "near duplicate" for at in dedup.redundant(len(rows), pairs)}
    return _without(rows, dropped).model_copy(update={"figures": {"pairs": float(len(pairs.left))}})


@step("balance", Balance)
def balance(rows: list[Row], options: Balance) -> Outcome:
    """Keep at most so many rows of each label (or other field), drawn at random by a seed."""
    seen: Counter[str] = Counter()
    kept = set()
    for row in sorted(rows, key=lambda one: _draw(options.seed, one.id)):
        value = str(_field(row, options.by))
        seen[value] += 1
        if seen[value] <= options.limits.get(value, options.max):
            kept.add(row.id)
    return _without(rows, {row.id: "over the maximum" for row in rows if row.id not in kept})


@step("sample", Sample)
def sample(rows: list[Row], options: Sample) -> Outcome:
    """Keep so many rows, drawn at random by a seed."""
    kept = {row.id for row in sorted(rows, key=lambda one: _draw(options.seed, one.id))[: options.rows]}
    return _without(rows, {row.id: "not drawn" for row in rows if row.id not in kept})


@step("split", Split)
def divide(rows: list[Row], options: Split) -> Outcome:
    """Divide the rows into train, validation, test and holdout so that nothing leaks between them."""
    pairs = dedup.near([row.body() for row in rows], options.near)
    groups = _joined(rows, dedup.clusters(len(rows), pairs), by_group=options.by_group)
    shares = {"test": options.test, "validation": options.validation}
    labels = [row.label or "" for row in rows]
    parts = split.assign(groups, labels, shares, held_out=frozenset(options.holdout), seed=options.seed)
    marked = [row.model_copy(update={"split": part}) for row, part in zip(rows, parts, strict=True)]
    figures = {part: float(count) for part, count in sorted(Counter(parts).items())}
    return Outcome(rows=marked, changed=len(rows), figures={**figures, "groups": float(len(set(groups)))})


def _joined(rows: list[Row], clusters: list[int], *, by_group: bool) -> list[str]:
    """Return a name for each row's component: rows of one cluster, or of one group, are in one component."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            parent[name] = name = parent[above]
        return name

    for row, cluster in zip(rows, clusters, strict=True):
        if by_group and row.group:
            parent[root(f"cluster {cluster}")] = root(f"group {row.group}")
    return [root(f"cluster {cluster}") for cluster in clusters]


def _mapped(rows: list[Row], change: Callable[[str], str]) -> Outcome:
    """Apply a change to every text of every row: messages, text, and texts within the reference."""

    def deep(value: Any) -> Any:
        if isinstance(value, str):
            return change(value)
        if isinstance(value, list):
            return [deep(item) for item in value]
        return {key: deep(item) for key, item in value.items()} if isinstance(value, dict) else value

    out, changed = [], 0
    for row in rows:
        messages = [one.model_copy(update={"content": change(one.content)}) for one in row.messages]
        update = {"messages": messages, "text": change(row.text), "reference": deep(row.reference)}
        new = row.model_copy(update=update)
        changed += new != row
        out.append(new)
    return Outcome(rows=out, changed=changed)


def _without(rows: list[Row], dropped: dict[str, str]) -> Outcome:
    return Outcome(rows=[row for row in rows if row.id not in dropped], dropped=dropped)


def _field(row: Row, path: str) -> Any:
    if path == "answer":
        return row.messages[-1].content if row.messages else ""
    value: Any = row.model_dump()
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _checker(name: str, bounds: Bounds) -> Callable[[Any], str]:
    containing = [phrase.lower() for phrase in bounds.containing]
    without = [phrase.lower() for phrase in bounds.without]
    ends = tuple(bounds.ends_without)

    def check(value: Any) -> str:
        body = "" if value is None else str(value)
        count = len(body.split())
        if count < bounds.min_words or len(body) < bounds.min_chars:
            return f"{name} too short"
        if count > bounds.max_words or len(body) > bounds.max_chars:
            return f"{name} too long"
        lower = body.lower()
        if containing and not any(phrase in lower for phrase in containing):
            return f"{name} lacks what it must have"
        if (ends and body.rstrip().endswith(ends)) or any(phrase in lower for phrase in without):
            return f"{name} has what it must not"
        return ""

    return check


def _symbols(body: str) -> float:
    return sum(not (letter.isalnum() or letter.isspace()) for letter in body) / max(1, len(body))


def _draw(seed: int, row_id: str) -> bytes:
    return hashlib.sha256(f"{seed}:{row_id}".encode()).digest()
