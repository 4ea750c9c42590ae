"""Datasets, their rows, profiles and recipes as records."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mainspring.kernel.records import Record

Split = Literal["", "train", "validation", "test", "holdout"]
Role = Literal["system", "developer", "user", "assistant", "tool"]


class Message(Record):
    """One message of a conversation."""

    role: Role
    content: str


class Row(Record):
    """One row of a dataset: a conversation, or a plain text."""

    id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+$")
    """Unique within a version, and kept by recipes, so that a row can be followed."""
    messages: list[Message] = Field(default=[], max_length=1000)
    """The conversation; the last message of role assistant is the answer to be learnt. Empty for a plain text."""
    text: str = ""
    """A plain text; empty for a conversation."""
    reference: Any = None
    """What a good answer is compared with: text or JSON."""
    label: str | None = Field(default=None, max_length=200)
    group: str = Field(default="", max_length=500)
    """Rows of one group never stand in two splits."""
    split: Split = ""
    meta: dict[str, Any] = {}
    """Anything else that is known, such as `license`."""

    def body(self) -> str:
        """Return all text of the row, messages separated by line breaks."""
        return "\n".join(message.content for message in self.messages) if self.messages else self.text


class DatasetVersion(Record):
    """One version of a dataset, with what it holds."""

    ref: str
    """`dataset/name@number`."""
    name: str
    number: int
    sha256: str
    rows: int
    labels: dict[str, int]
    """Rows for each label, the 100 most frequent."""
    splits: dict[str, int]
    licenses: dict[str, int]
    source: str
    """How it came about: `import`, `append`, `recipe` or `collect`."""
    note: str
    created_at: datetime
    created_by: str
    existed: bool = False
    """Whether the same content was there already, so that no new version was made."""


class DatasetDiff(Record):
    """What changed between two versions, by row id."""

    left: str
    right: str
    added: int
    removed: int
    changed: int
    same: int
    examples: dict[str, list[str]]
    """Up to 20 row ids each of `added`, `removed` and `changed`."""


class Exported(Record):
    """A file made of a dataset version."""

    file: str
    """SHA-256 of the file, to be downloaded."""
    rows: int
    bytes: int


class Distribution(Record):
    """A number that each row has, summarised."""

    mean: float
    minimum: float
    p50: float
    p95: float
    maximum: float
    histogram: list[tuple[float, int]]
    """(lower edge, rows) of 20 bins of equal width."""


class Profile(Record):
    """What a dataset version is like."""

    id: str
    dataset: str
    rows: int
    tokens: Distribution | None
    """Tokens of each row by the model's own tokenizer; null where no tokenizer was given."""
    tokenizer: str
    characters: Distribution
    words: Distribution
    exact_duplicates: int
    """Rows whose text stands earlier in the version too."""
    near_duplicates: int
    """Rows with a Jaccard similarity of word 5-grams of at least `near_threshold` to an earlier row."""
    near_threshold: float
    duplicate_examples: list[tuple[str, str, float]]
    """(row id, earlier row id, similarity)."""
    pii: dict[str, int]
    """Rows with a hit, for each kind."""
    secrets: int
    languages: dict[str, int]
    labels: dict[str, int]
    label_entropy: float
    """Entropy of the labels divided by its maximum, from 0 (one label) to 1 (balanced); 1 where there are none."""
    splits: dict[str, int]
    licenses: dict[str, int]
    empty: int
    """Rows without text."""
    created_at: datetime


class ProfileChange(Record):
    """One figure of two profiles."""

    figure: str
    left: float
    right: float
    difference: float
