"""Routes asked through the official client: who is asked first, by policy, rules, pins and users."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.serving.conftest import FixedEngine, eventually
from tests.serving.routing.conftest import HI, asked, text
from tests.serving.vendor import Vendor

from mainspring.kernel import access
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.registry import Releases
from mainspring.serving import Deployments
from mainspring.serving.routing import Routes, resolve
from mainspring.traces import Prices


def test_a_user_stays_and_one_candidate_more_moves_few(staging: OpenAI, routes: Routes, make: Any) -> None:
    make(policy="weighted", sticky="user")
    users = [f"user-{number}" for number in range(60)]

    def places() -> dict[str, str]:
        return {user: first(routes, user=user) for user in users}

    before = places()
    assert places() == before
    assert 15 < sum(name == "acme/big" for name in before.values()) < 45
    assert asked(staging, user="user-7").headers["x-mainspring-candidate"] == before["user-7"]
    names: Any = [{"target": "acme/big"}, {"target": "beta/big"}, {"target": "beta/third"}]
    routes.update("chat", candidates=names)
    after = places()
    moved = [user for user in users if after[user] != before[user]]
    assert 8 < len(moved) < 35
    assert {after[user] for user in moved} == {"beta/third"}


def first(routes: Routes, **given: Any) -> str:
    """Return the candidate that a call would ask first."""
    return routes.test("chat", environment="staging", **given).steps[0].candidate


def test_weights_share_the_traffic_and_none_is_for_failures(staging: OpenAI, vendor: Vendor, make: Any) -> None:
    one, two, spare = (
        {"target": "acme/one", "weight": 3},
        {"target": "acme/two", "weight": 1},
        {"target": "beta/spare", "weight": 0},
    )
    make(one, two, spare, policy="weighted", retries=0)
    seen = [asked(staging).headers["x-mainspring-candidate"] for _ in range(60)]
    assert 30 < seen.count("acme/one") < 57 and seen.count("beta/spare") == 0
    vendor.fail = (500, {"error": {"message": "down"}})
    raw = asked(staging)
    assert (raw.headers["x-mainspring-candidate"], raw.headers["x-mainspring-attempts"]) == ("beta/spare", "3")


def test_rules_send_calls_by_tag_header_metadata_and_user(staging: OpenAI, routes: Routes, make: Any) -> None:
    there: Any = {"candidates": ["beta/big"]}
    make(
        rules=[
            {"when": [{"of": "tag", "equals": "fast"}], **there},
            {"when": [{"of": "header", "name": "X-Team", "prefix": "blue-"}], **there},
            {"when": [{"of": "metadata", "name": "tier", "equals": "gold"}, {"of": "user", "prefix": "u"}], **there},
        ]
    )
    calls: list[tuple[Any, str]] = [
        ({}, "acme/big"),
        ({"extra_headers": {"x-mainspring-tag": "slow, fast"}}, "beta/big"),
        ({"extra_headers": {"x-mainspring-tag": "faster"}}, "acme/big"),
        ({"extra_headers": {"x-team": "blue-1"}}, "beta/big"),
        ({"extra_headers": {"x-team": "red-1"}}, "acme/big"),
        ({"metadata": {"tier": "gold"}, "user": "u1"}, "beta/big"),
        ({"metadata": {"tier": "gold"}}, "acme/big"),
    ]
    for given, wanted in calls:
        assert asked(staging, **given).headers["x-mainspring-candidate"] == wanted, given
    said = routes.test("chat", tags=["fast"])
    assert (said.rule, [step.candidate for step in said.steps]) == (1, ["beta/big"])


def test_a_pin_sends_an_environment_to_one_candidate(
    staging: OpenAI, routes: Routes, vendor: Vendor, make: Any
) -> None:
    make()
    routes.update("chat", pin="beta/big", note="acme is slow today")
    assert text(asked(staging)) == "Second here"
    assert routes.test("chat").steps[0].why == "it is pinned"
    routes.update("chat", pin="")
    assert text(asked(staging)) == "Hello there."
    history = routes.history("chat").items
    assert [(move.revision, move.action, move.pin) for move in history] == [
        (3, "update", ""),
        (2, "update", "beta/big"),
        (1, "create", ""),
    ]
    assert history[1].note == "acme is slow today"


def test_the_cheapest_that_can_take_the_call_is_asked(
    platform: Platform, staging: OpenAI, routes: Routes, make: Any
) -> None:
    prices = Prices(platform)
    prices.set("big", provider="acme", input_per_million=10.0, output_per_million=10.0)
    prices.set("big", provider="beta", input_per_million=1.0, output_per_million=1.0)
    make("acme/big", {"target": "beta/big", "lacks": ["tools"], "context": 2000}, "beta/unpriced", policy="cheapest")
    assert asked(staging).headers["x-mainspring-candidate"] == "beta/big"
    tools: Any = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    assert asked(staging, tools=tools).headers["x-mainspring-candidate"] == "acme/big"
    said = routes.test("chat", tokens=3000)
    assert [step.candidate for step in said.steps] == ["acme/big", "beta/unpriced", "beta/big"]
    assert said.steps[-1].rank == 0 and "context of 2000" in said.steps[-1].why
    assert said.steps[0].cost == pytest.approx(0.03512)


def test_the_least_busy_is_asked(staging: OpenAI, vendor: Vendor, routes: Routes, make: Any) -> None:
    make(policy="least-busy")
    vendor.hold_after = 0
    held: list[str] = []

    def hold() -> None:
        try:
            staging.with_options(timeout=60).chat.completions.create(model="chat", messages=HI)
        except openai.OpenAIError:
            held.append("ended")

    threads = []
    for _ in range(20):
        if routes.health("chat")[0].running:
            break
        threads.append(threading.Thread(target=hold, daemon=True))
        threads[-1].start()
        eventually(lambda: routes.health("chat")[0].running or not threads[-1].is_alive())
    assert {asked(staging).headers["x-mainspring-candidate"] for _ in range(6)} == {"beta/big"}


def test_the_fastest_is_asked_once_all_are_known(
    staging: OpenAI, routes: Routes, platform: Platform, make: Any
) -> None:
    make(policy="fastest")
    for _ in range(3):
        asked(staging)
    paces = {one.candidate: one.milliseconds for one in routes.health("chat")}
    assert all(paces.values()), "each was tried"
    assert first(routes) == min(paces, key=lambda name: paces[name] or 0.0)


def test_a_key_reaches_through_a_route_only_what_it_may_ask_for(platform: Platform, routes: Routes, make: Any) -> None:
    make()
    made = routes.caller
    held = frozenset({"deployment.use"})

    def limited(*models: str) -> Caller:
        return Caller("bob", "k", "default", "staging", "developer", held, models or None)

    for caller, allowed in ((limited("deployment/chat"), True), (limited(), True), (limited("acme/*"), False)):
        with access.acting_as(caller), platform.read() as tx:
            if allowed:
                assert resolve(tx, "chat", "staging").model == "acme/big"
                with pytest.raises(Denied):
                    resolve(tx, "acme/big", "staging")
            else:
                with pytest.raises(Denied, match="may not ask for deployment/chat"):
                    resolve(tx, "chat", "staging")
    author = Caller("eve", "k", "default", "staging", "operator", made.permissions, ("beta/*",))
    with access.acting_as(author), pytest.raises(Denied):
        routes.create("wide", [{"target": "acme/big"}])  # type: ignore[list-item]


def test_a_name_is_a_route_or_a_deployment_and_a_protected_environment_takes_what_was_approved(
    platform: Platform, routes: Routes, small_model: str, make: Any
) -> None:
    made = Releases(platform).create("answers", model=small_model)
    deployments = Deployments(platform)
    deployments.create("answers", made.ref)
    make("answers", made.ref)
    with pytest.raises(Conflict, match="is a route"):
        deployments.create("chat", made.ref)
    with pytest.raises(Conflict, match="is a deployment"):
        routes.create("answers", [{"target": "acme/big"}])  # type: ignore[list-item]
    with access.acting_as(replace(access.current(), environment="production")):
        with pytest.raises(Conflict, match="approved releases only"):
            routes.create("chat", [{"target": "acme/big"}])  # type: ignore[list-item]
        with pytest.raises(Denied, match="approved releases only"):
            routes.create("chat", [{"target": made.ref}])  # type: ignore[list-item]
    deployments.pause("answers")
    said = routes.test("chat")
    assert [(step.candidate, step.rank) for step in said.steps] == [(made.ref, 1), ("answers", 0)]
    assert "paused" in said.steps[1].why
    routes.delete("chat")
    with pytest.raises(NotFound):
        routes.get("chat")
    assert routes.history("chat").items[0].action == "delete"
    deployments.create("chat", made.ref)


@pytest.mark.parametrize(
    "terms",
    [
        {"pin": "gamma/x"},
        {"rules": [{"when": [{"of": "tag", "equals": "a"}], "candidates": ["gamma/x"]}]},
        {"rules": [{"when": [{"of": "tag"}], "candidates": ["acme/big"]}]},
        {"rules": [{"when": [{"of": "header", "name": "Authorization", "prefix": "B"}], "candidates": ["acme/big"]}]},
    ],
)
def test_terms_that_make_no_sense_are_refused(make: Any, terms: Any) -> None:
    with pytest.raises(Invalid):
        make(**terms)
    with pytest.raises(Invalid):
        make("acme/big", "acme/big")


def test_a_route_is_listed_and_embeds_too(staging: OpenAI, vendor: Vendor, make: Any) -> None:
    make("anth/big", "acme/big")
    assert "chat" in [model.id for model in staging.models.list()]
    vendor.fail = (500, {"error": {"message": "down"}})
    with pytest.raises(openai.APIError):
        staging.embeddings.create(model="chat", input="hello")
    vendor.fail = None
    made = staging.embeddings.create(model="chat", input="hello", encoding_format="float")
    assert made.data[0].embedding == [0.5, 0.5, 0.5]


def test_the_chat_port_asks_routes(platform: Platform, fixed_engine: FixedEngine, vendor: Vendor, make: Any) -> None:
    from mainspring.kernel.ports import ChatRequest
    from mainspring.serving import EngineChat

    make()
    vendor.fail = (500, {"error": {"message": "down"}})
    reply = EngineChat(platform).complete(ChatRequest(model="chat", messages=HI))
    assert reply.text == "Second here"
