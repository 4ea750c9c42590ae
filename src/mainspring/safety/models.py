"""What a detector finds, what a policy says, and what came of applying it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, StringConstraints

from mainspring.kernel.ports import Embed
from mainspring.kernel.records import Name, Record

Stage = Literal["input", "output"]
Action = Literal["log", "mask", "block"]
Source = Literal["user", "system", "assistant", "tool", "variables", "tools"]
"""Where a text of a request stands: a message by its role, a prompt's variables, descriptions of tools and schemas."""


def _unset(value: Any) -> bool:
    """Leave an option that is not set out of what is stored, so that it changes no policy that does without it."""
    return value in ("", [], {}, 0, False, None)


class Hit(Record):
    """One finding. It never holds the text itself, so that it can be logged."""

    detector: str
    """Name of the detector, such as `pii`."""
    kind: str
    """What was found, such as `email`; `error` where the detector itself failed, `timeout` where it took too long."""
    start: int
    """Offset of the first character, in the text that was examined."""
    end: int
    """Offset after the last character."""
    score: float = 1.0
    """Confidence from 0 to 1; 1 for a pattern with a verified checksum."""


class Topic(Record):
    """A topic, told by examples of what belongs to it."""

    name: Name
    examples: list[Annotated[str, StringConstraints(min_length=1, max_length=1000)]] = Field(
        min_length=1, max_length=50
    )


class Rule(Record):
    """One line of a guard policy: which detector, where, and what to do about a hit."""

    detector: str
    """Its name, one of `mainspring guard detectors`."""
    on: Literal["input", "output", "both"] = "both"
    """Which side of the model the rule looks at."""
    action: Action = "log"
    """`log` lets the text through, `mask` replaces what was found, `block` refuses the text."""
    threshold: float = Field(default=0.5, ge=0.0, le=1.0)
    """Hits that score less are ignored."""
    kinds: list[str] = Field(default=[], max_length=64)
    """Kinds of hit that count; empty for all."""
    terms: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(default=[], max_length=1000)
    """Words or phrases that `terms` looks for, upper and lower case alike; tokens that a prompt hides, for `canary`."""
    sources: list[Source] = Field(default=[], max_length=6, exclude_if=_unset)
    """Which texts of a request count, such as `tool` for the results of tools; empty for all."""
    pattern: str = Field(default="", max_length=1000, exclude_if=_unset)
    """What `regex` looks for, in RE2's syntax: no look-around, no back-references, and so never slow."""
    label: str = Field(default="", pattern=r"^([a-z][a-z0-9_]{0,31})?$", exclude_if=_unset)
    """What a match of `regex` is called; a mask reads `[LABEL]`."""
    json_schema: dict[str, Any] = Field(default={}, exclude_if=_unset)
    """What an answer has to be valid JSON for, for `schema`."""
    max_chars: int = Field(default=0, ge=0, le=10_000_000, exclude_if=_unset)
    """The longest text that `length` allows, in characters; 0 for any."""
    max_tokens: int = Field(default=0, ge=0, le=10_000_000, exclude_if=_unset)
    """The longest text that `length` allows, in tokens of about four bytes: an estimate, alike for every model."""
    topics: list[Topic] = Field(default=[], max_length=20, exclude_if=_unset)
    """What `topic` looks for."""
    only: bool = Field(default=False, exclude_if=_unset)
    """For `topic`: only these topics are allowed, rather than these refused."""
    restore: bool = Field(default=False, exclude_if=_unset)
    """For a mask on the input: `[EMAIL_1]` stands for a value, which is put back in the answer for the caller alone."""
    plant: bool = Field(default=False, exclude_if=_unset)
    """For `canary`: hide a new token in the system prompt of every call."""

    _embed: Callable[[], Embed] | None = PrivateAttr(default=None)
    _planted: tuple[str, ...] = PrivateAttr(default=())
    _prompt: str = PrivateAttr(default="")

    def with_embed(self, embed: Callable[[], Embed]) -> Rule:
        """Return the rule with what makes vectors of texts, for `topic`."""
        made = self.model_copy()
        made._embed = embed
        return made

    def with_secret(self, tokens: Sequence[str], prompt: str) -> Rule:
        """Return the rule with what an answer must not hold: tokens, and the text of the system prompt."""
        made = self.model_copy()
        made._planted, made._prompt = tuple(tokens), prompt
        return made


class Policy(Record):
    """A guard policy: rules, and what a caller is told when one of them blocks."""

    rules: list[Rule] = Field(default=[], max_length=32)
    message: str = Field(default="The request was refused by the guard policy.", max_length=500)
    timeout_ms: int = Field(default=0, ge=0, le=60_000, exclude_if=_unset)
    """Milliseconds that a rule may take over one text before it blocks; 0 for five seconds."""


class Timing(Record):
    """What one detector took."""

    detector: str
    ms: float
    """Milliseconds, of all its rules together."""


class GuardOutcome(Record):
    """What a policy decided about one text."""

    action: Literal["allow", "log", "mask", "block"]
    """The strongest action among the hits; `allow` where there is none."""
    hits: list[Hit] = []
    text: str = ""
    """The text to go on with: unchanged, masked, or empty where it is blocked."""
    timings: list[Timing] = []
    """What each detector took; only where a policy is tried out."""

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


class Example(Record):
    """A text, and whether a rule should find something in it."""

    text: str = Field(max_length=20_000)
    hit: bool


class Operating(Record):
    """What a rule does to labelled examples at one threshold."""

    threshold: float
    recall: float
    """Part of the texts to be found that are found."""
    recall_interval: tuple[float, float]
    """The interval of 95 %."""
    false_positives: float
    """Part of the texts to be left alone that are found."""
    false_positives_interval: tuple[float, float]


class RuleCalibration(Record):
    """How a rule's threshold trades what it finds for what it finds wrongly."""

    detector: str
    suggested: float
    """The threshold with the largest difference between recall and false positives; of such the middle one."""
    points: list[Operating]
    scores: list[float]
    """The highest score of each example, in the order given; 0 for no hit."""
