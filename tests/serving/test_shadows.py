"""Shadows: another release answers too, after the caller, for nobody to see, and at nobody's cost."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI
from tests.serving.conftest import Upstream, eventually
from tests.serving.test_deployment_machine import make_releases

from mainspring.kernel.errors import Conflict, Denied
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span, SpanFilter
from mainspring.registry import Models, Providers, releases
from mainspring.registry.service import Releases
from mainspring.serving.service import Deployments
from mainspring.workspace import Projects

HI: Any = [{"role": "user", "content": "Say hi"}]


@pytest.fixture
def known(platform: Platform, small_model: str) -> dict[str, list[str]]:
    """Releases, and a deployment of the first that the second shadows."""
    Projects(platform).create("default")
    made = make_releases(platform, small_model)
    Deployments(platform).create("docs", made["approved"][0])
    Deployments(platform).shadow("docs", made["approved"][1], share=1.0)
    return made


def spans(platform: Platform, **where: Any) -> list[Span]:
    platform.spans.flush()
    return list(platform.spans.scan("default", SpanFilter(**where), limit=100))


@pytest.mark.parametrize("stream", [False, True])
def test_a_copy_is_answered_after_the_caller_and_marked(
    platform: Platform, known: dict[str, list[str]], client: OpenAI, upstream: Upstream, stream: bool
) -> None:
    first, second = known["approved"][:2]
    raw = client.chat.completions.with_raw_response.create(model="docs", messages=HI, user="bob", stream=stream)
    assert raw.headers["x-mainspring-release"] == first
    if stream:
        assert "".join(part.choices[0].delta.content or "" for part in raw.parse() if part.choices) == "Hello there."
    eventually(lambda: len(spans(platform)) == 2)
    [copy] = spans(platform, service="shadow")
    [call] = spans(platform, deployment="docs")
    assert (copy.release, copy.deployment, copy.user_id, copy.environment) == (second, "", "", "production")
    assert copy.trace_id != call.trace_id
    assert copy.attributes["mainspring.metadata.shadow_of"] == call.trace_id
    assert "mainspring.member" not in copy.attributes and "mainspring.arm" not in copy.attributes
    assert [body["messages"][0]["content"] for body in upstream.bodies] == ["Voice 0.", "Voice 1."]
    assert upstream.bodies[1].get("stream") is None


def test_a_shadow_gives_way_and_what_fails_is_counted(
    platform: Platform, known: dict[str, list[str]], client: OpenAI, upstream: Upstream, gateway_metrics: Any
) -> None:
    client.chat.completions.create(model="docs", messages=HI)
    eventually(lambda: 'outcome="answered"} 1' in gateway_metrics())
    begun = len(upstream.bodies)
    # The copy hangs at its model; the next caller is answered all the same, and the copy gives up its place.
    upstream.hold_when = "Voice 1."
    client.chat.completions.create(model="docs", messages=HI)
    eventually(lambda: len(upstream.bodies) == begun + 2)
    assert client.chat.completions.create(model="docs", messages=HI).choices[0].message.content == "Hello there."
    assert upstream.cancelled.wait(60)
    upstream.hold_when, upstream.fail_when = "", "Voice 1."
    client.chat.completions.create(model="docs", messages=HI)
    eventually(lambda: 'outcome="failed"}' in gateway_metrics())
    assert all(span.status == "ok" for span in spans(platform, deployment="docs"))


def test_a_shadow_that_may_not_answer_harms_nobody(
    platform: Platform, known: dict[str, list[str]], client: OpenAI, upstream: Upstream
) -> None:
    service, second = Deployments(platform), known["approved"][1]
    with platform.begin() as tx:
        releases.move(tx, releases.load(tx, second), "withdrawn", "withdrawn")
    assert client.chat.completions.create(model="docs", messages=HI).choices[0].message.content
    assert len(upstream.bodies) == 1
    with pytest.raises(Conflict):
        service.shadow("docs", second)
    with pytest.raises(Denied):
        service.shadow("docs", known["draft"][0])
    assert service.unshadow("docs").shadow == ""
    with pytest.raises(Conflict):
        service.unshadow("docs")
    assert [move.action for move in service.history("docs").items] == ["shadow", "shadow", "create"]


@pytest.fixture
def gateway_metrics(gateway_url: str, gateway_server: Any) -> Any:
    """What the gateway has counted."""
    gateway = gateway_server.app.gateway
    return lambda: gateway.totals().render()


def test_more_copies_than_there_is_room_for_are_dropped(
    platform: Platform, known: dict[str, list[str]], client: OpenAI, upstream: Upstream, gateway_metrics: Any
) -> None:
    upstream.hold_when = "Voice 1."

    # Each new caller makes the copy give way, and a copy that gave way twice is dropped.
    def dropped() -> bool:
        client.chat.completions.create(model="docs", messages=HI)
        return 'outcome="dropped"}' in gateway_metrics()

    eventually(dropped)


def test_a_provider_answers_copies_beside_the_traffic(
    providers: Providers,
    platform: Platform,
    known: dict[str, list[str]],
    client: OpenAI,
    gateway_metrics: Any,
) -> None:
    model = Models(platform).connect("gpt", "acme", "big", license="proprietary", context=128_000)
    made = Releases(platform).create("away", model=model.ref)
    with platform.begin() as tx:
        made = releases.move(tx, releases.move(tx, made, "checked", "in_review"), "approved", "approved")
    Deployments(platform).shadow("docs", made.ref, share=1.0)
    for _ in range(4):
        client.chat.completions.create(model="docs", messages=HI)
    eventually(lambda: 'outcome="answered"} 4' in gateway_metrics())
    assert "dropped" not in gateway_metrics()
    copies = spans(platform, service="shadow")
    assert len(copies) == 4 and {span.model for span in copies} == {model.ref}
