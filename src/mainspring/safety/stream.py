"""Applying a guard policy to a text that arrives in pieces, letting nothing out that a later piece would stop."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from mainspring.safety import detectors
from mainspring.safety.bare import Bare, hides
from mainspring.safety.detectors import Leads
from mainspring.safety.guards import FAILED, Found, Meter, findings, masked, rules_for, strongest
from mainspring.safety.models import GuardOutcome, Hit, Policy, Rule, Stage
from mainspring.safety.scan import Scan

_CONTEXT = 96
"""Characters before what is held back that are read with it: the name of a secret may have been passed on."""
_STEP = 32
"""Characters that are examined at once: a look at every token would cost many times as much."""


class StreamGuard:
    """Guards one stream: feed pieces in, pass on what comes out, and `finish` at the end.

    The end of the text that could still grow into a hit is held back: the last word, groups of digits, an open private
    key; everything, where a detector that judges whole texts is to mask or block. What comes out in all equals
    `guards.apply` on the whole text. After a block nothing more comes out.

    How much is held back is bounded: 32 characters, which are examined at once, and for the rules that mask or block 66
    characters of an unbroken word (700 with a digit, an `@` or a scheme in it), 40 for `toxicity`, the longest of
    `terms`, the widest match of a bounded `regex`, an open private key of at most 16,600.
    """

    def __init__(self, policy: Policy, stage: Stage = "output", meter: Meter | None = None) -> None:
        self._rules = rules_for(policy, stage)
        self._active = [rule for rule in self._rules if rule.action != "log"]
        self._leads = _leads(self._active)
        self._examined = 0
        self._meter = meter or Meter(policy.timeout_ms)
        self._text = ""
        self._bare: Bare | None = None
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
        return GuardOutcome(action=strongest(self._found), hits=[hit for _, hit, _ in self._found])

    def feed(self, chunk: str) -> str:
        """Take the next piece and return the text that is safe to pass on, often shorter, and empty after a block."""
        if self._blocked or not chunk:
            return ""
        self._text += chunk
        if self._bare is not None:
            self._bare.add(chunk)
        elif hides(chunk):
            self._bare = Bare(self._text)
        if not self._active:
            return self._release(len(self._text), [])
        if len(self._text) - self._examined < _STEP:
            return ""
        self._examined = len(self._text)
        try:
            rules, at = self._safe()
        except Exception:  # What cannot be judged is not passed on.
            return self._fail()
        return self._advance(rules, at)

    def finish(self, *, called: bool = False) -> str:
        """Return what was held back, examined to its end; empty after a block.

        `called` says that tools were called: then an answer without a word is not one that fits no schema.
        """
        if called and not self._text:
            self._active = [rule for rule in self._active if rule.detector != "schema"]
            self._rules = [rule for rule in self._rules if rule.detector != "schema"]
        return "" if self._blocked else self._advance(self._active, len(self._text), last=True)

    @property
    def size(self) -> int:
        """How many characters the rules read at the end."""
        return len(self._text) if len(self._active) < len(self._rules) else len(self._text) - self._released

    def _safe(self) -> tuple[list[Rule], int]:
        """Return the rules that may find something, and up to where nothing that follows can change it."""
        rules, at = self._seen(self._text, self._released)
        if self._bare is not None:
            more, shown = self._seen(self._bare.text, self._bare.place(self._released))
            at = min(at, self._bare.end(shown))
            rules = [rule for rule in self._active if any(rule is one for one in (*rules, *more))]
        return rules, max(at, self._released)

    def _seen(self, text: str, released: int) -> tuple[list[Rule], int]:
        at, rules = len(text), []
        # A rule that only logs holds nothing back: its hits are taken from the whole text at the end.
        seen = self._leads(text, max(0, released - _CONTEXT)) if self._leads is not None else ()
        for number, rule in enumerate(self._active):
            found = detectors.get(rule.detector)
            calm = found.calm is not None and str(number) not in seen
            if found.calm is not None and calm:
                at = min(at, found.calm(text, released, rule))
            else:
                at = min(at, found.hold(text, released, rule))
                rules.append(rule)
        return rules, at

    def _fail(self) -> str:
        self._blocked = True
        name = next(iter(self._active)).detector if len(self._active) == 1 else "stream"
        hit = Hit(detector=name, kind="error", start=self._released, end=len(self._text))
        self._found.append(("block", hit, False))
        return ""

    def _advance(self, rules: Sequence[Rule], upto: int, *, last: bool = False) -> str:
        if self._blocked or (upto == self._released and not last):
            return ""
        found = findings(rules, self._text, self._released, self._meter, self._bare) if rules else []
        upto = _uncut(found, upto)
        # A block stops the stream as soon as its hit is certain, which it is once nothing that follows can change it.
        if any(action == "block" and (hit.end <= upto or last or hit.kind in FAILED) for action, hit, _ in found):
            self._blocked = True
            self._found += [*self._logged(), *found]
            return ""
        done = [pair for pair in found if pair[1].end <= upto]
        self._found += done
        if last:
            self._found += self._logged()
            self._blocked = any(action == "block" for action, _, _ in self._found)
            if self._blocked:
                return ""
        return self._release(upto, done)

    def _logged(self) -> list[Found]:
        logging = [rule for rule in self._rules if rule.action == "log"]
        return findings(logging, self._text, 0, self._meter, self._bare) if logging else []

    def _release(self, upto: int, found: list[Found]) -> str:
        out = masked(self._text, found, self._released, upto)
        self._released = max(upto, self._released)
        return out


def _uncut(found: list[Found], upto: int) -> int:
    """Move `upto` back until it cuts no hit in two."""
    for _, hit, _ in reversed(found):
        if hit.start < upto < hit.end:
            return _uncut(found, hit.start)
    return upto


def _leads(rules: Sequence[Rule]) -> Scan | None:
    """Return the scan for what leads to a hit of each rule, by the rule's number; None where no rule has such leads."""
    patterns = [(str(number), found(rule)) for number, rule in enumerate(rules) if (found := _led(rule)) is not None]
    return (
        _scan(tuple((name, "|".join(f"(?:{lead})" for lead in leads)) for name, leads in patterns))
        if patterns
        else None
    )


def _led(rule: Rule) -> Leads | None:
    try:
        return detectors.get(rule.detector).leads
    except KeyError:  # It fails, and closes the stream, when it is asked.
        return None


@lru_cache(maxsize=256)
def _scan(patterns: tuple[tuple[str, str], ...]) -> Scan:
    return Scan(dict(patterns))
