"""Limits and budgets in front of the gateway: what is refused and how, and what is counted of every kind of end."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.serving.conftest import Upstream, eventually

from mainspring.kernel import access
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import Denied, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import SpanFilter
from mainspring.serving import listing
from mainspring.serving.metering import Budgets, Limits, Usages
from mainspring.serving.metering.records import UsageRow
from mainspring.serving.targets import resolve
from mainspring.traces import Prices
from mainspring.workspace import Keys, Members, first_start

HI: Any = [{"role": "user", "content": "Say hi"}]


@pytest.fixture(autouse=True)
def staffed(platform: Platform) -> None:
    """The project has its environments, and ann."""
    first_start(platform)
    Members(platform).add("ann", "admin")


def used(platform: Platform) -> UsageRow:
    """Return all that was used."""
    [row] = Usages(platform).report(by="")
    return row


def test_a_spent_budget_answers_429_as_openai_does(platform: Platform, client: OpenAI, small_model: str) -> None:
    Prices(platform).set(small_model, input_per_million=100.0, output_per_million=1000.0)
    # The tiny server answers 7 tokens in, of them 2 cached, and 3 out: 0.0037 dollars; 20 out are reserved.
    Budgets(platform).set(0.06, per="day", member="ann")
    ask: Any = {"model": small_model, "messages": HI, "max_tokens": 20}
    client.chat.completions.create(**ask)
    list(client.chat.completions.create(**ask, stream=True))
    row = used(platform)
    assert (row.requests, row.nanodollars, row.cached_tokens) == (2, 2 * 3_700_000, 4)
    Budgets(platform).set(0.01, per="day", member="ann")
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(**ask, stream=stream)
        body: Any = refused.value.body
        assert (body["type"], body["code"]) == ("insufficient_quota", "insufficient_quota")
        assert "of $0.01 a day of the member ann" in body["message"]
        assert 0 < int(refused.value.response.headers["retry-after"]) <= 86_400
    assert used(platform).requests == 2
    platform.spans.flush()
    assert [span.cost for span in platform.spans.scan("default", SpanFilter(), limit=10)] == [0.0037, 0.0037]


def test_a_limit_of_requests_is_kept_by_the_key(platform: Platform, client: OpenAI, small_model: str) -> None:
    Limits(platform).set(2, measure="requests", per="minute", environment="production")
    for _ in range(2):
        client.chat.completions.create(model=small_model, messages=HI)
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model=small_model, messages=HI)
    assert refused.value.code == "rate_limit_exceeded" and "2 requests a minute" in str(refused.value)
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
    [limit] = Limits(platform).list_(scope="environment").items
    assert (limit.spent, limit.held) == (2, 0)
    Limits(platform).delete(limit.id)
    client.chat.completions.create(model=small_model, messages=HI)


def test_what_nobody_counted_is_estimated_and_what_was_refused_is_free(
    platform: Platform, client: OpenAI, upstream: Upstream, small_model: str
) -> None:
    upstream.fail = (400, {"error": {"message": "no", "type": "invalid_request_error"}})
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=small_model, messages=HI)
    row = used(platform)
    assert (row.requests, row.input_tokens, row.estimated) == (1, 0, 0)
    upstream.fail = None
    upstream.hold = True
    held = client.chat.completions.create(model=small_model, messages=HI, stream=True)
    assert "Hello" in [piece.choices[0].delta.content for _, piece in zip(range(2), held, strict=False)]
    held.close()
    eventually(lambda: used(platform).requests == 2)
    row = used(platform)
    assert (row.estimated, row.output_tokens) == (1, 2)
    assert 10 < row.input_tokens < 60


def test_a_key_asks_only_for_what_it_may(platform: Platform, small_model: str) -> None:
    held = access.current()
    limited = Caller(held.member, held.key_id, "default", "production", "admin", held.permissions, ("deployment/docs",))
    with access.acting_as(limited), platform.read() as tx:
        for asked in (small_model, "other", "acme/gpt"):
            with pytest.raises(Denied, match="may not ask for"):
                resolve(tx, asked, "production")
        with pytest.raises(NotFound):
            resolve(tx, "docs", "production")
    assert listing.models(platform, limited) == []


def test_limits_are_for_somebody_who_exists(platform: Platform) -> None:
    for wrong in ({"member": "bob"}, {"environment": "moon"}, {"key": "f" * 32}):
        with pytest.raises(NotFound):
            Limits(platform).set(1, **wrong)
    with pytest.raises(Invalid, match="one of key, member and environment"):
        Budgets(platform).set(1.0, member="ann", environment="production")
    first = Budgets(platform).set(1.0, member="ann")
    again = Budgets(platform).set(2.0, member="ann")
    assert (again.id, again.amount) == (first.id, 2.0)
    with pytest.raises(NotFound):
        Limits(platform).delete(first.id)
    with pytest.raises(Invalid, match="no dimension 'colour'"):
        Usages(platform).report(by="colour")


def test_a_key_that_was_rotated_goes_on_under_the_same_limits(
    platform: Platform, gateway_url: str, small_model: str
) -> None:
    old = Keys(platform).create("ann")
    Limits(platform).set(2, measure="requests", per="hour", key=old.id)
    new = Keys(platform).rotate(Keys(platform).rotate(old.id).id)

    def ask(secret: str) -> None:
        with OpenAI(base_url=f"{gateway_url}/v1", api_key=secret, max_retries=0) as asking:
            asking.chat.completions.create(model=small_model, messages=HI)

    ask(old.secret)
    ask(new.secret)
    for key in (old, new):
        with pytest.raises(openai.RateLimitError, match="2 requests a hour"):
            ask(key.secret)
    ask(Keys(platform).create("ann").secret)


def test_a_key_of_an_application_does_not_pass_itself_off_as_a_load_test(
    platform: Platform, gateway_url: str, small_model: str
) -> None:
    narrow = Keys(platform).create("ann", permissions=["model.use"])
    for secret in (narrow.secret, Keys(platform).create("ann").secret):
        with OpenAI(base_url=f"{gateway_url}/v1", api_key=secret, max_retries=0) as asking:
            for source in ("loadtest", "playground"):
                marked = {"x-mainspring-source": source}
                asking.chat.completions.create(model=small_model, messages=HI, extra_headers=marked)
    platform.spans.flush()
    found = platform.spans.scan("default", SpanFilter(), limit=10)
    told = [(span.attributes["mainspring.key_id"] == narrow.id, span.service) for span in found]
    assert sorted(told) == [(False, "loadtest"), (False, "playground"), (True, "mainspring"), (True, "mainspring")]
