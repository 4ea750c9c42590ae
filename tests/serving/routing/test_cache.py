"""The cache asked through the official client: what is given again, to whom, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import openai
import pytest
from openai import OpenAI
from tests.serving.conftest import Served, eventually, make_caller
from tests.serving.routing.conftest import HI, spans
from tests.serving.vendor import Vendor

from mainspring.kernel import access
from mainspring.kernel.errors import NotFound
from mainspring.kernel.hooks import ErasureRequest, erasure_hooks
from mainspring.kernel.platform import Platform
from mainspring.registry import Models, Releases
from mainspring.safety.models import Rule
from mainspring.safety.service import Guards
from mainspring.serving import Deployments
from mainspring.serving.cache.cache import running
from mainspring.serving.cache.service import Caches
from mainspring.serving.metering import Limits, Usages
from mainspring.serving.routing import Routes
from mainspring.traces import Captures, Prices
from mainspring.traces.models import MaskRule

COLD: Any = {"temperature": 0}


class Words:
    """Vectors that count letters' pairs: alike where texts share most of them."""

    name = "words"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        made = np.zeros((len(texts), 512), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                made[row, sum(ord(letter) * 31**place for place, letter in enumerate(word)) % 512] += 1
        return made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9)

    def count(self, texts: Sequence[str]) -> int:
        return sum(len(text.split()) for text in texts)


@pytest.fixture
def caches(platform: Platform, routes: Routes, vendor: Vendor) -> Iterator[Caches]:
    """A deployment `docs` of acme's model in staging, with a price."""
    platform.embed_port = Words()
    Models(platform).connect("large", "acme", "big", license="proprietary")
    Prices(platform).set("model/large@1", input_per_million=10.0, output_per_million=20.0)
    Deployments(platform).create("docs", Releases(platform).create("docs", model="model/large").ref)
    yield Caches(platform)


def asked(client: OpenAI, content: str = "Say hi", **given: Any) -> tuple[str, str]:
    """Ask and return the answer and what the header says of the cache."""
    messages: Any = [{"role": "user", "content": content}]
    given = {"model": "docs", "messages": messages, **COLD, **given}
    raw = client.chat.completions.with_raw_response.create(**given)
    return str(raw.parse().choices[0].message.content), raw.headers.get("x-mainspring-cache", "")


def streamed(client: OpenAI, content: str = "Say hi") -> tuple[str, str, list[Any]]:
    """The same of a stream, with its pieces."""
    messages: Any = [{"role": "user", "content": content}]
    ask: Any = {"model": "docs", "messages": messages, **COLD, "stream": True}
    raw = client.chat.completions.with_raw_response.create(**ask, stream_options={"include_usage": True})
    pieces = list(raw.parse())
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    return text, raw.headers.get("x-mainspring-cache", ""), pieces


def kept(platform: Platform) -> None:
    """Bring to the records what this process keeps."""
    for cache in running(platform):
        cache.flush()


def test_the_same_question_is_answered_again_whole_and_as_a_stream(
    platform: Platform, staging: OpenAI, vendor: Vendor, caches: Caches
) -> None:
    assert asked(staging) == ("Hello there.", "")
    caches.set("docs")
    assert asked(staging) == ("Hello there.", "miss")
    kept(platform)
    vendor.words = ["Changed"]
    text, said = asked(staging)
    assert text == "Hello there." and re.fullmatch(r"hit; age=\d+", said)
    text, said, pieces = streamed(staging)
    assert text == "Hello there." and said.startswith("hit; age=")
    assert pieces[-1].usage.total_tokens == 0 and pieces[-2].choices[0].finish_reason == "stop"
    assert asked(staging, "Say something else") == ("Changed", "miss")
    assert asked(staging, max_tokens=7) == ("Changed", "miss")
    assert len(vendor.requests) == 4
    last = spans(platform)[2]
    assert (
        last.attributes["mainspring.cache"] == "hit" and last.attributes["mainspring.cache.saved_input_tokens"] == 100
    )
    assert (last.cost, last.input_tokens, last.release) == (0.0, 0, "release/docs@1")


def test_a_stream_is_kept_as_well(platform: Platform, staging: OpenAI, vendor: Vendor, caches: Caches) -> None:
    caches.set("docs")
    assert streamed(staging)[:2] == ("Hello there.", "miss")
    kept(platform)
    assert asked(staging)[1].startswith("hit")
    assert len(vendor.requests) == 1


def test_a_hit_costs_nothing_and_the_report_says_what_it_saved(
    platform: Platform, staging: OpenAI, caches: Caches
) -> None:
    caches.set("docs")
    asked(staging)
    kept(platform)
    Limits(platform).set(200, measure="tokens", per="hour", environment="staging")
    for _ in range(3):
        asked(staging)
    [row] = Usages(platform).report(by="")
    assert (row.requests, row.hits, row.input_tokens, row.output_tokens) == (4, 3, 100, 40)
    assert row.nanodollars == 1_800_000 and row.saved == pytest.approx(3 * 0.0018)
    [found] = caches.stats()
    assert (found.hits, found.misses, found.stored, found.entries) == (3, 1, 1, 1)
    assert found.hit_rate == 0.75 and found.saved == pytest.approx(0.0054)
    Limits(platform).set(0, measure="requests", per="hour", environment="staging")
    with pytest.raises(openai.RateLimitError):
        asked(staging)


