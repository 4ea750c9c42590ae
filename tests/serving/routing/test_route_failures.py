"""What follows a failure of a route's candidate: fallbacks, retries, breakers, patience, and what is told of it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import openai
import pytest
from openai import OpenAI
from tests.serving.conftest import Served, Upstream, eventually
from tests.serving.routing.conftest import HI, asked, spans, streamed, text
from tests.serving.vendor import Vendor

from mainspring.kernel.platform import Platform
from mainspring.registry import Providers
from mainspring.serving.metering import Usages
from mainspring.serving.routing import Routes
from mainspring.serving.routing.board import board_of

AMPLE = 2.0
"""Seconds in which a server that does answer has answered, on a slow machine too."""


def test_the_next_candidate_answers_where_one_fails_and_the_trace_says_so(
    platform: Platform, staging: OpenAI, vendor: Vendor, make: Any
) -> None:
    make()
    vendor.fail = (500, {"error": {"message": "on fire"}})
    raw = asked(staging)
    assert text(raw) == "Second here"
    assert raw.headers["x-mainspring-route"] == "chat"
    assert raw.headers["x-mainspring-candidate"] == raw.headers["x-mainspring-model"] == "beta/big"
    assert raw.headers["x-mainspring-attempts"] == "2"
    first, last = spans(platform)
    assert first.trace_id == last.trace_id == raw.headers["x-mainspring-trace-id"]
    assert (first.status, first.model) == ("error", "acme/big") and "on fire" in first.status_message
    assert (last.status, last.model) == ("ok", "beta/big")
    said = last.attributes
    assert (said["mainspring.route"], said["mainspring.route.attempt"]) == ("chat", 2)
    [tried] = said["mainspring.route.tried"]
    assert tried.startswith("acme/big: server, ") and "on fire" in tried
    assert streamed(staging) == "Second here"


def test_what_is_wrong_with_the_request_is_not_asked_elsewhere(
    staging: OpenAI, vendor: Vendor, second: Vendor, make: Any
) -> None:
    make()
    vendor.fail = (400, {"error": {"message": "no such option", "type": "invalid_request_error"}})
    with pytest.raises(openai.BadRequestError, match="no such option"):
        asked(staging)
    assert second.requests == []


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"error": {"message": "slow down"}}, "limit"),
        (400, {"error": {"message": "long", "code": "context_length_exceeded"}}, "context"),
        (400, {"error": {"message": "no", "code": "content_filter"}}, "filter"),
    ],
)
def test_each_kind_of_trouble_goes_on_only_where_the_route_says_so(
    staging: OpenAI, vendor: Vendor, routes: Routes, make: Any, status: int, body: Any, kind: Any
) -> None:
    make(fallback_on=[kind])
    vendor.fail = (status, body)
    assert text(asked(staging)) == "Second here"
    routes.update("chat", fallback_on=["connect"])
    platform_error = openai.RateLimitError if kind == "limit" else openai.BadRequestError
    if kind == "limit":
        vendor.fail_headers = {"retry-after": "0"}
        eventually(lambda: routes.health("chat")[0].rests_seconds == 0)
    with pytest.raises(platform_error):
        asked(staging)


def test_a_server_that_is_not_there_is_no_connection(staging: OpenAI, providers: Providers, make: Any) -> None:
    providers.create("gone", "http://127.0.0.1:9/v1", kind="openai")
    make("gone/big", "acme/big", fallback_on=["connect"])
    raw = asked(staging)
    assert text(raw) == "Hello there."
    assert "x-mainspring-maybe-billed" not in raw.headers


def test_a_context_that_is_too_short_goes_to_a_larger_one_and_not_to_a_smaller(
    staging: OpenAI, vendor: Vendor, second: Vendor, make: Any
) -> None:
    one, two, three = (
        {"target": "acme/big", "context": 1000},
        {"target": "beta/tiny", "context": 500},
        {"target": "beta/huge", "context": 9000},
    )
    make(one, two, three)
    vendor.fail = (400, {"error": {"message": "prompt is too long"}})
    assert asked(staging).headers["x-mainspring-candidate"] == "beta/huge"
    assert [body["model"] for body in second.bodies] == ["huge"]
    long: Any = [{"role": "user", "content": "word " * 4000}]
    assert asked(staging, messages=long).headers["x-mainspring-attempts"] == "1"
    with pytest.raises(openai.BadRequestError) as refused:
        asked(staging, messages=[{"role": "user", "content": "word " * 20_000}])
    assert refused.value.code == "context_length_exceeded"


def test_retries_wait_for_what_the_server_asks_and_end_with_the_budget(
    platform: Platform, staging: OpenAI, vendor: Vendor, make: Any
) -> None:
    make("acme/big", retries=1, retry_budget=0.0, breaking={"failures": 1000, "least": 1000})
    vendor.fail = (503, {"error": {"message": "busy"}})
    for _ in range(15):
        with pytest.raises(openai.InternalServerError):
            asked(staging)
    assert len(vendor.requests) == 15 + 10, "ten retries are there without traffic, and none grows back"


def test_a_retry_after_that_is_too_long_is_not_waited_for(staging: OpenAI, vendor: Vendor, make: Any) -> None:
    make("acme/big", retries=3)
    vendor.fail, vendor.fail_headers = (429, {"error": {"message": "later"}}), {"retry-after": "30"}
    with pytest.raises(openai.RateLimitError) as refused:
        asked(staging)
    assert refused.value.response.headers["retry-after"] == "30"
    assert len(vendor.requests) == 1
    with pytest.raises(openai.InternalServerError, match="left alone for") as resting:
        asked(staging)
    assert len(vendor.requests) == 1, "a server that asked to be left alone is"
    assert 1 < int(resting.value.response.headers["retry-after"]) <= 30, "and so it is told for how long"


def test_nothing_is_asked_again_once_a_piece_was_passed_on(
    staging: OpenAI, vendor: Vendor, second: Vendor, make: Any
) -> None:
    make()
    vendor.break_after = 1
    with pytest.raises(openai.APIError, match="out of memory"):
        streamed(staging)
    assert second.requests == []
    vendor.break_after = 0
    assert streamed(staging) == "Second here"


def test_the_breaker_opens_lets_one_try_and_closes(
    platform: Platform, staging: OpenAI, vendor: Vendor, routes: Routes, make: Any, gateway_server: Served
) -> None:
    make(retries=0, breaking={"failures": 3, "open_seconds": 30})
    now = 1000.0
    board_of(platform).now = lambda: now
    vendor.fail = (500, {"error": {"message": "down"}})
    for _ in range(6):
        assert text(asked(staging)) == "Second here"
    assert len(vendor.requests) == 3
    first, other = routes.health("chat")
    assert (first.state, first.consecutive, other.state, other.failures) == ("open", 3, "closed", 0)
    assert "down" in first.last_problem
    shown = gateway_server.app.gateway.totals().render()
    assert 'mainspring_breaker_state{project="default",upstream="acme/big"} 2' in shown
    assert 'route="chat",candidate="acme/big",outcome="server"} 3' in shown
    assert 'candidate="acme/big",outcome="skipped"} 3' in shown
    [step, *_] = routes.test("chat").steps
    assert step.why.startswith("left alone for") and step.state == "open"
    now += 29.9
    assert routes.health("chat")[0].state == "open"
    now += 0.1
    assert routes.health("chat")[0].state == "half-open"
    vendor.fail = None
    assert text(asked(staging)) == "Hello there."
    assert routes.health("chat")[0].state == "closed"


def test_where_nobody_may_be_asked_the_call_fails_at_once(staging: OpenAI, vendor: Vendor, make: Any) -> None:
    make("acme/big", retries=0, breaking={"failures": 1})
    vendor.fail = (500, {"error": {"message": "down"}})
    for match in ("down", "left alone"):
        with pytest.raises(openai.InternalServerError, match=match):
            asked(staging)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("hold_after", "waits", "stream"),
    [
        (0, {"total_seconds": AMPLE}, False),
        (0, {"first_token_seconds": AMPLE}, True),
        (1, {"between_seconds": 0.3}, True),
        (1, {"total_seconds": AMPLE}, True),
    ],
)
def test_each_phase_has_its_time(
    platform: Platform,
    staging: OpenAI,
    vendor: Vendor,
    second: Vendor,
    make: Any,
    hold_after: int,
    waits: Any,
    stream: bool,
) -> None:
    make(waits=waits, retries=0)
    vendor.hold_after = hold_after
    if hold_after or not stream:
        with pytest.raises(openai.APIError, match="in time"):
            streamed(staging) if stream else asked(staging)
        assert second.requests == [] or not stream
    else:
        assert streamed(staging) == "Second here"
    late = spans(platform)[0]
    assert late.status == "error" and late.attributes["mainspring.usage.estimated"]


def test_a_late_answer_counts_and_the_call_says_that_it_may_be_billed(
    platform: Platform, staging: OpenAI, vendor: Vendor, make: Any
) -> None:
    make(waits={"first_token_seconds": AMPLE}, retries=0)
    vendor.hold_after = 0
    raw = staging.chat.completions.with_raw_response.create(model="chat", messages=HI, stream=True)
    assert raw.headers["x-mainspring-maybe-billed"] == "1"
    list(raw.parse())
    assert spans(platform)[1].attributes["mainspring.route.maybe_billed"] == 1
    rows = {row.model: row for row in Usages(platform).report(by="model")}
    assert (rows["acme/big"].requests, rows["acme/big"].estimated) == (1, 1)
    assert rows["acme/big"].input_tokens > 0
    assert (rows["beta/big"].requests, rows["beta/big"].input_tokens) == (1, 100)


def test_local_engines_have_phases_too(
    staging: OpenAI, upstream: Upstream, second: Vendor, small_model: str, make: Any
) -> None:
    make(small_model, "beta/big", waits={"first_token_seconds": AMPLE, "between_seconds": AMPLE}, retries=0)
    assert streamed(staging) == "Hello there."
    upstream.hold_when = "Say hi"
    assert streamed(staging) == "Second here"
    upstream.hold_when, upstream.hold = "", True
    with pytest.raises(openai.APIError, match="sent nothing more"):
        streamed(staging)


def test_a_retry_waits_as_long_as_it_is_asked_to(staging: OpenAI, vendor: Vendor, make: Any) -> None:
    make("acme/big", retries=1, backoff={"base_seconds": 0.01, "most_seconds": 5})
    vendor.fail, vendor.fail_headers = (429, {"error": {"message": "later"}}), {"retry-after": "1"}
    vendor.fail_first = 1
    raw = asked(staging)
    assert text(raw) == "Hello there." and raw.headers["x-mainspring-attempts"] == "2"
    first, second = vendor.arrivals
    assert second - first >= 0.99


def test_calls_that_are_told_to_wait_one_after_another_are_all_answered(
    staging: OpenAI, vendor: Vendor, vendor_server: Served, make: Any
) -> None:
    make("acme/big", retries=1, backoff={"base_seconds": 0.01, "most_seconds": 5})
    vendor.fail, vendor.fail_headers = (429, {"error": {"message": "later"}}), {"retry-after": "1"}
    vendor.fail_first = 4
    came: list[int] = []

    async def in_turn(scope: Any, receive: Any, send: Any) -> None:
        came.append(mine := len(came))
        while len(came) < 4:
            await asyncio.sleep(0.01)  # a step of waiting until all of them are asked
        await asyncio.sleep(0.05 * mine if mine < 4 else 0)
        await vendor.app(scope, receive, send)

    vendor_server.app = in_turn
    with ThreadPoolExecutor(4) as callers:
        attempts = [raw.headers["x-mainspring-attempts"] for raw in callers.map(lambda _: asked(staging), range(4))]
    assert attempts == ["2"] * 4


def test_an_anthropic_client_falls_back_over_dialects(
    gateway_url: str, staging: OpenAI, vendor: Vendor, second: Vendor, make: Any
) -> None:
    make("beta/big", "anth/big")
    second.fail = (529, {"error": {"message": "overloaded"}})
    with anthropic.Anthropic(base_url=gateway_url, api_key="ann-staging", max_retries=0) as client:
        with client.messages.stream(model="chat", max_tokens=50, messages=HI) as stream:
            assert stream.get_final_text() == "Hello there."
        vendor.break_after = 1
        pieces: list[str] = []
        with (
            pytest.raises(anthropic.APIStatusError, match="out of memory"),
            client.messages.stream(model="chat", max_tokens=50, messages=HI) as stream,
        ):
            pieces += stream.text_stream
    assert second.requests and [path for path, _, _ in vendor.requests] == ["/v1/messages"] * 2
