"""Secrets by their published shapes: tokens with a vendor's prefix, private keys, JSON web tokens, assigned passwords.

Entropy alone is not used: on ordinary text it raises far more false alarms than it finds secrets.
"""

from __future__ import annotations

import re

from mainspring.safety.detectors import detector, word_start
from mainspring.safety.models import Hit, Rule
from mainspring.safety.pii import hold_numbers

_SHAPES = {
    "private_key": r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"[\s\S]{0,16384}?(?:-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    "aws_key": r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
    "github_token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{60,255})\b",
    "gitlab_token": r"\bglpat-[A-Za-z0-9_-]{20,64}\b",
    "slack_token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,250}\b",
    "slack_webhook": r"https://hooks\.slack\.com/services/T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{16,32}",
    "google_key": r"\bAIza[A-Za-z0-9_-]{35}\b",
    "stripe_key": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,247}\b",
    "openai_key": r"\bsk-(?:(?:proj|svcacct|admin|ant|or)-[A-Za-z0-9_-]{20,200}|[A-Za-z0-9]{32,64})\b",
    "huggingface_token": r"\bhf_[A-Za-z0-9]{30,64}\b",
    "npm_token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "pypi_token": r"\bpypi-AgE[A-Za-z0-9_-]{50,500}\b",
    "mainspring_key": r"\bms_[A-Za-z0-9-]{4,64}_[A-Za-z0-9_-]{32,128}\b",
    "jwt": r"\beyJ[A-Za-z0-9_-]{8,2048}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{10,2048}\b",
    "bearer": r"(?i:\bauthorization['\"]?\s{0,3}[:=]\s{0,3}['\"]?(?:bearer|basic|token)\s{1,3})"
    r"[A-Za-z0-9._~+/=-]{16,2048}",
}
_ANY = re.compile("|".join(f"(?P<{kind}>{shape})" for kind, shape in _SHAPES.items()))

_ASSIGNED = re.compile(
    r"(?<![A-Za-z0-9])[\w-]{0,32}(?:passwo?r?d|passwd|passphrase|pwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|token)"
    r"[\w-]{0,16}['\"]?\s{0,3}(?:=|:=|:|=>)\s{0,3}['\"]?(?P<value>[^\s'\"`,;<>(){}\[\]$]{8,256})",
    re.IGNORECASE,
)
_CONTEXT = 96
"""Characters that the name and the sign of an assignment take at most."""
_PLACEHOLDER = re.compile(
    r"x{4,}|\*{3,}|\.{3}|example|sample|changeme|change_me|placeholder|your|dummy|redacted|secret$|password$|^(?:none|null|true|false)$"
    r"|^[a-z_.]+$|^[A-Z_]+$|^[\d.]+$|::|^%|^#",
    re.IGNORECASE,
)
_HINTS = (
    "-----BEGIN", "KIA", "SIA", "ABIA", "ACCA", "gh", "glpat-", "xox", "hooks.slack", "AIza", "k_live_", "k_test_",
    "sk-", "hf_", "npm_", "pypi-", "ms_", "eyJ",
    "uthorization", "UTHORIZATION",
)  # fmt: skip
_NAMES = ("pass", "pwd", "secret", "key", "token")


@detector("secrets", hold=lambda text, start, rule: _hold(text, start))
def find_secrets(text: str, start: int, rule: Rule) -> list[Hit]:
    """API keys and tokens by vendor prefix, private keys, JSON web tokens, assigned passwords."""
    hits = []
    if any(text.find(hint, start) >= 0 for hint in _HINTS):
        for match in _ANY.finditer(text, start):
            hits.append(Hit(detector="secrets", kind=match.lastgroup or "", start=match.start(), end=match.end()))
    # The name may stand before `start`: in a stream it can have been passed on while its value was held back.
    before = max(0, start - _CONTEXT)
    lower = text[before:].lower()
    if any(name in lower for name in _NAMES):
        for match in _ASSIGNED.finditer(text, before):
            value = match.group("value")
            if (
                match.start("value") >= start
                and not _PLACEHOLDER.search(value)
                and any(map(str.isdigit, value))
                and any(map(str.isalpha, value))
            ):
                span = match.span("value")
                hits.append(Hit(detector="secrets", kind="assigned", start=span[0], end=span[1], score=0.8))
    return [hit for hit in hits if not rule.kinds or hit.kind in rule.kinds]


_OPEN = re.compile(
    r"(?:authorization|pass|pwd|secret|key|token)[^\s]{0,48}(?:\s{0,3}(?:=|:=|:|=>|bearer|basic|token)){0,3}\s{0,3}\S{0,2048}\Z",
    re.IGNORECASE,
)
_BEGIN = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,60}(?:-----)?(?![\s\S]*-----END [A-Z0-9 ]{0,60}-----)|-{1,5}(?:B|BE|BEG|BEGI|BEGIN)?\s?\Z"
)


def _hold(text: str, start: int) -> int:
    at = hold_numbers(text, start)
    # An assignment may stand before the value that is still being written; a private key stays open to its END line.
    opened = _OPEN.search(text, max(start, len(text) - 2200))
    if opened:
        at = min(at, word_start(text, start, opened.start()))
    begun = _BEGIN.search(text, start)
    return min(at, begun.start()) if begun else at
