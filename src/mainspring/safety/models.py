"""What a detector finds, what a policy says, and what came of applying it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mainspring.kernel.records import Record

Stage = Literal["input", "output"]
Action = Literal["log", "mask", "block"]


class Hit(Record):
    """One finding. It never holds the text itself, so that it can be logged."""

    detector: str
    """Name of the detector, such as `pii`."""
    kind: str
    """What was found, such as `email`; `error` where the detector itself failed."""
    start: int
    """Offset of the first character, in the text that was examined."""
    end: int
    """Offset after the last character."""
    score: float = 1.0
    """Confidence from 0 to 1; 1 for a pattern with a verified checksum."""


class Rule(Record):
    """One line of a guard policy: which detector, where, and what to do about a hit."""

    detector: str
    """`pii`, `secrets`, `injection`, `toxicity` or `terms`."""
    on: Literal["input", "output", "both"] = "both"
    """Which side of the model the rule looks at."""
    action: Action = "log"
    """`log` lets the text through, `mask` replaces what was found, `block` refuses the text."""
    threshold: float = Field(default=0.5, ge=0.0, le=1.0)
    """Hits that score less are ignored."""
    kinds: list[str] = Field(default=[], max_length=64)
    """Kinds of hit that count; empty for all."""
    terms: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(default=[], max_length=1000)
    """Words or phrases that the `terms` detector looks for, upper and lower case alike."""


class Policy(Record):
    """A guard policy: rules, and what a caller is told when one of them blocks."""

    rules: list[Rule] = Field(default=[], max_length=32)
    message: str = Field(default="The request was refused by the guard policy.", max_length=500)


class GuardOutcome(Record):
    """What a policy decided about one text."""

    action: Literal["allow", "log", "mask", "block"]
    """The strongest action among the hits; `allow` where there is none."""
    hits: list[Hit] = []
    text: str = ""
    """The text to go on with: unchanged, masked, or empty where it is blocked."""

    @property
    def blocked(self) -> bool:
        """Tell whether the text was refused."""
        return self.action == "block"


class GuardVersion(Record):
    """One version of a named guard policy."""

    ref: str
    """`guard/name@number`."""
    name: str
    number: int
    policy: Policy
    note: str
    created_at: datetime
    created_by: str
    existed: bool = False
    """Whether the same policy was there already, so that no new version was made."""


class DetectorInfo(Record):
    """A detector that a rule may name."""

    name: str
    summary: str
