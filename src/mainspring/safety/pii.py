"""Personal data by pattern and checksum: e-mail, phone, card, IBAN, IP address, social security number, credentials.

Names of people are not found: that takes a language model, and its false alarms cost more than it finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from mainspring.safety.detectors import detector, word_start
from mainspring.safety.models import Hit, Rule

KINDS = ("email", "phone", "card", "iban", "ip", "ssn", "url_credentials")

_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w%+-](?:[\w.%+-]{0,62}[\w%+-])?@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])"
)
_URL = re.compile(r"(?i)\b[a-z][a-z0-9+.-]{1,15}://[^\s/@:\"'<>]{1,128}:[^\s/@\"'<>]{1,256}@[^\s/\"'<>]{1,253}")
_NUMBER = re.compile(r"(?<![\w.,/+-])(?:\+|\()?\d(?:[\d() .-]{5,})\d(?![\w/]|[.,-]\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?=[ -]?[A-Z0-9])")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\w)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_DIGIT = re.compile(r"\d")
_LONG = re.compile(r"\d[\d() .-]{5,}\d")
_DOTTED = re.compile(r"\d\.\d{1,3}\.\d")
_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:")
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


@detector("pii", hold=lambda text, start, rule: hold_numbers(text, start))
def find_pii(text: str, start: int, rule: Rule) -> list[Hit]:
    """E-mail, phone, card, IBAN, IP address, social security number, URL with credentials."""
    hits = list(_scan(text, start))
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


def _scan(text: str, start: int) -> Iterator[Hit]:
    # Cheap tests for what a kind cannot do without spare most texts most of the patterns.
    if text.find("@", start) >= 0:
        for match in _EMAIL.finditer(text, start):
            yield _hit("email", match.start(), match.end())
        if text.find("://", start) >= 0:
            for match in _URL.finditer(text, start):
                yield _hit("url_credentials", match.start(), match.end())
    if not _DIGIT.search(text, start):
        return
    for match in _IBAN.finditer(text, start):
        end = _iban_end(text, match.start())
        if end:
            yield _hit("iban", match.start(), end)
    if _LONG.search(text, start):
        for match in _NUMBER.finditer(text, start):
            yield from _numbers(text, match.start(), match.end())
    if _DOTTED.search(text, start):
        for match in _IPV4.finditer(text, start):
            if _ipv4_personal(match.group()) and not _VERSION.search(text, max(0, match.start() - 12), match.start()):
                yield _hit("ip", match.start(), match.end())
    if _COLONS.search(text, start):
        for match in _IPV6.finditer(text, start):
            if _ipv6_personal(match.group()):
                yield _hit("ip", match.start(), match.end())


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


def hold_numbers(text: str, start: int) -> int:
    """Return where the last word begins, or the groups of digits and capitals that lead up to it."""
    at = word_start(text, start, len(text))
    while at > start:
        end = at
        while end > start and text[end - 1].isspace():
            end -= 1
        before = word_start(text, start, end)
        if before == end or not _PART.fullmatch(text, before, end):
            break
        at = before
    return at
