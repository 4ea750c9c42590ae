"""Personal data by pattern and checksum: e-mail, phone, card, IBAN, IP address, social security number, credentials.

Names of people are not found: that takes a language model, and its false alarms cost more than it finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from mainspring.safety.detectors import detector, last_word, word_start
from mainspring.safety.models import Hit, Rule
from mainspring.safety.scan import Scan

KINDS = ("email", "phone", "card", "iban", "ip", "ssn", "url_credentials")

_LOCAL = re.compile(r"(?<![\w.%+-])[\w%+-](?:[\w.%+-]{0,62}[\w%+-])?\Z")
_DOMAIN = re.compile(r"@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_URL = re.compile(r"(?i)\b[a-z][a-z0-9+.-]{1,15}://[^\s/@:\"'<>]{1,128}:[^\s/@\"'<>]{1,256}@[^\s/\"'<>]{1,253}")
# These begin with what their first character may be, and look behind it afterwards: so the search skips ahead.
_NUMBER = re.compile(r"[+(\d](?<![\w.,/+-][+(\d])(?:(?<=\d)|\d)[\d() .-]{5,}\d(?![\w/]|[.,-]\d)")
_IBAN = re.compile(r"[A-Z](?<!\w[A-Z])[A-Z]\d{2}(?=[ -]?[A-Z0-9])")
_IPV4 = re.compile(r"\d(?<![\w.]\d)\d{0,2}\.(?:\d{1,3}\.){2}\d{1,3}(?!\.?\w)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_H = "[0-9A-Fa-f]{1,4}"
_SCAN = Scan(
    {
        "email": r"@[\pL\pN_-]{1,63}\.[\pL\pN_-]",
        "url": r"[A-Za-z0-9+.-]://[^\s/@:\"'<>]{1,128}:[^\s/@\"'<>]{1,256}@",
        "iban": r"[A-Z]{2}\p{Nd}{2}[ -]?[A-Z0-9]{1,4}[ -]?[A-Z0-9]",
        "number": r"\+\p{Nd}(?:[() .-]*\p{Nd}){7}|\p{Nd}(?:[() .-]*\p{Nd}){8}",
        "ipv4": r"\p{Nd}\.\p{Nd}{1,3}\.\p{Nd}{1,3}\.\p{Nd}",
        "ipv6": f"(?:{_H}:){{7}}{_H}|::{_H}:{_H}|{_H}:{_H}::|{_H}::{_H}:{_H}",
    }
)
"""What a kind cannot do without: it spares most texts most of the patterns."""
_VERSION = re.compile(r"(?:version|release|v)\s*[:=]?\s*$", re.IGNORECASE)

_IBAN_LENGTH = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24,
    "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24,
    "XK": 20,
}  # fmt: skip
"""Length of an IBAN by country (ISO 13616 registry)."""

_NANP = re.compile(r"(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{4}")
_NATIONAL = re.compile(r"\(?0\d{1,4}\)?(?:[ .-]\d{2,8}){1,4}")
_SSN = re.compile(r"(?!000|666|9)\d{3}([ -])(?!00)\d\d\1(?!0000)\d{4}")
_CARD = re.compile(r"\d{4}(?:([ -]?)\d{4}(?:\1\d{4}){2}(?:\1\d{1,3})?|([ -]?)\d{6}\2\d{4,5})|\d{13,19}")

_ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|35)\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|3[47]\d{13}|3[068]\d{12}|6(?:011|2|4[4-9]|5)\d{12,17}"
)
"""Leading digits and lengths of the large card issuers (ISO/IEC 7812-1)."""
_INSIDE = re.compile(
    r"(?<![\w.-])(?:\d{3}-\d\d-\d{4}|\d{3} \d\d \d{4}|\+\d[\d-]{7,18}|(?:\d{4}[ -]){3}\d{4}|\d{13,19}|"
    + _NANP.pattern
    + r")(?![\w-])"
)


@detector(
    "pii",
    hold=lambda text, start, rule: hold_numbers(text, start),
    leads=lambda rule: (r"[@\p{Nd}]|://",),
    calm=lambda text, start, rule: last_word(text, start, _LOCAL_PART),
)
def find_pii(text: str, start: int, rule: Rule) -> list[Hit]:
    """E-mail, phone, card, IBAN, IP address, social security number, URL with credentials."""
    hits = list(_found(text, start))
    return [hit for hit in hits if not rule.kinds or hit.kind in rule.kinds]


def luhn(digits: str) -> bool:
    """Check the Luhn digit (ISO/IEC 7812-1, annex B) of a string of digits."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban_valid(compact: str) -> bool:
    """Check length by country and the mod-97 digits (ISO 7064, MOD 97-10) of an IBAN without blanks."""
    if len(compact) != _IBAN_LENGTH.get(compact[:2], 0):
        return False
    moved = compact[4:] + compact[:4]
    if not (moved.isascii() and moved.isalnum()):
        return False
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


