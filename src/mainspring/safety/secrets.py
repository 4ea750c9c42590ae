"""Secrets by their published shapes: tokens with a vendor's prefix, private keys, JSON web tokens, assigned passwords.

Entropy alone is not used: on ordinary text it raises far more false alarms than it finds secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mainspring.safety.detectors import detector, hold_words, last_word, word_start
from mainspring.safety.models import Hit, Rule
from mainspring.safety.scan import SPACE, Scan

_SHAPES = {
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
_KEY_BEGINS, _KEY_ENDS = (
    re.compile(rf"-----{word} (?:[A-Z0-9]{{1,12}} ){{0,3}}PRIVATE KEY(?: BLOCK)?-----") for word in ("BEGIN", "END")
)
_KEY = 16_384
"""Characters of a private key at most. A pattern of all of it would look so far from each beginning that has no end."""
_COMPILED = {kind: re.compile(shape) for kind, shape in _SHAPES.items()}

_ASSIGNED = re.compile(
    r"(?:passwo?r?d|passwd|passphrase|pwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|token)"
    r"[\w-]{0,16}['\"]?\s{0,3}(?:=|:=|:|=>)\s{0,3}['\"]?(?P<value>[^\s'\"`,;<>(){}\[\]$]{8,256})",
    re.IGNORECASE,
)
_SCAN = Scan(
    {
        "private_key": r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY",
        "aws_key": r"A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}",
        "github_token": r"gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60}",
        "gitlab_token": r"glpat-[A-Za-z0-9_-]{20}",
        "slack_token": r"xox[abeoprs]-[A-Za-z0-9-]{10}",
        "slack_webhook": r"https://hooks\.slack\.com/services/T",
        "google_key": r"AIza[A-Za-z0-9_-]{35}",
        "stripe_key": r"[rs]k_(?:live|test)_[A-Za-z0-9]{16}",
        "openai_key": r"sk-(?:(?:proj|svcacct|admin|ant|or)-[A-Za-z0-9_-]{20}|[A-Za-z0-9]{32})",
        "huggingface_token": r"hf_[A-Za-z0-9]{30}",
        "npm_token": r"npm_[A-Za-z0-9]{36}",
        "pypi_token": r"pypi-AgE[A-Za-z0-9_-]{50}",
        "mainspring_key": r"ms_[A-Za-z0-9-]{4,64}_[A-Za-z0-9_-]{32}",
        "jwt": r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10}",
        "bearer": rf"(?i:authorization['\"]?{SPACE}{{0,3}}[:=]{SPACE}{{0,3}}['\"]?(?:bearer|basic|token){SPACE})",
        "assigned": r"(?i)(?:passwo?r?d|passwd|passphrase|pwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|token)"
        rf"[\pL\pN_-]{{0,16}}['\"]?{SPACE}{{0,3}}(?:=|:=|:|=>){SPACE}{{0,3}}['\"]?[^\s'\"`,;<>(){{}}\[\]$]{{8}}",
    }
)
"""What a kind cannot do without: it spares most texts most of the patterns."""
_LEADS = (
    r"-----|A(?:KIA|SIA|BIA|CCA)|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|hooks\.slack|AIza|[rs]k_(?:live|test)_|sk-"
    r"|hf_|npm_|pypi-|ms_|eyJ|(?i:pass|pwd|secret|key|token|authorization)"
)
_PREFIX = 32
"""Characters that lead to a token at most."""
_CONTEXT = 96
"""Characters that the name and the sign of an assignment take at most."""
_PLACEHOLDER = re.compile(
    r"x{4,}|\*{3,}|\.{3}|example|sample|changeme|change_me|placeholder|your|dummy|redacted|secret$|password$|^(?:none|null|true|false)$"
    r"|^[a-z_.]+$|^[A-Z_]+$|^[\d.]+$|::|^%|^#",
    re.IGNORECASE,
)


@detector(
    "secrets",
    hold=lambda text, start, rule: _hold(text, start),
    leads=lambda rule: (_LEADS,),
    calm=lambda text, start, rule: last_word(text, start, _PREFIX),
)
def find_secrets(text: str, start: int, rule: Rule) -> list[Hit]:
    """API keys and tokens by vendor prefix, private keys, JSON web tokens, assigned passwords."""
    hits = []
    # The name may stand before `start`: in a stream it can have been passed on while its value was held back.
    seen = _SCAN(text, max(0, start - _CONTEXT))
    for kind in seen:
        if kind == "assigned" or (rule.kinds and kind not in rule.kinds):
            continue
        found = _COMPILED[kind].finditer(text, start) if kind in _COMPILED else ()
        places = (match.span() for match in found) if kind in _COMPILED else _private_keys(text, start)
        hits += [Hit(detector="secrets", kind=kind, start=begins, end=ends) for begins, ends in places]
    if "assigned" in seen and (not rule.kinds or "assigned" in rule.kinds):
        hits += [
            Hit(detector="secrets", kind="assigned", start=at, end=end, score=0.8) for at, end in _assigned(text, start)
        ]
    return hits


def _private_keys(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Yield where private keys begin and end; one without an end goes on to that of the text."""
    ends = [match.span() for match in _KEY_ENDS.finditer(text, start)]
    at, place = start, 0
    for begun in _KEY_BEGINS.finditer(text, start):
        first = begun.end()
        while place < len(ends) and ends[place][0] < first:
            place += 1
        closed = ends[place][1] if place < len(ends) and ends[place][0] - first <= _KEY else 0
        if begun.start() < at or not (closed or len(text) - first <= _KEY):
            continue
        at = closed or len(text)
        yield begun.start(), at


