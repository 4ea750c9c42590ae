"""Privacy: what leaves a span before it is written anywhere."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from mainspring.kernel.spans import Span
from mainspring.safety import Policy, Rule, apply

_MASK = Policy(rules=[Rule(detector="pii", action="mask"), Rule(detector="secrets", action="mask")])
_CONTENT = re.compile(
    r"message|prompt|completion|content|input|output|text|quer|document|argument|result|args|instruction|body"
    r"|definition|statement|question|answer|response\.object|exception\.|metadata|value|tool\.description"
    r"|explanation|rationale",
    re.I,
)
_OURS = "mainspring.guard."
"""Attributes that guards write: kinds and places of what was found, never the text."""
_PROMOTED = ("name", "status_message", "user_id", "session_id", "kind", "service", "model", "provider", "deployment",
             "release", "prompt")  # fmt: skip
"""Fields that attributes of anybody's choosing become."""
_LEAST_CARD, _MOST_CARD = 10**12, 10**19
"""Numbers with as many digits as those of cards lie between."""
_SHORT = 128
_FEW = 100
_DEEPEST = 64


def without_content(span: Span) -> Span:
    """Return the span without what people and models said: numbers, names, times and short plain attributes stay."""
    return msgspec.structs.replace(
        span,
        input=None,
        output=None,
        status_message="",
        attributes=_plain(span.attributes),
        events=[{**event, "attributes": _plain(event.get("attributes"))} for event in span.events],
        links=[{**link, "attributes": _plain(link.get("attributes"))} for link in span.links],
    )


def redacted(span: Span) -> Span:
    """Return the span with personal data and secrets masked in every text that it holds, its ids aside."""
    return msgspec.structs.replace(
        span,
        **{name: _mask(getattr(span, name)) for name in _PROMOTED},
        input=_masked(span.input, 0),
        output=_masked(span.output, 0),
        attributes=_masked(span.attributes, 0),
        events=_masked(span.events, 0),
        links=_masked(span.links, 0),
        resource=_masked(span.resource, 0),
    )


def _plain(values: Any) -> dict[str, Any]:
    """Return the attributes that say nothing of what was said."""
    return {
        key: value
        for key, value in (values or {}).items()
        if key.startswith(_OURS) or (_is_plain(value) and (not _CONTENT.search(key) or _is_number(value)))
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= _FEW and all(_is_number(item) or _is_short(item) for item in value)
    return _is_number(value) or _is_short(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _is_short(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _SHORT


def _masked(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _mask(value)
    if depth >= _DEEPEST:
        return "[too deep]"
    if isinstance(value, list):
        return [_masked(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_mask(key): _masked(item, depth + 1) for key, item in value.items()}
    if _is_number(value) and _LEAST_CARD <= value < _MOST_CARD:
        text = str(int(value))
        masked = _mask(text)
        return value if masked == text else masked
    return value


def _mask(text: str) -> str:
    if len(text) < 5:
        return text
    outcome = apply(_MASK, text, "input")
    # A detector that fails blocks, and nothing of the text is written then.
    return "[REDACTED]" if outcome.blocked else outcome.text
