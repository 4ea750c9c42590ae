"""A routed call is one call in traces, lists and totals, however many attempts it took."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.serving.conftest import eventually
from tests.serving.routing.conftest import HI, asked, spans, streamed, text
from tests.serving.vendor import Vendor

from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.monitoring import Boards
from mainspring.monitoring.metrics import measure
from mainspring.registry import Models, Releases
from mainspring.safety.models import Rule
from mainspring.safety.service import Guards
from mainspring.serving import Deployments
from mainspring.serving.metering import Usages
from mainspring.traces import Traces

DOWN = (500, {"error": {"message": "on fire"}})


def above(platform: Platform) -> list[Span]:
    """Return the spans above attempts."""
    platform.spans.flush()
    return list(platform.spans.scan("default", SpanFilter(kind="route"), limit=100))


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_another_candidate_answered_is_one_trace_and_well(
    platform: Platform, staging: OpenAI, vendor: Vendor, make: Any, stream: bool
) -> None:
    make()
    vendor.fail = DOWN
    assert (streamed(staging) if stream else text(asked(staging))) == "Second here"
    first, last = spans(platform)
    [whole] = above(platform)
    assert first.parent_id == last.parent_id == whole.span_id and whole.parent_id == ""
    assert (first.status, last.status, whole.status) == ("error", "ok", "ok")
    assert whole.start_ns == first.start_ns and whole.end_ns == max(first.end_ns, last.end_ns)
    assert (whole.name, whole.model, whole.environment) == ("route chat", "beta/big", "staging")
    assert (whole.input, whole.output) == (last.input, last.output)
    said = whole.attributes
    assert (said["mainspring.route.attempts"], said["mainspring.route.candidate"]) == (2, "beta/big")
    assert said["mainspring.member"] == "ann"
    if stream:
        assert whole.ttft_ms is not None and last.ttft_ms is not None and whole.ttft_ms >= last.ttft_ms
    service = Traces(platform)
    [line] = service.list_().items
    assert (line.status, line.model, line.spans, line.name) == ("ok", "beta/big", 3, "route chat")
    assert (line.input_tokens, line.output_tokens) == (last.input_tokens, last.output_tokens)
    assert "Second here" in line.output_preview
    assert service.list_(status="error").items == []
    assert service.get(line.trace_id).status == "ok"
    [hour] = service.usage(by="environment", hourly=False)
    assert (hour.traces, hour.input_tokens) == (1, last.input_tokens)
    assert sum(row.requests for row in Usages(platform).report(by="model")) == 2, "each attempt is billed by itself"


def test_a_call_that_the_first_candidate_answers_is_one_span(platform: Platform, staging: OpenAI, make: Any) -> None:
    make()
    asked(staging)
    streamed(staging)
    assert [span.parent_id for span in spans(platform)] == ["", ""] and above(platform) == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_nobody_answers_failed(
    platform: Platform, staging: OpenAI, vendor: Vendor, second: Vendor, make: Any, stream: bool
) -> None:
    make(retries=0)
    vendor.fail = second.fail = DOWN
    with pytest.raises(openai.InternalServerError):
        streamed(staging) if stream else asked(staging)
    [whole] = above(platform)
    assert whole.status == "error" and "No candidate of the route chat answered" in whole.status_message
    assert {span.parent_id for span in spans(platform)} == {whole.span_id}
    [line] = Traces(platform).list_().items
    assert (line.status, line.spans, Traces(platform).get(line.trace_id).status) == ("error", 3, "error")


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_for_which_nobody_may_be_asked_is_one_failed_call_everywhere(
    platform: Platform, staging: OpenAI, vendor: Vendor, make: Any, stream: bool
) -> None:
    make("acme/big", retries=0, breaking={"failures": 1})
    vendor.fail = DOWN
    with pytest.raises(openai.InternalServerError):
        asked(staging)
    since = platform.clock.now()
    with pytest.raises(openai.InternalServerError):
        streamed(staging) if stream else asked(staging, extra_headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    assert len(vendor.requests) == 1
    *_, refused = spans(platform)
    assert (refused.kind, refused.status, refused.model, refused.environment) == (
        "chat",
        "error",
        "acme/big",
        "staging",
    )
    assert "left alone for" in refused.status_message and refused.input_tokens == 0 and refused.output is None
    assert refused.attributes["mainspring.route"] == "chat" and refused.attributes["mainspring.member"] == "ann"
    assert "mainspring.route.candidate" not in refused.attributes
    assert refused.input == [{"role": "user", "parts": [{"type": "text", "content": "Say hi"}]}]
    if not stream:
        assert (refused.trace_id, refused.parent_id) == ("a" * 32, "b" * 16)
    [line] = Traces(platform).list_(since=since).items
    assert (line.status, line.spans, line.trace_id) == ("error", 1, refused.trace_id)
    counted = measure(platform, "errors", "", "staging", since=since, until=since + timedelta(hours=1))
    assert counted.value == 1
    [all_calls] = Boards(platform).figures("errors", environment="staging").series
    assert all_calls.total == 2


def test_what_a_guard_was_to_read_is_not_in_the_trace_of_a_call_that_nobody_was_asked_for(
    platform: Platform, staging: OpenAI, vendor: Vendor, make: Any
) -> None:
    Models(platform).connect("large", "acme", "big", license="proprietary")
    guard = Guards(platform).create("strict", [Rule(detector="pii", action="mask")])
    release = Releases(platform).create("docs", model="model/large", guard=guard.ref)
    Deployments(platform).create("docs", release.ref)
    make("acme/big", "docs", retries=0, breaking={"failures": 1})
    vendor.fail = DOWN
    for _ in range(3):
        with pytest.raises(openai.APIStatusError):
            asked(staging, messages=[{"role": "user", "content": "I am ann@example.com"}])
    refused = spans(platform)[-1]
    assert "mainspring.route.candidate" not in refused.attributes and refused.input in (None, [])
    assert "mainspring.guard" not in refused.attributes


def test_a_stream_that_fails_in_its_middle_failed_with_its_trace_whole(
    platform: Platform, staging: OpenAI, vendor: Vendor, make: Any
) -> None:
    make()
    vendor.break_after = 1
    with pytest.raises(openai.APIError, match="out of memory"):
        streamed(staging)
    [attempt] = spans(platform)
    [whole] = above(platform)
    assert (attempt.parent_id, attempt.status, whole.status) == (whole.span_id, "error", "error")


def test_a_client_that_leaves_the_second_attempt_leaves_a_whole_trace(
    platform: Platform, staging: OpenAI, vendor: Vendor, second: Vendor, make: Any
) -> None:
    make()
    vendor.fail, second.hold_after = DOWN, 1
    stream = staging.chat.completions.create(model="chat", messages=HI, stream=True)
    next(iter(stream))
    stream.close()
    eventually(lambda: above(platform))
    [whole] = above(platform)
    assert whole.status == "error" and len(spans(platform)) == 2


def test_attempts_stand_below_the_span_that_the_caller_named(
    platform: Platform, staging: OpenAI, vendor: Vendor, make: Any
) -> None:
    make()
    vendor.fail = DOWN
    asked(staging, extra_headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    [whole] = above(platform)
    assert (whole.trace_id, whole.parent_id) == ("a" * 32, "b" * 16)
    assert {(span.trace_id, span.parent_id) for span in spans(platform)} == {("a" * 32, whole.span_id)}


def test_what_a_providers_filter_refused_first_stands_below_too(
    platform: Platform, staging: OpenAI, vendor: Vendor, make: Any
) -> None:
    make(fallback_on=["filter"])
    vendor.fail = (400, {"error": {"message": "no", "code": "content_filter"}})
    assert text(asked(staging)) == "Second here"
    assert {span.parent_id for span in spans(platform)} == {above(platform)[0].span_id}
