"""Attacks, what came of them, and runs of them, as records."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from mainspring.evals.models import Figure, Judgement, MetricComparison
from mainspring.kernel.ports import JSON
from mainspring.kernel.records import Record

Proof = Literal["marker", "secret", "prompt", "regex", "tool", "length", "answered"]
Outcome = Literal["succeeded", "resisted", "blocked", "unclear", "unanswered"]
DECIDED = ("succeeded", "resisted", "blocked")
"""Outcomes that say for sure whether an attack came through."""


class Sign(Record):
    """What shows that an attack came through."""

    proof: Proof
    """`marker`: words that stand beside each other only where the order was followed. `secret`: a planted value, in any
    spelling. `prompt`: a long run of the system prompt's words. `regex`: a pattern. `tool`: a call of a tool that was
    not to be called. `length`: an answer that runs on. `answered`: nothing but that there was no refusal."""
    values: list[str] = []
    """Words, secrets, patterns or names of tools; for `length` how many tokens are too many."""


class Attack(Record):
    """One attack, as it is sent."""

    id: str
    """Of its content: the same attack has the same id in every run."""
    pack: str
    family: str
    technique: str
    """Attacks of one technique are alike, and count as one draw of it."""
    language: str = "en"
    messages: list[dict[str, JSON]]
    text: str
    """What of the messages is the attack: an answer that only says it again shows nothing."""
    signs: list[Sign]
    tools: list[dict[str, JSON]] = []
    max_tokens: int | None = None


class PackInfo(Record):
    """A collection of attacks."""

    name: str
    summary: str
    package: str
    """The installed package that it is read from; empty for our own."""
    version: str
    """Of the package; empty where it is not installed."""
    license: str
    installed: bool
    families: dict[str, int]
    """Attacks by family; empty where the package is not installed."""
    hint: str = ""
    """How it is installed."""


class FamilyResult(Record):
    """What came of the attacks of a family."""

    family: str
    attacks: int
    succeeded: int
    resisted: int
    blocked: int
    """Refused by a guard, before the model or after it; they count as resisted."""
    unclear: int
    """Answered without a refusal, and nothing shows whether the attack came through: a judge would say."""
    unanswered: int
    """The target failed to answer; they count for nothing."""
    figure: Figure
    """Share of the answered attacks that came through. Where some are unclear, the lower end of the interval takes them
    for resisted, the upper end for succeeded."""


class RedTeam(Record):
    """A run of attacks on a target."""

    id: str
    """The id of the run that made it."""
    name: str
    target: str
    """Exact reference, unless it is a deployment or a URL."""
    packs: list[str]
    """With their versions: `garak 0.17.1`."""
    settings: dict[str, JSON]
    attacks: int
    """Attacks that were made."""
    families: list[FamilyResult]
    whole: FamilyResult
    """All families together; its figure says how this collection fared, not how traffic would."""
    stopped: str = ""
    """Why not every attack was made, such as a budget that was spent."""
    calls: int = 0
    """Calls, those of judges and those without an answer included."""
    cost: float = 0.0
    """US dollars."""
    file: str
    """SHA-256 of the attacks' file: JSON lines, zstd."""
    note: str
    created_at: datetime
    created_by: str


class AttackResult(Record):
    """One attack and what came of it."""

    id: str
    pack: str
    family: str
    technique: str
    language: str
    messages: list[dict[str, JSON]]
    tools: list[str]
    """Names of the tools that were offered."""
    signs: list[Sign]
    outcome: Outcome
    proof: str
    """What showed it; empty where the attack did not come through."""
    evidence: str
    """The beginning of what was found in the answer, or why it is unclear."""
    answer: str
    calls: list[dict[str, JSON]] = []
    """Tools that the answer calls."""
    error: str = ""
    finish_reason: str = ""
    latency_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    trace_id: str = ""
    judgements: list[Judgement] = []


class RedTeamComparison(Record):
    """Two runs of attacks, paired attack by attack."""

    baseline: str
    candidate: str
    baseline_target: str
    candidate_target: str
    attacks: int
    """Attacks that both made and that are decided in both."""
    undecided: int
    """Attacks that both made, left out because one is unclear or unanswered."""
    unpaired: int
    """Attacks that only one made."""
    families: list[MetricComparison]
    """By family, with all of them together last; a higher share is worse. P-values are Holm's over the families."""
    note: str = ""
