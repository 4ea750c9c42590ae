"""What Prometheus counts of routed calls: each call once, by what its caller met, and its other attempts apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.serving.conftest import Served, eventually
from tests.serving.routing.conftest import HI, asked, streamed, text
from tests.serving.vendor import Vendor
from tests.surfaces.test_metrics import of, parsed

from mainspring.kernel import access
from mainspring.kernel.platform import Platform
from mainspring.registry import Models, Releases
from mainspring.safety.models import Rule
from mainspring.safety.service import Guards
from mainspring.serving import Deployments

DOWN = (500, {"error": {"message": "on fire"}})
Told = dict[tuple[str, str], float]


@pytest.fixture
def told(gateway_server: Served) -> Callable[[], tuple[Told, Told]]:
    """Return the calls by model and outcome, and the attempts that another one followed by model and code."""

    def read() -> tuple[Told, Told]:
        _, samples = parsed(gateway_server.app.gateway.totals().render())
        found: dict[str, Told] = {"outcome": {}, "code": {}}
        for (name, labels), number in samples.items():
            said = dict(labels)
            if name in ("mainspring_requests_total", "mainspring_failed_attempts_total"):
                kind = "outcome" if name == "mainspring_requests_total" else "code"
                found[kind][said["model_name"], said[kind]] = number
        calls = sum(found["outcome"].values())
        assert of(samples, "e2e_request_latency_seconds_count") == calls
        return found["outcome"], found["code"]

    return read


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_another_candidate_answered_is_one_without_an_error(
    staging: OpenAI, vendor: Vendor, make: Any, told: Any, gateway_server: Served, stream: bool
) -> None:
    make()
    vendor.fail = DOWN
    assert (streamed(staging) if stream else text(asked(staging))) == "Second here"
    assert told() == ({("beta/big", "ok"): 1}, {("acme/big", "unavailable"): 1})
    _, samples = parsed(gateway_server.app.gateway.totals().render())
    assert of(samples, "failed_attempts_total", provider="acme") == 1
    assert of(samples, "upstream_failures_total", provider="acme", code="unavailable") == 1
    assert of(samples, "request_errors_total") == 0
    vendor.fail = None
    assert text(asked(staging)) == "Hello there."
    assert told()[0] == {("beta/big", "ok"): 1, ("acme/big", "ok"): 1}


@pytest.mark.parametrize("stream", [False, True])
def test_what_guards_did_is_counted_by_call_and_their_time_by_attempt(
    platform: Platform, staging: OpenAI, vendor: Vendor, make: Any, gateway_server: Served, stream: bool
) -> None:
    guard = Guards(platform).create("careful", [Rule(detector="pii", action="mask", on="input")])
    with access.acting_as(replace(access.current(), environment="staging")):
        for name in ("acme", "beta"):
            Models(platform).connect(f"{name}-big", name, "big", license="proprietary")
            release = Releases(platform).create(name, model=f"model/{name}-big", guard=guard.ref)
            Deployments(platform).create(name, release.ref)
    make("acme", "beta")
    vendor.fail = DOWN
    mail: Any = [{"role": "user", "content": "I am ann@example.com"}]
    said = {"messages": mail}
    assert (streamed(staging, **said) if stream else text(asked(staging, **said))) == "Second here"
    _, samples = parsed(gateway_server.app.gateway.totals().render())
    assert of(samples, "guard_calls_total", guard=guard.ref, action="mask") == of(samples, "guard_calls_total") == 1
    assert of(samples, "guard_hits_total") == of(samples, "guard_hits_total", detector="pii", stage="input") == 1
    assert of(samples, "guard_failed_attempts_total", guard=guard.ref, action="mask") == 1
    assert of(samples, "guard_seconds_total", detector="pii") > 0


def test_a_call_that_nobody_answered_is_one_error_of_the_last_attempt(
    staging: OpenAI, vendor: Vendor, second: Vendor, make: Any, told: Any, gateway_server: Served
) -> None:
    make(retries=1)
    vendor.fail = second.fail = DOWN
    with pytest.raises(openai.InternalServerError):
        asked(staging)
    calls, attempts = told()
    assert calls == {("beta/big", "error"): 1} and sum(attempts.values()) == 3
    _, samples = parsed(gateway_server.app.gateway.totals().render())
    assert of(samples, "request_errors_total") == of(samples, "request_errors_total", code="unavailable") == 1


def test_what_is_asked_nowhere_else_counts_at_once(
    staging: OpenAI, vendor: Vendor, second: Vendor, make: Any, told: Any
) -> None:
    make()
    vendor.fail = (400, {"error": {"message": "no such option", "type": "invalid_request_error"}})
    with pytest.raises(openai.BadRequestError):
        asked(staging)
    assert told() == ({("acme/big", "error"): 1}, {})
    vendor.fail, vendor.break_after = None, 1
    with pytest.raises(openai.APIError):
        streamed(staging)
    assert told() == ({("acme/big", "error"): 2}, {})


def test_a_client_that_leaves_the_second_attempt_is_one_call(
    staging: OpenAI, vendor: Vendor, second: Vendor, make: Any, told: Any, gateway_server: Served
) -> None:
    make()
    vendor.fail, second.hold_after = DOWN, 1
    stream = staging.chat.completions.create(model="chat", messages=HI, stream=True)
    next(iter(stream))
    stream.close()
    eventually(lambda: told()[0])
    assert told() == ({("beta/big", "error"): 1}, {("acme/big", "unavailable"): 1})
    _, samples = parsed(gateway_server.app.gateway.totals().render())
    assert of(samples, "request_errors_total", code="client_gone") == 1


def test_an_answer_that_a_providers_filter_refused_is_an_attempt_or_a_blocked_call(
    staging: OpenAI, vendor: Vendor, second: Vendor, make: Any, told: Any
) -> None:
    make(fallback_on=["filter"])
    vendor.reason, vendor.words = "content_filter", []
    assert text(asked(staging)) == "Second here"
    assert told() == ({("beta/big", "ok"): 1}, {("acme/big", "content_filter"): 1})
    second.reason = "content_filter"
    asked(staging)
    assert told() == (
        {("beta/big", "ok"): 1, ("beta/big", "blocked"): 1},
        {("acme/big", "content_filter"): 2},
    )


def test_a_call_for_which_nobody_may_be_asked_is_an_error_too(
    staging: OpenAI, vendor: Vendor, make: Any, told: Any
) -> None:
    make("acme/big", retries=0, breaking={"failures": 1})
    vendor.fail = DOWN
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            asked(staging)
    assert len(vendor.requests) == 1
    assert told() == ({("acme/big", "error"): 2}, {})