def test_headers_say_what_the_client_wants_of_the_cache(
    platform: Platform, staging: OpenAI, vendor: Vendor, caches: Caches
) -> None:
    def wishing(wish: str) -> tuple[str, str]:
        return asked(staging, extra_headers={"x-mainspring-cache": wish})

    with pytest.raises(openai.APIStatusError) as refused:
        wishing("only")
    assert refused.value.status_code == 504 and refused.value.code == "not_cached"
    caches.set("docs")
    with pytest.raises(openai.APIStatusError, match="No answer to this is kept"):
        wishing("only")
    assert wishing("no-store")[1] == "miss"
    kept(platform)
    assert asked(staging)[1] == "miss"
    kept(platform)
    assert wishing("only")[1].startswith("hit")
    vendor.words = ["Fresh"]
    assert wishing("no-cache") == ("Fresh", "miss")
    kept(platform)
    assert asked(staging)[0] == "Fresh"


def test_what_means_the_same_is_answered_and_a_near_miss_is_not(
    platform: Platform, staging: OpenAI, vendor: Vendor, caches: Caches
) -> None:
    caches.set("docs", mode="semantic", threshold=0.8)
    assert asked(staging, "how do I reset my own password")[1] == "miss"
    kept(platform)
    vendor.words = ["Other"]
    text, said = asked(staging, "please how do I reset my own password")
    assert text == "Hello there."
    assert re.fullmatch(r"semantic; age=\d+; similarity=0\.93\d\d", said)
    text, said = asked(staging, "how do I delete my own account")
    assert text == "Other" and re.fullmatch(r"miss; similarity=0\.\d{4}", said)
    kept(platform)
    earlier: Any = [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "how do I reset my own password"},
    ]
    assert asked(staging, messages=earlier)[0] == "Other", "all but the last message has to be equal"
    span = spans(platform)[1]
    assert span.attributes["mainspring.cache"] == "semantic"
    caches.set("docs", mode="semantic", threshold=0.95)
    assert asked(staging, "please how do I reset my own password")[0] == "Other", "a stricter policy holds at once"


def test_who_gets_an_answer_again(
    platform: Platform, gateway_url: str, gateway_server: Served, staging: OpenAI, vendor: Vendor, caches: Caches
) -> None:
    callers = gateway_server.app._callers
    callers["bob-staging"] = replace(make_caller("admin", "bob"), environment="staging")
    callers["eve-staging"] = replace(callers["bob-staging"], key_id="key-of-eve", models=("deployment/other",))
    callers["far-staging"] = replace(callers["bob-staging"], project="elsewhere")
    with OpenAI(base_url=f"{gateway_url}/v1", api_key="bob-staging", max_retries=0) as bob:
        caches.set("docs", scope="key")
        asked(staging)
        kept(platform)
        assert asked(bob)[1] == "miss"
        assert asked(staging)[1].startswith("hit")
        caches.set("docs", scope="project")
        asked(staging)
        kept(platform)
        assert asked(bob)[1].startswith("hit")
        with pytest.raises(openai.PermissionDeniedError):
            asked(bob.with_options(api_key="eve-staging"))
        with pytest.raises(openai.NotFoundError):
            asked(bob.with_options(api_key="far-staging"))


def test_a_changed_guard_and_a_changed_release_are_not_passed_by(
    platform: Platform, staging: OpenAI, vendor: Vendor, caches: Caches
) -> None:
    caches.set("docs")
    vendor.words = ["Write to ann@example.com"]
    assert asked(staging) == ("Write to ann@example.com", "miss")
    kept(platform)
    assert asked(staging)[1].startswith("hit")
    guard = Guards(platform).create("careful", [Rule(detector="pii", action="mask", on="output")])
    made = Releases(platform).create("docs", model="model/large", guard=guard.ref)
    deployments = Deployments(platform)
    deployments.roll("docs", made.ref, weight=1.0)
    deployments.promote("docs")
    for _ in range(2):
        text, said = asked(staging)
        assert "ann@example.com" not in text and said == "miss", "what the guard changed is not kept"
        kept(platform)


@pytest.mark.parametrize("spoiled", ["length", "content_filter", "empty", "failed"])
def test_an_answer_that_is_not_whole_is_not_kept(
    platform: Platform, staging: OpenAI, vendor: Vendor, caches: Caches, spoiled: str
) -> None:
    caches.set("docs")
    if spoiled == "failed":
        vendor.break_after = 1
        with pytest.raises(openai.APIError):
            streamed(staging)
        vendor.break_after = -1
    elif spoiled == "empty":
        vendor.words = []
        asked(staging)
    else:
        vendor.reason = spoiled
        asked(staging)
    kept(platform)
    assert caches.stats()[0].entries == 0


