"""What experiments, judges and other runs ask of models that cost something: it counts, and never exceeds a budget."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.serving.conftest import FixedEngine, Upstream

from mainspring.kernel.errors import LimitReached
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import ChatReply, ChatRequest
from mainspring.serving.chat import EngineChat
from mainspring.serving.metering import Budgets, Limits, Usages
from mainspring.serving.metering.models import BudgetSpent
from mainspring.traces import Prices
from mainspring.workspace import Members, first_start

NANO = 3_700_000
"""What one answer of the tiny server costs: 7 tokens in, of them 2 cached, and 3 out."""


@pytest.fixture
def chat(platform: Platform, fixed_engine: FixedEngine) -> Iterator[EngineChat]:
    first_start(platform)
    Members(platform).add("ann", "admin")
    made = EngineChat(platform)
    yield made
    made.close()


def requests(model: str, count: int, tokens: int = 20) -> list[ChatRequest]:
    return [ChatRequest(model=model, messages=[{"role": "user", "content": "Hi"}], max_tokens=tokens)] * count


def dear(platform: Platform, model: str) -> None:
    Prices(platform).set(model, input_per_million=100.0, output_per_million=1000.0)


def test_a_batch_stops_at_the_budget_of_whoever_started_it(
    platform: Platform, chat: EngineChat, upstream: Upstream, small_model: str
) -> None:
    dear(platform, small_model)
    budget = Budgets(platform).set(0.10, per="day", member="ann")
    replies = chat.complete_many(requests(small_model, 40), concurrency=2)
    answered = [reply for reply in replies if isinstance(reply, ChatReply)]
    refused = [reply for reply in replies if not isinstance(reply, ChatReply)]
    assert answered and refused and {type(error) for error in refused} == {BudgetSpent}
    assert len(upstream.bodies) == len(answered)
    [row] = Usages(platform).report(by="")
    assert (row.requests, row.nanodollars) == (len(answered), len(answered) * NANO)
    assert row.nanodollars <= budget.amount * 1e9


def test_a_batch_waits_for_its_own_calls_where_the_budget_holds_few_at_a_time(
    platform: Platform, chat: EngineChat, small_model: str
) -> None:
    dear(platform, small_model)
    # A call reserves more than half of the budget, and uses a little of it.
    Budgets(platform).set(0.09, per="day", member="ann")
    replies = chat.complete_many(requests(small_model, 3), concurrency=3)
    assert all(isinstance(reply, ChatReply) for reply in replies), replies


def test_a_call_that_no_limit_could_ever_take_is_not_waited_for(
    platform: Platform, chat: EngineChat, upstream: Upstream, small_model: str
) -> None:
    dear(platform, small_model)
    Limits(platform).set(10, measure="tokens", per="minute", environment="production")
    with pytest.raises(LimitReached, match="is over"):
        chat.complete(requests(small_model, 1)[0])
    assert not upstream.bodies


def test_models_that_cost_nothing_are_not_counted(platform: Platform, chat: EngineChat, small_model: str) -> None:
    Limits(platform).set(1, measure="requests", per="minute", environment="production")
    assert all(isinstance(reply, ChatReply) for reply in chat.complete_many(requests(small_model, 3)))
    assert Usages(platform).report(by="") == []
