"""Personal data is found by shape and checksum, and what only looks like it is left alone."""

from __future__ import annotations

import pytest

from mainspring.safety import guards
from mainspring.safety.models import Policy, Rule
from mainspring.safety.pii import iban_valid, luhn

MASK = Policy(rules=[Rule(detector="pii", action="mask")])


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("write to jane.doe+x@mail.example.org today", "write to [EMAIL] today"),
        ("ünïcode@bücher.example works", "[EMAIL] works"),
        ("call +49 (0)30 1234567 now", "call [PHONE] now"),
        ("call (415) 555-0134 now", "call [PHONE] now"),
        ("call 415-555-0134, please", "call [PHONE], please"),
        ("rooms 415-555-0134 2 beds", "rooms [PHONE] 2 beds"),
        ("ring 020 7946 0958", "ring [PHONE]"),
        ("card 4111 1111 1111 1111.", "card [CARD]."),
        ("card 4111111111111111", "card [CARD]"),
        ("amex 3782 822463 10005", "amex [CARD]"),
        ("pay DE89 3704 0044 0532 0130 00 EUR", "pay [IBAN] EUR"),
        ("DE89 3704 0044 0532 0130 00 DE89 3704 0044 0532 0130 00", "[IBAN] [IBAN]"),
        ("pay GB82WEST12345698765432", "pay [IBAN]"),
        ("ssn 536-90-4399", "ssn [SSN]"),
        ("from 203.0.113.9 at noon", "from [IP] at noon"),
        ("from 2001:db8::8a2e:370:7334", "from [IP]"),
        ("postgres://bob:hunter2@db.example/x", "[URL_CREDENTIALS]/x"),
    ],
)
def test_found_and_masked(text: str, clean: str) -> None:
    assert guards.apply(MASK, text, "input").text == clean


@pytest.mark.parametrize(
    "text",
    [
        "released 2024-01-02 as version 1.2.3.4",
        "card 4111 1111 1111 1112",
        "pay DE89 3704 0044 0532 0130 01",
        "listen on 127.0.0.1 or 0.0.0.0",
        "std::vector and a::b, at 12:30:45",
        "floats 0.123456 1.234567 3.14159265358979",
        "sum(range(1, 20)) == 190, ids 1234567890",
        "see https://example.org/a@b and user@localhost",
        "the decorator @operation and an e-mail",
        "0000 0000 0000 0000",
        "ssn 000-12-3456 or 666-12-3456",
        "sizes 1024 2048 4096 8192",
    ],
)
def test_left_alone(text: str) -> None:
    assert guards.apply(MASK, text, "input").action == "allow"


def test_checksums() -> None:
    assert luhn("79927398713")
    assert not luhn("79927398710")
    assert iban_valid("GB82WEST12345698765432")
    assert not iban_valid("XX82WEST12345698765432")


def test_only_the_kinds_asked_for() -> None:
    policy = Policy(rules=[Rule(detector="pii", action="mask", kinds=["email"])])
    assert guards.apply(policy, "a@b.example 203.0.113.9", "input").text == "[EMAIL] 203.0.113.9"


def test_hits_name_place_and_kind_not_the_text() -> None:
    outcome = guards.apply(MASK, "mail a@b.example", "output")
    assert [(hit.kind, hit.start, hit.end) for hit in outcome.hits] == [("email", 5, 16)]
    assert "a@b" not in outcome.model_dump_json()
