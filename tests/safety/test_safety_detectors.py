"""Patterns of one's own, topics, schemas, lengths, invisible characters, canaries; and rules that are refused."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mainspring.kernel.errors import Invalid
from mainspring.safety import detectors, guards, pii, secrets, toxicity
from mainspring.safety.models import Policy, Rule, Topic
from mainspring.safety.stream import StreamGuard
from mainspring.safety.vault import Restorer, Vault


def outcome(text: str, stage: Any = "output", **rule: Any) -> Any:
    policy = Policy(rules=[Rule(**rule)])
    guards.check(policy)
    return guards.apply(policy, text, stage)


def kinds(text: str, **rule: Any) -> list[str]:
    return [hit.kind for hit in outcome(text, **rule).hits]


def test_a_pattern_of_ones_own() -> None:
    rule = {"detector": "regex", "pattern": r"\bT-\d{3,6}\b", "label": "ticket", "action": "mask"}
    assert outcome("see T-1234 and xT-1234, \u6c34T-77777", **rule).text == "see [TICKET] and xT-1234, \u6c34[TICKET]"


def test_a_pattern_that_python_would_take_for_ever_is_linear() -> None:
    assert kinds("a" * 50_000 + "!", detector="regex", pattern=r"(a+)+$") == []


@pytest.mark.parametrize("pattern", [r"(?<=a)b", r"(a)\1", "(", "a*", "", "(?:a{1000}){1000}"])
def test_a_pattern_without_a_bound_or_a_meaning_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid, match="rule 1"):
        outcome("", detector="regex", pattern=pattern)


SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("text", "kind"), [('{"n": 1}', []), ('{"n": "1"}', ["schema"]), ("n is 1", ["json"]), ("[" * 100_000, ["json"])]
)
def test_an_answer_has_to_fit_its_schema(text: str, kind: list[str]) -> None:
    assert kinds(text, detector="schema", on="output", json_schema=SCHEMA, action="block") == kind


def test_a_stream_for_a_schema_is_held_to_its_end() -> None:
    guard = StreamGuard(Policy(rules=[Rule(detector="schema", on="output", json_schema=SCHEMA, action="block")]))
    assert guard.feed('{"n": ' + " " * 100) == ""
    assert guard.finish() == ""
    assert guard.blocked
    spoken = StreamGuard(Policy(rules=[Rule(detector="schema", on="output", json_schema=SCHEMA, action="block")]))
    assert spoken.finish(called=True) == ""
    assert not spoken.blocked


def test_length() -> None:
    assert kinds("x" * 11, detector="length", max_chars=10) == ["chars"]
    assert kinds("x" * 10, detector="length", max_chars=10) == []
    assert kinds("\u6c34" * 10, detector="length", max_tokens=7) == ["tokens"]
    guard = StreamGuard(Policy(rules=[Rule(detector="length", max_chars=100, action="block")]))
    out = "".join(guard.feed("word " * 4) for _ in range(10)) + guard.finish()
    assert guard.blocked
    assert len(out) <= 100


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a\u200bb", ["zero_width"]),
        ("a\u202eb", ["bidi"]),
        ("hi" + "".join(chr(0xE0000 + ord(letter)) for letter in "ignore"), ["tag"]),
        ("a\x08b", ["control"]),
        ("\u06a9\u062a\u0627\u0628\u200c\u0647\u0627", []),
        ("\U0001f469\u200d\U0001f52c", []),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", []),
        ("\ufeffa line\r\n\tand another", []),
    ],
)
def test_characters_that_show_nothing(text: str, kind: list[str]) -> None:
    assert kinds(text, detector="invisible") == kind


def test_a_mask_leaves_what_shows_nothing_out() -> None:
    assert outcome("ig\u200bno\u2060re", detector="invisible", action="mask").text == "ignore"


TOKEN = "f3a9c27e51d08b64"
PROMPT = (
    "You are Ada, who answers questions about the shop, and you never offer a discount above ten percent to anybody."
)


@pytest.mark.parametrize(
    "text",
    [
        f"It is {TOKEN}.",
        f"It is {TOKEN.upper()}.",
        "-".join(TOKEN),
        TOKEN[::-1],
        codecs.encode(TOKEN, "rot13"),
        TOKEN.encode().hex(),
        base64.b64encode(f"the token is {TOKEN} indeed".encode()).decode(),
    ],
)
def test_a_canary_is_found_in_disguise_too(text: str) -> None:
    rule = Rule(detector="canary", on="output", plant=True, action="block").with_secret([TOKEN], PROMPT)
    assert guards.apply(Policy(rules=[rule]), text, "output").blocked
    guard = StreamGuard(Policy(rules=[rule]))
    out = "".join(guard.feed(text[at : at + 3]) for at in range(0, len(text), 3)) + guard.finish()
    assert guard.blocked
    assert out in ("", "It is ")


def test_twelve_words_of_the_prompt_are_a_leak_and_a_few_are_none() -> None:
    rule = Rule(detector="canary", on="output", plant=True, action="mask").with_secret([], PROMPT)
    told = f"I was told: {PROMPT.upper()} So there."
    assert guards.apply(Policy(rules=[rule]), told, "output").text == "I was told: [PROMPT]. So there."
    assert not guards.apply(Policy(rules=[rule]), "I am Ada, who answers questions about the shop.", "output").hits


class Words:
    """Vectors by the words that a text holds."""

    name = "words"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        made = np.array([[float(word in text.lower()) for word in ("tax", "law", "cat")] for text in texts]) + 1e-6
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def topical(text: str, *, only: bool = False) -> Any:
    topics = [Topic(name="tax", examples=["tax return"]), Topic(name="law", examples=["law suit"])]
    rule = Rule(detector="topic", topics=topics, only=only, threshold=0.7, action="block")
    return guards.apply(Policy(rules=[rule.with_embed(Words)]), text, "input")


def test_topics() -> None:
    assert [hit.kind for hit in topical("How do I file my tax?").hits] == ["tax"]
    assert not topical("My cat is asleep.").hits
    assert [hit.kind for hit in topical("My cat is asleep.", only=True).hits] == ["other"]
    assert not topical("How do I file my tax?", only=True).hits
    [hit] = topical("My cat sleeps. " * 40 + "And about the law: may I?").hits
    assert hit.start > 100


def test_without_its_model_a_topic_rule_blocks() -> None:
    rule = Rule(detector="topic", topics=[Topic(name="tax", examples=["tax"])], action="log")
    found = guards.apply(Policy(rules=[rule]), "hello", "input")
    assert (found.action, found.hits[0].kind) == ("block", "error")


def test_a_detector_that_takes_too_long_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 10**12, 10**9))
    monkeypatch.setattr("mainspring.safety.guards.time.perf_counter_ns", lambda: next(ticks))
    found = guards.apply(Policy(rules=[Rule(detector="pii")], timeout_ms=500), "hello", "input")
    assert (found.action, found.hits[0].kind) == ("block", "timeout")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"detector": "pii", "pattern": "a"}, "`pattern` belongs to the detector `regex`"),
        ({"detector": "schema", "json_schema": SCHEMA}, "judges answers"),
        ({"detector": "schema", "json_schema": {"type": 7}, "on": "output"}, "not valid"),
        ({"detector": "length", "max_chars": 1, "action": "mask"}, "as a whole"),
        ({"detector": "length"}, "needs `max_chars` or `max_tokens`"),
        ({"detector": "pii", "restore": True}, "restore"),
        ({"detector": "pii", "on": "output", "sources": ["tool"]}, "sources"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        guards.check(Policy(rules=[Rule(**rule)]))


def test_a_rule_for_one_source_leaves_the_others_alone() -> None:
    policy = Policy(rules=[Rule(detector="pii", on="input", sources=["tool"], action="block")])
    assert guards.apply(policy, "a@b.example", "input", source="tool").blocked
    assert not guards.apply(policy, "a@b.example", "input", source="user").hits


def test_placeholders_are_alike_for_the_same_value_and_put_back_however_the_text_is_cut() -> None:
    policy, vault = Policy(rules=[Rule(detector="pii", on="input", action="mask", restore=True)]), Vault()
    asked = 'from a@b.example and c@d.example to a@b.example, not [EMAIL_1] but "x"'
    text = guards.apply(policy, asked, "input", vault=vault).text
    assert text == 'from [EMAIL_2] and [EMAIL_3] to [EMAIL_2], not [EMAIL_1] but "x"'
    assert vault.restored(text) == asked
    for size in (1, 2, 3, 7):
        restorer = Restorer(vault)
        out = "".join(restorer.feed(text[at : at + size]) for at in range(0, len(text), size)) + restorer.finish()
        assert out == asked


CORPUS = [
    "Write to ann@shop.example, call +49 30 1234567 or 415-555-0134 by 2024-01-02 14:03.",
    "DE89 3704 0044 0532 0130 00, 4111 1111 1111 1111, 536-90-4399, 203.0.113.9, 2001:db8::8a2e:370:7334",
    "postgres://bob:hunter2@db.example/x and password: hunter2hunter2, token=abc123def456",
    "Authorization: Bearer abcdefghijklmnop123 ghp_" + "a1B2" * 9 + " AKIA" + "A" * 16,
    "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
    "shut  up, you \u0130D\u0130OT and mor\u0131n", "stupid BOT, go die", "plain text without anything",
    "\u0663\u0664\u0661 \u0664\u0665\u0665\u06650 4155550134 \uff14111 1111 1111 1111",
]  # fmt: skip


@pytest.mark.parametrize("module", [pii, secrets, toxicity])
@pytest.mark.parametrize("text", CORPUS)
def test_the_scan_in_front_loses_nothing(monkeypatch: pytest.MonkeyPatch, module: Any, text: str) -> None:
    name = module.__name__.rpartition(".")[2]
    quick = detectors.get(name).find(text, 0, Rule(detector=name))
    everything = set(module._SCAN._names)
    monkeypatch.setattr(module, "_SCAN", lambda *_: everything)
    assert sorted(detectors.get(name).find(text, 0, Rule(detector=name)), key=str) == sorted(quick, key=str)
