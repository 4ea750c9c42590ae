"""Capture: which spans of applications are kept, and what is taken out of them before anything is written.

Spans that the gateway and experiments record are masked alike, but never sampled: canaries, monitors and comparisons
are computed from them.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from mainspring.kernel.spans import Span
from mainspring.safety import Policy, Rule, apply
from mainspring.traces.models import CaptureRules, MaskRule, SampleRule

_REMEMBERED = 20_000
_TEXTS = ("name", "status_message", "user_id", "session_id")
_VALUES = ("input", "output")
_DEEPEST = 64

Change = Callable[[str], str | None]
"""What becomes of a text; None takes it away."""


def rate(rules: Sequence[SampleRule], span: Span) -> float:
    """Return the share of traces that are kept, by the first rule that fits a span; 1 where none does."""
    for rule in rules:
        if all(
            not wanted or fnmatchcase(given, wanted)
            for wanted, given in (
                (rule.environment, span.environment),
                (rule.service, span.service),
                (rule.kind, span.kind),
            )
        ):
            return rule.rate
    return 1.0


def place(trace_id: str) -> float:
    """Return where a trace lies from 0 to below 1, the same for all its spans in every process and at every rate.

    The last 52 bits of the id decide: W3C Trace Context level 2 asks the last 56 to be random, a float holds 53.
    """
    return int(trace_id[-13:], 16) / (1 << 52)


class Sampler:
    """Chooses spans. It remembers the last traces that an error or a slow span saved, so that what follows is kept."""

    def __init__(self) -> None:
        self._saved: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def kept(self, rules: CaptureRules, spans: Sequence[Span]) -> list[Span]:
        """Return the spans of one request that are to be kept."""
        if not rules.sample:
            return list(spans)
        saved = {span.trace_id for span in spans if _telling(rules, span)}
        with self._lock:
            for trace_id in saved:
                self._saved[spans[0].project, trace_id] = None
            while len(self._saved) > _REMEMBERED:
                self._saved.popitem(last=False)
            saved |= {span.trace_id for span in spans if (span.project, span.trace_id) in self._saved}
        return [span for span in spans if span.trace_id in saved or place(span.trace_id) < rate(rules.sample, span)]


def _telling(rules: CaptureRules, span: Span) -> bool:
    if rules.keep_errors and span.status == "error":
        return True
    return rules.keep_slower_ms is not None and (span.end_ns - span.start_ns) / 1e6 >= rules.keep_slower_ms


class Masker:
    """The mask rules of a project, made ready once."""

    def __init__(self, rules: Sequence[MaskRule], key: bytes) -> None:
        """`key` is what texts are hashed with, so that nobody finds one by trying."""
        self._rules = [(tuple(rule.fields), _change(rule, key)) for rule in rules]

    def masked(self, span: Span) -> Span:
        """Return the span as it may be written."""
        for fields, change in self._rules:
            span = _applied(span, fields, change)
        return span


def _applied(span: Span, fields: tuple[str, ...], change: Change) -> Span:
    def named(name: str) -> bool:
        return any(fnmatchcase(name, wanted) for wanted in fields)

    def within(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
        if not any(wanted.startswith((prefix, "*", "?", "[")) for wanted in fields):
            return values
        found = {}
        for key, value in values.items():
            if not named(f"{prefix}.{key}"):
                found[key] = value
            elif (changed := _changed(value, change, 0)) is not None:
                found[key] = changed
        return found

    fresh: dict[str, Any] = {name: change(getattr(span, name)) or "" for name in _TEXTS if named(name)}
    fresh |= {name: _changed(getattr(span, name), change, 0) for name in _VALUES if named(name)}
    return msgspec.structs.replace(
        span,
        attributes=within("attributes", span.attributes),
        resource=within("resource", span.resource),
        events=[{**event, "attributes": within("events", event.get("attributes") or {})} for event in span.events],
        links=[{**link, "attributes": within("links", link.get("attributes") or {})} for link in span.links],
        **fresh,
    )


def _changed(value: Any, change: Change, depth: int) -> Any:
    """Return a value with every text in it changed, and every number, which is its digits; `drop` takes all away."""
    if isinstance(value, str):
        return change(value)
    if change("") is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        changed = change(str(value))
        return value if changed == str(value) else changed
    if depth >= _DEEPEST:
        return "[too deep]"
    if isinstance(value, list):
        return [_changed(item, change, depth + 1) for item in value]
    if isinstance(value, dict):
        return {change(key) or "": _changed(item, change, depth + 1) for key, item in value.items()}
    return value


def _change(rule: MaskRule, key: bytes) -> Change:
    if rule.action == "drop":
        return lambda text: None
    if rule.action == "hash":
        return lambda text: hashed(text, key)
    policy = Policy(rules=list(_guards(rule)))

    def mask(text: str) -> str:
        if len(text) < 3:
            return text
        outcome = apply(policy, text, "input")
        # A detector that fails blocks, and nothing of the text is written then.
        return "[REDACTED]" if outcome.blocked else outcome.text

    return mask


def _guards(rule: MaskRule) -> Iterable[Rule]:
    for detector in rule.detectors:
        terms = rule.terms if detector == "terms" else []
        yield Rule(detector=detector, action="mask", kinds=rule.kinds if detector != "terms" else [], terms=terms)


def hashed(text: str, key: bytes) -> str:
    """Return what stands in the place of a text."""
    return f"hash:{hmac.new(key, text.encode(errors='replace'), hashlib.sha256).hexdigest()[:24]}" if text else ""
