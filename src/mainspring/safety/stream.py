"""Applying a guard policy to a text that arrives in pieces, letting nothing out that a later piece would stop."""

from __future__ import annotations

from mainspring.safety import detectors
from mainspring.safety.guards import Found, findings, masked, rules_for, strongest
from mainspring.safety.models import GuardOutcome, Hit, Policy, Stage


class StreamGuard:
    """Guards one stream: feed pieces in, pass on what comes out, and `finish` at the end.

    The end of the text that could still grow into a hit is held back: the last word, groups of digits, an open private
    key; everything, where a detector that judges whole texts is to mask or block. What comes out in all equals
    `guards.apply` on the whole text. After a block nothing more comes out.
    """

    def __init__(self, policy: Policy, stage: Stage = "output") -> None:
        self._rules = rules_for(policy, stage)
        self._text = ""
        self._released = 0
        self._found: list[Found] = []
        self._blocked = False

    @property
    def blocked(self) -> bool:
        """Tell whether a rule has blocked: stop generating, and send the caller the policy's message."""
        return self._blocked

    @property
    def outcome(self) -> GuardOutcome:
        """Return the strongest action and every hit so far; `text` is left empty, for it has been passed on."""
        if not self._found:
            return GuardOutcome(action="allow")
        return GuardOutcome(action=strongest(self._found), hits=[hit for _, hit in self._found])

    def feed(self, chunk: str) -> str:
        """Take the next piece and return the text that is safe to pass on, often shorter, and empty after a block."""
        if self._blocked or not chunk:
            return ""
        self._text += chunk
        if not self._rules:
            return self._release(len(self._text), [])
        return self._advance(self._safe())

    def finish(self) -> str:
        """Return what was held back, examined to its end; empty after a block."""
        return "" if self._blocked else self._advance(len(self._text), last=True)

    def _safe(self) -> int:
        at = len(self._text)
        for rule in self._rules:
            try:
                # A rule that only logs holds nothing back: its hits are taken from the whole text at the end.
                if rule.action != "log":
                    at = min(at, detectors.get(rule.detector).hold(self._text, self._released, rule))
            except Exception:  # What cannot be judged is not passed on.
                return self._fail(rule.detector)
        return max(at, self._released)

    def _fail(self, name: str) -> int:
        self._blocked = True
        self._found.append(("block", Hit(detector=name, kind="error", start=self._released, end=len(self._text))))
        return self._released

    def _advance(self, upto: int, *, last: bool = False) -> str:
        if self._blocked or (upto == self._released and not last):
            return ""
        active = [rule for rule in self._rules if rule.action != "log"]
        found = findings(active, self._text, self._released)
        upto = _uncut(found, upto)
        # A block stops the stream as soon as its hit is certain, which it is once nothing that follows can change it.
        if any(action == "block" and (hit.end <= upto or last or hit.kind == "error") for action, hit in found):
            self._blocked = True
            self._found += [*self._logged(), *found]
            return ""
        done = [pair for pair in found if pair[1].end <= upto]
        self._found += done
        if last:
            self._found += self._logged()
            self._blocked = any(action == "block" for action, _ in self._found)
            if self._blocked:
                return ""
        return self._release(upto, done)

    def _logged(self) -> list[Found]:
        return findings([rule for rule in self._rules if rule.action == "log"], self._text, 0)

    def _release(self, upto: int, found: list[Found]) -> str:
        out = masked(self._text, found, self._released, upto)
        self._released = max(upto, self._released)
        return out


def _uncut(found: list[Found], upto: int) -> int:
    """Move `upto` back until it cuts no hit in two."""
    for _, hit in reversed(found):
        if hit.start < upto < hit.end:
            return _uncut(found, hit.start)
    return upto
