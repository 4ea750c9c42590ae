"""Applying a guard policy to a whole text. Pure, fast, and closed on failure: a detector that fails blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mainspring.kernel.errors import Invalid
from mainspring.safety import detectors, injection, pii, secrets, toxicity
from mainspring.safety.models import Action, GuardOutcome, Hit, Policy, Rule, Stage

BUILT_IN = (pii, secrets, injection, toxicity)
"""Importing these modules registers their detectors."""

_STRENGTH = {"allow": 0, "log": 1, "mask": 2, "block": 3}
Found = tuple[Action, Hit]


def check(policy: Policy) -> None:
    """Refuse a policy that names a detector that is not there, or a `terms` rule without terms. Raises Invalid."""
    for number, rule in enumerate(policy.rules, start=1):
        if rule.detector not in detectors.names():
            raise Invalid(
                f"rule {number} names the detector {rule.detector!r}, which does not exist",
                hint=f"Detectors: {', '.join(detectors.names())}.",
            )
        if (rule.detector == "terms") != bool(rule.terms):
            raise Invalid(f"rule {number}: `terms` belongs to the detector `terms`, which needs at least one")


def apply(policy: Policy, text: str, stage: Stage) -> GuardOutcome:
    """Apply the policy's rules for `stage` to a whole text.

    Returns the strongest action with every hit (offsets into `text`), and the text to go on with. A detector that
    raises counts as a hit of kind `error` and blocks, whatever its rule says.
    """
    found = findings(rules_for(policy, stage), text, 0)
    if not found:
        return GuardOutcome(action="allow", text=text)
    action = strongest(found)
    hits = [hit for _, hit in found]
    if action == "block":
        return GuardOutcome(action=action, hits=hits, text="")
    return GuardOutcome(action=action, hits=hits, text=masked(text, found, 0, len(text)))


def rules_for(policy: Policy, stage: Stage) -> list[Rule]:
    """Return the rules that look at this side of the model."""
    return [rule for rule in policy.rules if rule.on in (stage, "both")]


def findings(rules: Sequence[Rule], text: str, start: int) -> list[Found]:
    """Return (action, hit) of every rule at or after `start`, in order of position."""
    found: list[Found] = []
    for rule in rules:
        try:
            hits = detectors.get(rule.detector).find(text, start, rule)
        except Exception:  # A guard that fails must not let anything through, whatever made it fail.
            found.append(("block", Hit(detector=rule.detector, kind="error", start=start, end=len(text))))
            continue
        found.extend((rule.action, hit) for hit in hits if hit.score >= rule.threshold)
    return sorted(found, key=lambda pair: (pair[1].start, pair[1].end))


def strongest(found: Iterable[Found]) -> Action:
    """Return the strongest action among at least one finding."""
    return max((action for action, _ in found), key=_STRENGTH.__getitem__)


def masked(text: str, found: Sequence[Found], start: int, end: int) -> str:
    """Return `text[start:end]` with everything to be masked replaced by its kind, as in `[EMAIL]`."""
    pieces: list[str] = []
    at = start
    for action, hit in found:
        if action != "mask" or hit.end <= at:
            continue
        if hit.start >= at:
            pieces += (text[at : hit.start], f"[{hit.kind.upper()}]")
        at = hit.end
    pieces.append(text[at:end])
    return "".join(pieces)