def _assigned(text: str, start: int) -> Iterator[tuple[int, int]]:
    for match in _ASSIGNED.finditer(text, max(0, start - _CONTEXT)):
        value = match.group("value")
        if (
            match.start("value") >= start
            and not _PLACEHOLDER.search(value)
            and any(map(str.isdigit, value))
            and any(map(str.isalpha, value))
        ):
            yield match.span("value")


# Whatever follows a name without a space is told at once to be too long: it need not be parted in every way first.
_OPEN = re.compile(
    r"(?:authorization|pass|pwd|secret|key|token)(?!\S{2150})[^\s]{0,48}"
    r"(?:\s{0,3}(?:=|:=|:|=>|bearer|basic|token)){0,3}\s{0,3}\S{0,2048}+\Z",
    re.IGNORECASE,
)
_BEGUN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,60}(?:-----)?")
_ENDED = re.compile(r"-----END [A-Z0-9 ]{0,60}-----")
_END = "-----END "
_BEGINS = re.compile(r"-{1,5}(?:B|BE|BEG|BEGI|BEGIN)?\s?\Z")
_BEGINNING = 12
"""Characters of what may become the beginning of a key."""


_LONGEST = 16_600
"""Characters of the longest hit: a private key."""
_NAMES = ("pass", "pwd", "secret", "key", "token", "authorization")
_CHUNKS = 8
"""Words that an assignment can have, from its name to its value."""


def _hold(text: str, start: int) -> int:
    at, size = len(text), len(text)
    while at > start and "!" <= text[at - 1] <= "~":
        at -= 1
    # An assignment may stand before the value that is still being written; a private key stays open to its END line.
    open_at = hold_words(text, max(start, size - 2200), _CHUNKS)
    tail = text[open_at:].lower()
    if any(name in tail for name in _NAMES):
        opened = _OPEN.search(text, open_at)
        if opened:
            at = min(at, word_start(text, start, opened.start()))
    if text.find("-", start) >= 0:
        at = min(at, _open_key(text, start))
    return max(at, start, size - _LONGEST)


def _open_key(text: str, start: int) -> int:
    """Return where a private key begins that has no end yet, or the end of the text."""
    last = text.rfind(_END, start)
    while last >= 0 and _ENDED.match(text, last) is None:
        last = text.rfind(_END, start, last + len(_END) - 1)
    begun = _BEGUN.search(text, start)
    while begun is not None and begun.end() <= last:
        begun = _BEGUN.search(text, begun.start() + 1)
    begun = begun or _BEGINS.search(text, max(start, len(text) - _BEGINNING))
    return begun.start() if begun else len(text)
