"""The drift report: no alarm where nothing changed, what was planted is found, and what it is held against."""

from __future__ import annotations

import numpy as np
import pytest
from tests.monitoring.test_monitoring import BagOfWords, call, say, trained

from mainspring.kernel.errors import Invalid
from mainspring.kernel.spans import Span
from mainspring.monitoring import Drifts, Monitors
from mainspring.monitoring.drift import TooFew
from mainspring.monitoring.shift import ShiftSettings, compare
from mainspring.monitoring.shift.features import Seen
from mainspring.safety.refusals import refused
from mainspring.traces import Scores

assert trained


def drawn(rng, count, *, slow=1.0, errors=0.03, model=0.8):
    """Calls with every feature that needs no embedding."""
    return [
        Seen(
            key=str(at),
            numbers={
                "input_length": float(rng.poisson(80)),
                "output_length": float(rng.lognormal(5, 1)),
                "output_tokens": float(rng.poisson(40)),
                "latency_ms": float(rng.lognormal(6, 0.5) * slow),
                "cost": float(rng.gamma(2)),
            },
            shares={"errors": rng.random() < errors, "refusals": rng.random() < 0.1, "guarded": rng.random() < 0.01},
            categories={"model": "a" if rng.random() < model else "b", "service": "web"},
            scores={"helpful": float(rng.random() < 0.7), "stars": float(rng.integers(1, 6))},
        )
        for at in range(count)
    ]


def test_traffic_that_did_not_change_raises_no_alarm_beyond_the_stated_rate():
    rng = np.random.default_rng(7)
    settings = ShiftSettings(alpha=0.05)
    # Sizes are taken out of it: with them it would be rarer still.
    alarms = 0
    for _ in range(200):
        features, _, _ = compare(drawn(rng, 150), drawn(rng, 120), settings, None)
        alarms += any(one.adjusted <= settings.alpha for one in features)
    assert alarms <= 18, "5 % of 200, and what chance adds to it in 99 of 100 runs"


@pytest.mark.parametrize(
    ("change", "feature"),
    [({"slow": 1.6}, "latency_ms"), ({"errors": 0.3}, "errors"), ({"model": 0.4}, "model")],
)
def test_what_is_planted_is_found_and_nothing_else(change, feature):
    rng = np.random.default_rng(11)
    features, left_out, _ = compare(drawn(rng, 200), drawn(rng, 200, **change), ShiftSettings(), None)
    assert [one.feature for one in features if one.drifted] == [feature]
    assert {"ttft_ms", "meaning of the input", "meaning of the output"} <= set(left_out)
    found = features[0]
    assert found.p_value <= found.adjusted <= 0.01
    assert found.effect >= found.min_effect


def talk(topic, number):
    return Seen(key=f"{topic}-{number}", input=say(topic, number), output=say("code", number + 5000))


def test_a_topic_that_moved_is_named_with_its_words():
    old = [talk("code" if at % 10 else "food", at) for at in range(150)]
    live = [talk("code" if at % 2 else "food", at + 1000) for at in range(150)]
    features, _, topics = compare(old, live, ShiftSettings(), BagOfWords().embed)
    assert [one.feature for one in features if one.drifted] == ["meaning of the input"]
    moved = [one for one in topics if one.moved and one.now > one.reference]
    assert moved
    kitchen = "cook butter onion garlic simmer oven bake spoon flour sugar taste plate soup dinner recipe".split()
    assert set(moved[0].words) <= set(kitchen)
    assert all(key.startswith("food") for key in moved[0].trace_ids)


@pytest.mark.parametrize(
    ("text", "declines"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I\u2019m sorry, but I can\u2019t assist with that request.", True),
        ("I cannot provide medical advice.", True),
        ("Sorry, I am unable to answer this.", True),
        ("Unfortunately, I won't be able to share it.", True),
        ("I can help you with that!", False),
        ("The cannot-read error is raised when help is missing.", False),
        ("You can't write to a closed file.", False),
        ("Sorry for the wait. The answer is 4.", False),
        ("", False),
    ],
)
def test_refusals_are_told_by_how_answers_begin(text, declines):
    assert refused(text) is declines
    assert refused("Well.", "content_filter")


@pytest.fixture
def answered(platform):
    platform.embed_port = BagOfWords()

    def answer(count, *, days_ago, topic="code", ms=200, session=""):
        at = int((platform.clock.now().timestamp() - days_ago * 86_400) * 1e9)
        answer.count += 1
        spans = [
            Span(
                trace_id=f"{answer.count:016x}{n:016x}", span_id=f"{n + 1:016x}", project="default",
                environment="production", deployment="docs", release="release/docs@1", kind="chat",
                start_ns=at + n * 10**9, end_ns=at + n * 10**9 + ms * 10**6 + n, status="ok", session_id=session,
                model="model/m@1", input=say(topic, n), output=say("code", n + 999),
            )
            for n in range(count)
        ]  # fmt: skip
        platform.spans.append(spans)
        platform.spans.flush()
        return [span.trace_id for span in spans]

    answer.count = 0
    return answer


def test_calls_are_held_against_the_days_before(platform, answered):
    answered(60, days_ago=5)
    with pytest.raises(TooFew, match="30 of each"):
        Drifts(platform).report("docs", against="window", since=platform.clock.now().replace(day=1))
    ids = answered(60, days_ago=0.5, ms=900)
    yesterday = platform.clock.now().replace(day=1)
    for trace_id in ids[:40]:
        Scores(platform).create("helpful", trace_id=trace_id, number=1)
    found = Drifts(platform).report("docs", against="window", since=yesterday)
    assert (found.n, found.n_reference, found.release) == (60, 60, "release/docs@1")
    assert [one.feature for one in found.features if one.drifted] == ["latency_ms"]
    assert "latency_ms is distributed otherwise" in found.verdict
    assert "score/helpful" not in {one.feature for one in found.features}, "nothing of it is known before"
    Monitors(platform).create("shifted", "shift", target="docs", window_minutes=1440)
    look = Monitors(platform).test("shifted")
    assert (look.state, look.detail["drifted"]) == ("firing", True)


def test_of_a_session_one_call_counts(platform, answered):
    answered(60, days_ago=5)
    answered(60, days_ago=0.5, session="one")
    with pytest.raises(TooFew, match="1 calls"):
        Drifts(platform).report("docs", against="window", since=platform.clock.now().replace(day=1))


def test_calls_are_held_against_what_their_release_was_trained_with(trained):
    trained.spans.append([call(trained, n + 1, say("food", n)) for n in range(80)])
    trained.spans.flush()
    found = Drifts(trained).report("docs")
    assert found.against == "dataset/docs@1"
    assert "meaning of the input" in {one.feature for one in found.features if one.drifted}
    assert "latency_ms" in found.left_out


def test_without_data_of_the_release_it_says_what_else_there_is(platform, answered):
    answered(60, days_ago=0.5)
    with pytest.raises(Invalid, match="neither trained nor measured"):
        Drifts(platform).report("docs")
