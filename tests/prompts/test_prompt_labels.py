"""Labels that are protected, and how each version did in traffic."""

import pytest

from mainspring.kernel.errors import Denied, Invalid, NotFound
from mainspring.kernel.spans import Span
from mainspring.prompts import Prompts
from mainspring.traces import Scores
from mainspring.workspace import Environments


@pytest.fixture
def prompts(platform):
    made = Prompts(platform)
    made.commit("greet", text="Hello {{x}}")
    made.commit("greet", text="Hi {{x}}")
    return made


def test_a_protected_label_asks_for_a_permission_and_says_which(prompts, acting):
    prompts.protect("live")
    with acting(role="developer", member="dev"):
        prompts.label("greet", "trial", "1")
        with pytest.raises(Denied, match=r"'live' is protected.*'prompt\.promote'") as refused:
            prompts.label("greet", "live", "1")
        assert "operator" in refused.value.hint
        with pytest.raises(Denied):
            prompts.unprotect("live")
        assert [one.label for one in prompts.protections().items] == ["live"]
    with acting(role="operator", member="op"):
        assert prompts.label("greet", "live", "1").number == 1
        with pytest.raises(Denied):
            prompts.commit("greet", text="operators do not write")
    prompts.unprotect("live")
    with acting(role="developer", member="dev"):
        assert prompts.label("greet", "live", "2").number == 2
        assert prompts.unlabel("greet", "live").number is None
    assert prompts.get("greet").labels == []
    assert [move.number for move in prompts.history("greet", label="live").items] == [None, 2, 1]


def test_the_label_of_a_protected_environment_is_protected_from_the_start(platform, prompts, acting):
    Environments(platform).create("eu-production", protected=True)
    Environments(platform).create("lab")
    with acting(role="developer", member="dev"):
        prompts.label("greet", "lab", "1")
        with pytest.raises(Denied, match=r"prompt\.promote"):
            prompts.label("greet", "eu-production", "1")
    prompts.unprotect("eu-production")
    with acting(role="developer", member="dev"):
        assert prompts.label("greet", "eu-production", "1").number == 1


def test_only_labels_can_be_protected_and_only_what_is_there_goes(prompts):
    with pytest.raises(Invalid):
        prompts.protect("latest")
    with pytest.raises(NotFound):
        prompts.unprotect("live")
    with pytest.raises(NotFound):
        prompts.unlabel("greet", "live")
    for label in ("a", "b", "c"):
        prompts.protect(label)
    first = prompts.protections(limit=2)
    assert [one.label for one in first.items] == ["a", "b"]
    assert [one.label for one in prompts.protections(limit=2, cursor=first.next_cursor).items] == ["c"]


def call(number, prompt, *, milliseconds=100, **more):
    start = 1_767_000_000 * 10**9 + number * 10**9
    return Span(
        trace_id=f"{number + 1:032x}", span_id=f"{number + 1:016x}", project="default", kind="chat", prompt=prompt,
        start_ns=start, end_ns=start + milliseconds * 10**6, input_tokens=10, output_tokens=5, cost=0.01,
        **{"status": "ok", "service": "mainspring", **more},
    )  # fmt: skip


def test_metrics_tell_versions_apart(platform, prompts):
    spans = [call(n, "prompt/greet@1", milliseconds=n + 1) for n in range(100)]
    spans += [call(200, "prompt/greet@2", status="error"), call(201, "prompt/greet@2", service="playground")]
    spans += [call(300, "prompt/other@1"), call(301, "prompt/greet@2", environment="experiment")]
    platform.spans.append(spans)
    platform.spans.flush()
    scores = Scores(platform)
    for n in range(60):
        scores.create("helpful", trace_id=f"{n + 1:032x}", number=float(n % 4 != 0))
    scores.create("mood", trace_id=f"{1:032x}", label="good")
    scores.create("rare", trace_id=f"{1:032x}", number=0.3)
    second, first = prompts.metrics("greet").items
    assert (first.ref, first.calls, first.errors, first.input_tokens) == ("prompt/greet@1", 100, 0, 1000)
    assert first.cost == pytest.approx(1.0)
    assert (first.p50_ms, first.p95_ms) == (pytest.approx(50.5), pytest.approx(95.05))
    helpful, mood, rare = first.scores
    assert (helpful.name, helpful.count, helpful.mean) == ("helpful", 60, 0.75)
    assert helpful.low < 0.75 < helpful.high
    assert (mood.labels, mood.mean) == ({"good": 1}, None)
    assert rare.low is None
    assert "would do" in rare.note
    assert (second.calls, second.errors, second.p50_ms) == (1, 1, None)
    page = prompts.metrics("greet", limit=1)
    assert [one.number for one in page.items] == [2]
    assert [one.number for one in prompts.metrics("greet", limit=1, cursor=page.next_cursor).items] == [1]


def test_diff_is_side_by_side_by_message(prompts):
    system = {"role": "system", "content": "Be kind.\nBe brief."}
    prompts.commit("chat", [system, {"role": "user", "content": "{{x}}"}])
    prompts.commit("chat", [{**system, "content": "Be kind.\nBe exact."}, {"role": "user", "content": "{{x}}"}])
    parts = prompts.diff("chat", "1", "2").parts
    assert [(part.title, part.same) for part in parts] == [
        ("message 1 · system", False),
        ("message 2 · user", True),
        ("variables", True),
    ]
    assert parts[0].rows == [("Be kind.", "Be kind."), ("Be brief.", "Be exact.")]
