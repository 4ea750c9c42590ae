"""Applying a guard policy to a whole text. Pure, fast, and closed on failure: a detector that fails blocks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from mainspring.safety import canary, detectors, injection, invisible, pii, regexes, secrets, shape, topic, toxicity
from mainspring.safety.bare import Bare, hides
from mainspring.safety.models import Action, GuardOutcome, Hit, Policy, Rule, Source, Stage, Timing
from mainspring.safety.policies import check
from mainspring.safety.vault import Vault

__all__ = ["Meter", "apply", "check", "findings", "masked", "rules_for", "strongest"]

BUILT_IN = (pii, secrets, injection, toxicity, regexes, topic, shape, invisible, canary)
"""Importing these modules registers their detectors."""
FAILED = ("error", "timeout")
"""Kinds of hit that tell that a detector failed: they block, whatever the rule says."""
_PATIENCE_NS = 5_000_000_000
_STRENGTH = {"allow": 0, "log": 1, "mask": 2, "block": 3}
Found = tuple[Action, Hit, bool]
"""What to do, about what, and whether a value that is masked is to be put back in the answer."""


class Meter:
    """Counts what each detector takes, and bounds it."""

    def __init__(self, timeout_ms: int = 0) -> None:
        """`timeout_ms` is what a detector may take over one text, 0 for five seconds."""
        self.limit_ns = timeout_ms * 1_000_000 or _PATIENCE_NS
        self.ns: dict[str, int] = defaultdict(int)

    @property
    def timings(self) -> list[Timing]:
        """Return what each detector took so far."""
        return [Timing(detector=name, ms=round(ns / 1e6, 4)) for name, ns in self.ns.items()]


def apply(
    policy: Policy,
    text: str,
    stage: Stage,
    *,
    source: Source | None = None,
    meter: Meter | None = None,
    vault: Vault | None = None,
) -> GuardOutcome:
    """Apply the policy's rules for `stage` to a whole text.

    Returns the strongest action with every hit (offsets into `text`), and the text to go on with. A detector that
    raises, or takes longer than it may, counts as a hit of kind `error` or `timeout` and blocks, whatever its rule
    says. With a `vault` the rules that say so leave placeholders whose values it keeps.
    """
    meter = meter or Meter(policy.timeout_ms)
    found = findings(rules_for(policy, stage, source), text, 0, meter)
    if not found:
        return GuardOutcome(action="allow", text=text)
    action = strongest(found)
    hits = [hit for _, hit, _ in found]
    if action == "block":
        return GuardOutcome(action=action, hits=hits, text="")
    return GuardOutcome(action=action, hits=hits, text=masked(text, found, 0, len(text), vault))


def rules_for(policy: Policy, stage: Stage, source: Source | None = None) -> list[Rule]:
    """Return the rules that look at this side of the model, and at texts from `source` where one is named."""
    return [
        rule
        for rule in policy.rules
        if rule.on in (stage, "both") and (source is None or not rule.sources or source in rule.sources)
    ]


def findings(
    rules: Sequence[Rule], text: str, start: int, meter: Meter | None = None, bare: Bare | None = None
) -> list[Found]:
    """Return (action, hit, restore) of every rule at or after `start`, in order of position.

    What characters that show nothing cut in two is found too; `bare` is the text without them, where it is there.
    """
    meter = meter or Meter()
    if bare is None and hides(text):
        bare = Bare(text)
    found: list[Found] = []
    for rule in rules:
        began, failed = time.perf_counter_ns(), ""
        try:
            hits = _found(rule, text, start, bare)
        except Exception:  # A guard that fails must not let anything through, whatever made it fail.
            hits, failed = [], "error"
        took = time.perf_counter_ns() - began
        meter.ns[rule.detector] += took
        if failed or took > meter.limit_ns:
            failure = Hit(detector=rule.detector, kind=failed or "timeout", start=start, end=len(text))
            found.append(("block", failure, False))
            continue
        found.extend((rule.action, hit, rule.restore) for hit in hits if hit.score >= rule.threshold)
    return sorted(found, key=_position) if len(found) > 1 else found


def _found(rule: Rule, text: str, start: int, bare: Bare | None) -> list[Hit]:
    find = detectors.get(rule.detector).find
    hits = find(text, start, rule)
    if bare is None or not detectors.sees_bare(rule.detector):
        return hits
    shown = bare.moved(find(bare.text, bare.place(start), rule))
    return shown + [hit for hit in hits if not any(_covers(other, hit) for other in shown)]


def _covers(other: Hit, hit: Hit) -> bool:
    return other.kind == hit.kind and other.start <= hit.start and hit.end <= other.end


def _position(found: Found) -> tuple[int, int, int]:
    hit = found[1]
    return (hit.start, hit.end, -_STRENGTH[found[0]])


def strongest(found: Iterable[Found]) -> Action:
    """Return the strongest action among at least one finding."""
    return max((action for action, _, _ in found), key=_STRENGTH.__getitem__)


def masked(text: str, found: Sequence[Found], start: int, end: int, vault: Vault | None = None) -> str:
    """Return `text[start:end]` with everything to be masked replaced by its kind, as in `[EMAIL]`.

    What shows nothing is left out; with a vault, what is to be restored becomes a placeholder such as `[EMAIL_1]`.
    """
    pieces: list[str] = []
    at = start
    for action, hit, restore in found:
        if action != "mask" or hit.end <= at:
            continue
        if hit.start >= at:
            pieces.append(text[at : hit.start])
            if restore and vault is not None:
                pieces.append(vault.place(hit.kind, text[hit.start : hit.end], text))
            elif hit.detector != "invisible":
                pieces.append(f"[{hit.kind.upper()}]")
        at = hit.end
    pieces.append(text[at:end])
    return "".join(pieces)
