"""What is kept of the spans that applications send: sampling, masking, retention by rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.kernel.errors import Denied, Invalid
from mainspring.kernel.spans import Span
from mainspring.traces import Captures, Intake, Retentions, Traces, expire
from mainspring.traces.capture import Sampler, place
from mainspring.traces.models import CaptureRules, MaskRule, RetentionRule, SampleRule

START = 1_767_300_000_000_000_000


def span(trace=1, number=1, **fields):
    base = {
        "trace_id": f"{trace:032x}",
        "span_id": f"{trace * 100 + number:016x}",
        "project": "default",
        "name": "chat",
        "kind": "chat",
        "start_ns": START,
        "end_ns": START + 10**9,
    }
    return Span(**{**base, **fields})


def written(platform):
    return b"".join(path.read_bytes() for path in (platform.home / "spans").rglob("*") if path.is_file())


TEXT = {"role": "user", "parts": [{"type": "text", "content": "write to ann@example.org about Falcon"}]}


def test_mask_rules_hold_before_the_write_ahead_file(platform):
    rules = [
        MaskRule(fields=["input", "events.*"], kinds=["email"]),
        MaskRule(fields=["*"], detectors=["terms"], terms=["Falcon"]),
        MaskRule(fields=["user_id", "attributes.shop.customer"], action="hash"),
        MaskRule(fields=["attributes.http.request.header.*", "output"], action="drop"),
    ]
    Captures(platform).set(mask=rules)
    said = span(
        input=[TEXT],
        output="the secret answer",
        user_id="ann",
        attributes={"http.request.header.cookie": "c00kie", "http.route": "/x", "shop.customer": "cust-7731", "n": 5},
        events=[{"name": "e", "time_ns": 1, "attributes": {"mail": "bob@example.org"}}],
    )
    Intake(platform).append([said, span(2, user_id="ann")])
    [stored] = platform.spans.trace("default", said.trace_id)
    [other] = platform.spans.trace("default", f"{2:032x}")
    assert stored.input[0]["parts"][0]["content"] == "write to [EMAIL] about [TERM]"
    assert stored.output is None and stored.user_id == other.user_id and stored.user_id.startswith("hash:")
    assert set(stored.attributes) == {"http.route", "shop.customer", "n"} and stored.attributes["n"] == 5
    for text in (b"ann@example", b"bob@example", b"Falcon", b"c00kie", b"cust-7731", b"secret answer"):
        assert text not in written(platform)


def test_a_hash_belongs_to_its_project(platform, acting):
    Captures(platform).set(mask=[MaskRule(fields=["user_id"], action="hash")])
    with acting(project="other"):
        Captures(platform).set(mask=[MaskRule(fields=["user_id"], action="hash")])
    Intake(platform).append([span(user_id="ann"), span(2, user_id="ann", project="other")])
    [one], [two] = (platform.spans.trace(name, f"{n:032x}") for name, n in (("default", 1), ("other", 2)))
    assert one.user_id != two.user_id


def test_rules_are_checked_and_need_a_permission(platform, acting):
    with pytest.raises(Invalid, match="nothing"):
        MaskRule(fields=["nothing"])
    with pytest.raises(Invalid):
        MaskRule(fields=["input"], detectors=["terms"])
    with acting("developer"), pytest.raises(Denied):
        Captures(platform).set()
    assert Captures(platform).get().changed_at is None
    Captures(platform).set(sample=[SampleRule(rate=0.5)], keep_slower_ms=100.0)
    assert Captures(platform).get().sample == [SampleRule(rate=0.5)] and Captures(platform).get().changed_by == "ann"


def test_the_first_rule_that_fits_decides_and_errors_and_slow_ones_are_kept(platform):
    rules = [SampleRule(rate=1.0, service="pay*"), SampleRule(rate=0.0, kind="embeddings"), SampleRule(rate=0.0)]
    Captures(platform).set(sample=rules, keep_slower_ms=5000)
    intake = Intake(platform)
    intake.receive([span(1, service="payments", kind="embeddings")])
    intake.receive([span(2)])
    intake.receive([span(3), span(3, 2, status="error")])
    intake.receive([span(3, 3)])
    intake.receive([span(4, end_ns=START + 6 * 10**9)])
    kept = {line.trace_id[-1]: line.spans for line in Traces(platform).list_().items}
    assert kept == {"1": 1, "3": 3, "4": 1}
    intake.append([span(5)])
    assert len(platform.spans.trace("default", f"{5:032x}")) == 1
    Captures(platform).set(sample=rules, keep_errors=False)
    later = Intake(platform)
    later.receive([span(6, status="error")])
    assert platform.spans.trace("default", f"{6:032x}") == []


@given(st.integers(1, (1 << 128) - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_trace_that_a_rate_keeps_every_higher_rate_keeps(number, one, two):
    low, high = sorted((one, two))
    kept = [
        Sampler().kept(CaptureRules(sample=[SampleRule(rate=rate)]), [span(number, span_id="1" * 16)])
        for rate in (low, high)
    ]
    assert 0 <= place(f"{number:032x}") < 1
    assert not kept[0] or kept[1]


def test_about_the_share_that_was_asked_for_is_kept():
    import random

    chance = random.Random(3)
    rules = CaptureRules(sample=[SampleRule(rate=0.25)])
    spans = [span(chance.getrandbits(128), span_id="1" * 16) for _ in range(4000)]
    assert 900 < len(Sampler().kept(rules, spans)) < 1100


def test_retention_differs_by_environment_and_kind(platform, clock):
    now = int(clock.moment.timestamp() * 1e9)

    def of(trace, environment, kind):
        return span(trace, environment=environment, kind=kind, start_ns=now, end_ns=now)

    platform.spans.append(
        [
            of(1, "staging", "chat"),
            of(2, "production", "embeddings"),
            of(3, "production", "chat"),
            of(4, "audit", "chat"),
        ]
    )
    rules = [
        RetentionRule(days=0, environment="audit"),
        RetentionRule(days=2, environment="staging"),
        RetentionRule(days=5, kind="embeddings", environment="production"),
    ]
    Retentions(platform).set(30, rules=rules)
    assert Retentions(platform).get().rules == rules
    left = []
    for days in (1, 2, 3, 30):
        clock.advance(days=days)
        expire(platform)
        left.append(sorted(int(line.trace_id, 16) for line in Traces(platform).list_().items))
    assert left == [[1, 2, 3, 4], [2, 3, 4], [3, 4], [4]]


def test_a_number_is_masked_by_its_digits_and_hashed_like_a_text(platform):
    card, one = 4111111111111111, [{"role": "assistant", "parts": [{"type": "tool_call", "arguments": {"card": 0}}]}]
    one[0]["parts"][0]["arguments"] = {"card": card, "n": 7, "yes": True}
    rules = [
        MaskRule(fields=["input"], kinds=["card"]),
        MaskRule(fields=["attributes.shop.customer"], action="hash"),
    ]
    Captures(platform).set(mask=rules)
    Intake(platform).append([span(input=one, attributes={"shop.customer": 77_310_055, "shop.items": 3})])
    [stored] = platform.spans.trace("default", f"{1:032x}")
    assert stored.input[0]["parts"][0]["arguments"] == {"card": "[CARD]", "n": 7, "yes": True}
    assert stored.attributes["shop.customer"].startswith("hash:") and stored.attributes["shop.items"] == 3
    assert b"77310055" not in written(platform) and str(card).encode() not in written(platform)