def _found(text: str, start: int) -> Iterator[Hit]:
    seen = _SCAN(text, start)
    if "email" in seen:
        yield from _emails(text, start)
    if "url" in seen:
        for match in _URL.finditer(text, start):
            yield _hit("url_credentials", match.start(), match.end())
    if "iban" in seen:
        for match in _IBAN.finditer(text, start):
            end = _iban_end(text, match.start())
            if end:
                yield _hit("iban", match.start(), end)
    if "number" in seen:
        for match in _NUMBER.finditer(text, start):
            yield from _numbers(text, match.start(), match.end())
    if "ipv4" in seen:
        for match in _IPV4.finditer(text, start):
            if _ipv4_personal(match.group()) and not _VERSION.search(text, max(0, match.start() - 12), match.start()):
                yield _hit("ip", match.start(), match.end())
    if "ipv6" in seen:
        for match in _IPV6.finditer(text, start):
            if _ipv6_personal(match.group()):
                yield _hit("ip", match.start(), match.end())


def _emails(text: str, start: int) -> Iterator[Hit]:
    done, at = start, text.find("@", start)
    while at >= 0:
        local = _LOCAL.search(text, max(done, at - 64), at)
        domain = _DOMAIN.match(text, at) if local else None
        if local and domain:
            yield _hit("email", local.start(), domain.end())
            done = domain.end()
        at = text.find("@", max(at + 1, done))


def _hit(kind: str, start: int, end: int) -> Hit:
    return Hit(detector="pii", kind=kind, start=start, end=end)


def _iban_end(text: str, start: int) -> int:
    # Text in capitals may follow ("… 3000 EUR"), so the country's length decides where an IBAN ends.
    want, seen, at = _IBAN_LENGTH.get(text[start : start + 2], 0), 0, start
    while seen < want and at < len(text):
        if text[at].isalnum():
            seen += 1
        elif text[at] not in " -" or text[at - 1] in " -":
            return 0
        at += 1
    compact = text[start:at].replace(" ", "").replace("-", "")
    return at if want and iban_valid(compact) and not text[at : at + 1].isalnum() else 0


def _numbers(text: str, start: int, end: int) -> Iterator[Hit]:
    kind = _classify(text[start:end])
    if kind:
        yield _hit(kind, start, end)
        return
    # Two numbers side by side read as one candidate: look for the shapes inside it.
    for match in _INSIDE.finditer(text, start, end):
        kind = _classify(match.group())
        if kind:
            yield _hit(kind, match.start(), match.end())


def _classify(candidate: str) -> str:
    digits = "".join(letter for letter in candidate if letter.isdigit())
    if candidate[0] == "+":
        return "phone" if 8 <= len(digits) <= 15 else ""
    if _CARD.fullmatch(candidate):
        return "card" if _ISSUED.fullmatch(digits) and luhn(digits) else ""
    if _SSN.fullmatch(candidate):
        return "ssn"
    if _NANP.fullmatch(candidate):
        return "phone"
    return "phone" if 10 <= len(digits) <= 12 and _NATIONAL.fullmatch(candidate) else ""


def _ipv4_personal(candidate: str) -> bool:
    try:
        address = IPv4Address(candidate)
    except AddressValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast or candidate.startswith("255."))


def _ipv6_personal(candidate: str) -> bool:
    if not any(letter.isdigit() for letter in candidate) or sum(map(bool, candidate.split(":"))) < 3:
        return False
    try:
        return not IPv6Address(candidate).is_loopback
    except AddressValueError:
        return False


_PART = re.compile(r"[\d()+.-]+|[A-Z]{2}\d{2}[A-Z0-9-]*|[A-Z0-9]{1,4}")
"""A word that can stand in the middle of a number or of an IBAN written in groups."""


_LOCAL_PART = 66
_LONGEST = 700
"""Characters of the longest hit: a URL with credentials."""
_LEADS = re.compile(r"@|://|\d")


def hold_numbers(text: str, start: int) -> int:
    """Return where the last word begins, or the groups of digits and capitals that lead up to it.

    Of a word without end it is only what may still be a part of a hit: 66 characters, or 700 where there is a digit, an
    `@` or a scheme among the last ones.
    """
    at = word_start(text, max(start, len(text) - _LONGEST), len(text))
    if len(text) - at > _LOCAL_PART and not _LEADS.search(text, at):
        return len(text) - _LOCAL_PART
    while at > start:
        end = at
        while end > start and text[end - 1].isspace():
            end -= 1
        before = word_start(text, max(start, at - _LONGEST), end)
        if before == end or not _PART.fullmatch(text, before, end):
            break
        at = before
    return max(at, start, len(text) - _LONGEST)