def test_what_is_drawn_by_chance_and_what_has_tools_is_kept_only_where_asked_for(
    platform: Platform, staging: OpenAI, vendor: Vendor, caches: Caches
) -> None:
    tools: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    vendor.tool_calls = [{"id": "call_1", "name": "look", "input": {"at": 1}}]
    caches.set("docs")
    for _ in range(2):
        assert asked(staging, temperature=0.7)[1] == asked(staging, tools=tools)[1] == ""
    caches.set("docs", sampled=True, tools=True)
    asked(staging, temperature=0.7, tools=tools)
    kept(platform)
    ask: Any = {"model": "docs", "messages": HI, "temperature": 0.7, "tools": tools}
    raw = staging.chat.completions.with_raw_response.create(**ask)
    [call] = raw.parse().choices[0].message.tool_calls or []
    assert raw.headers["x-mainspring-cache"].startswith("hit")
    assert (call.id, call.function.name) == ("call_1", "look")  # type: ignore[union-attr]


def test_bounds_and_time(platform: Platform, staging: OpenAI, clock: Any, caches: Caches) -> None:
    caches.set("docs", max_entries=2, ttl_seconds=60)
    for content in ("one", "two"):
        asked(staging, content)
    kept(platform)
    assert asked(staging, "one")[1].startswith("hit")
    kept(platform)
    asked(staging, "three")
    kept(platform)
    assert asked(staging, "one")[1].startswith("hit"), "what was used the longest ago leaves"
    assert asked(staging, "two")[1] == "miss"
    clock.advance(seconds=61)
    assert asked(staging, "one")[1] == "miss"


def test_clearing_and_erasing(platform: Platform, staging: OpenAI, caches: Caches) -> None:
    caches.set("docs", mode="semantic", threshold=0.99)
    asked(staging, "one", user="u1")
    asked(staging, "two", user="u2")
    asked(staging, "three", user="u3")
    hook = erasure_hooks["serving.cache"]
    request = ErasureRequest(project="default", user_id="u1")
    assert (hook(platform, request, False), hook(platform, request, True), hook(platform, request, True)) == (1, 1, 0)
    assert asked(staging, "one")[1].startswith("miss")
    assert asked(staging, "two")[1].startswith("hit")
    assert caches.clear("docs", user="u2").entries == 1
    assert asked(staging, "two")[1].startswith("miss")
    assert caches.clear("docs").entries == 3
    asked(staging, "four")
    caches.delete("docs")
    assert asked(staging, "four")[1] == ""
    with pytest.raises(NotFound):
        caches.get("docs")
    assert [move.action for move in caches.history("docs").items] == ["delete", "create"]


def test_a_route_has_a_cache_of_its_own(
    platform: Platform, staging: OpenAI, vendor: Vendor, caches: Caches, make: Any
) -> None:
    make("acme/big", "beta/big")
    with pytest.raises(openai.APIStatusError) as refused:
        asked(staging, model="chat", extra_headers={"x-mainspring-cache": "only"})
    assert refused.value.code == "not_cached" and vendor.requests == []
    caches.set("chat")
    asked(staging, model="chat")
    kept(platform)
    vendor.fail = (500, {"error": {"message": "down"}})
    assert asked(staging, model="chat") == ("Hello there.", "hit; age=0")
    with pytest.raises(NotFound):
        caches.set("nobody")


def test_traffic_says_what_a_threshold_gives(
    platform: Platform, staging: OpenAI, vendor: Vendor, caches: Caches
) -> None:
    def ask(content: str, answer: str) -> None:
        vendor.words = [answer]
        asked(staging, content)

    for number in range(20):
        ask(f"how do I reset my password number{number % 2}", "Open the settings.")
        ask("how do I delete my account", f"Answer number {number}")
    eventually(lambda: len(spans(platform)) == 40)
    found = caches.evaluate("docs", thresholds=[0.7, 0.999], closeness=1.0, max_wrong=0.2)
    low, high = found.results
    assert (found.calls, found.comparable) == (40, 39)
    assert (low.hits.count, low.wrong.count) == (38, 19)
    assert (high.hits.count, high.wrong.count) == (37, 19)
    assert low.hits.low < 0.95 < low.hits.high and found.threshold is None
    assert caches.evaluate("docs", thresholds=[0.7], closeness=1.0, max_wrong=0.9).threshold == 0.7


def test_the_keys_of_two_projects_and_environments_differ(platform: Platform, staging: OpenAI, caches: Caches) -> None:
    caches.set("docs")
    asked(staging)
    kept(platform)
    with access.acting_as(replace(access.current(), project="elsewhere")):
        assert caches.stats() == []
    with access.acting_as(replace(access.current(), environment="production")):
        assert caches.stats() == []


def test_nothing_is_kept_that_a_rule_of_capture_takes_out_of_answers(
    platform: Platform, staging: OpenAI, caches: Caches
) -> None:
    caches.set("docs")
    Captures(platform).set(mask=[MaskRule(fields=["output"], kinds=["email"])])
    assert [asked(staging)[1] for _ in range(2)] == ["miss", "miss"]
    kept(platform)
    assert asked(staging)[1] == "miss"
    Captures(platform).set()
    assert asked(staging)[1] == "miss"
    kept(platform)
    assert asked(staging)[1].startswith("hit")
