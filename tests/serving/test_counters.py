"""What the gateway counts: outcomes, tokens, times, cost, guards, refusals and failures, by model."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.serving.conftest import Served, Upstream
from tests.surfaces.test_metrics import of, parsed

from mainspring.kernel.platform import Platform
from mainspring.registry import Providers
from mainspring.serving.metering import Budgets, Limits
from mainspring.traces import Prices
from mainspring.workspace import Members, first_start

HI: Any = [{"role": "user", "content": "Say hi"}]


@pytest.fixture(autouse=True)
def staffed(platform: Platform) -> None:
    """The project has its environments, and ann."""
    first_start(platform)
    Members(platform).add("ann", "admin")


def test_calls_are_counted_by_model(
    platform: Platform, client: OpenAI, upstream: Upstream, small_model: str, gateway_server: Served
) -> None:
    Prices(platform).set(small_model, input_per_million=100.0, output_per_million=1000.0)
    ask: Any = {"model": small_model, "messages": HI, "max_tokens": 20}
    client.chat.completions.create(**ask)
    list(client.chat.completions.create(**ask, stream=True))
    upstream.fail = (400, {"error": {"message": "no", "type": "invalid_request_error"}})
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**ask)
    Limits(platform).set(0, measure="requests", per="day")
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(**ask)
    Limits(platform).delete(Limits(platform).list_().items[0].id)
    Budgets(platform).set(0.0, per="day")
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(**ask)
    kinds, samples = parsed(gateway_server.app.gateway.totals().render())
    mine = {"model_name": small_model, "deployment": "", "environment": "production"}
    outcomes = {name: of(samples, "requests_total", **mine, outcome=name) for name in ("ok", "error", "limited")}
    assert outcomes == {"ok": 2, "error": 1, "limited": 2}
    assert of(samples, "request_errors_total", **mine, code="invalid") == 1
    assert of(samples, "limit_refusals_total", **mine, kind="limit") == 1
    assert of(samples, "limit_refusals_total", **mine, kind="budget") == 1
    assert of(samples, "prompt_tokens_total", **mine) == 14
    assert of(samples, "prompt_tokens_cached_total", **mine) == 4
    assert of(samples, "generation_tokens_total", **mine) == 6
    assert of(samples, "cost_dollars_total", **mine) == pytest.approx(0.0074)
    assert of(samples, "e2e_request_latency_seconds_count", **mine) == 5
    assert of(samples, "time_to_first_token_seconds_count", **mine) == 1
    assert of(samples, "inter_token_latency_seconds_count", **mine) == 2
    assert of(samples, "num_requests_running") == 0
    assert kinds["mainspring_inter_token_latency_seconds"] == "histogram"


def test_failures_of_providers_are_counted(
    platform: Platform, client: OpenAI, providers: Providers, vendor: Any, gateway_server: Served
) -> None:
    vendor.fail = (503, {"error": {"message": "overloaded"}})
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="acme/big", messages=HI)
    _, samples = parsed(gateway_server.app.gateway.totals().render())
    assert of(samples, "upstream_failures_total", provider="acme") == 1
