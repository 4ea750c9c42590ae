"""Deployments: what is live under a name, the canary beside it, and who may change it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from openai import OpenAI
from tests.serving.conftest import Upstream

from mainspring.kernel import access, versions
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import Conflict, Denied, NotFound
from mainspring.kernel.platform import Platform
from mainspring.prompts.service import Prompts
from mainspring.registry import releases
from mainspring.registry.models import Release
from mainspring.registry.service import Releases
from mainspring.serving.deployments import arm_of
from mainspring.serving.service import Deployments
from mainspring.workspace import Projects

HI: Any = [{"role": "user", "content": "Say hi"}]


@pytest.fixture
def home(platform: Platform) -> Platform:
    """A platform whose project has its environments: production, which is protected, and staging."""
    Projects(platform).create("default")
    return platform


def release(platform: Platform, model: str, text: str, *, approved: bool = True) -> str:
    """Make a release whose prompt begins with a text of its own."""
    messages: Any = [{"role": "system", "content": text}]
    prompt = Prompts(platform).commit("voice", messages)
    made = Releases(platform).create("voice", model=model, prompt=prompt.ref)
    return approve(platform, made).ref if approved else made.ref


def approve(platform: Platform, made: Release) -> Release:
    with platform.begin() as tx:
        checked = releases.move(tx, made, "checked", "in_review")
        return releases.move(tx, checked, "approved", "approved")


def withdraw(platform: Platform, ref: str) -> None:
    with platform.begin() as tx:
        releases.move(tx, releases.load(tx, ref), "withdrawn", "withdrawn")


def at(environment: str) -> AbstractContextManager[Caller]:
    """Go on with a key of another environment."""
    return access.acting_as(replace(access.current(), environment=environment))


def test_a_key_changes_its_own_environment_only_unless_it_roams(home: Platform, small_model: str) -> None:
    service = Deployments(home)
    ref = release(home, small_model, "One.")
    with pytest.raises(Denied, match="bound to production"):
        service.create("docs", ref, environment="staging")
    with at("staging"):
        service.create("docs", ref)
    for change in (service.promote, service.rollback, service.pause):
        with pytest.raises(Denied):
            change("docs", environment="staging")
    owner = replace(access.system("default", "production"), member="ann")
    with access.acting_as(owner):
        assert service.pause("docs", environment="staging").state == "paused"


def test_the_life_of_a_deployment(home: Platform, small_model: str) -> None:
    service = Deployments(home)
    first, second = release(home, small_model, "One."), release(home, small_model, "Two.")
    made = service.create("docs", first)
    assert (made.baseline, made.canary, made.state, made.revision) == (first, "", "active", 1)
    assert made.environment == "production"
    rolled = service.roll("docs", second, weight=0.25, note="try it")
    assert (rolled.baseline, rolled.canary, rolled.weight) == (first, second, 0.25)
    promoted = service.promote("docs")
    assert (promoted.baseline, promoted.canary, promoted.previous) == (second, "", first)
    assert service.rollback("docs").baseline == first
    assert service.pause("docs").state == "paused"
    assert service.resume("docs").state == "active"
    history = service.history("docs").items
    assert [move.action for move in history] == ["resume", "pause", "rollback", "promote", "roll", "create"]
    assert history[4].note == "try it"
    assert {move.moved_by for move in history} == {"ann"}
    assert service.get("docs") == history[0]
    assert [deployment.name for deployment in service.list_().items] == ["docs"]


def test_what_does_not_fit_is_refused(home: Platform, small_model: str) -> None:
    service = Deployments(home)
    ref = release(home, small_model, "One.")
    service.create("docs", ref)
    for wrong in (
        lambda: service.create("docs", ref),
        lambda: service.roll("docs", ref),
        lambda: service.promote("docs"),
        lambda: service.rollback("docs"),
        lambda: service.resume("docs"),
    ):
        with pytest.raises(Conflict):
            wrong()
    for unknown in (
        lambda: service.get("nothing"),
        lambda: service.history("nothing"),
        lambda: service.create("more", "release/nothing"),
        lambda: service.create("more", ref, environment="nowhere"),
    ):
        with pytest.raises(NotFound):
            unknown()
    assert len(service.history("docs").items) == 1


def test_a_protected_environment_takes_approved_releases_only(home: Platform, small_model: str) -> None:
    service = Deployments(home)
    draft = release(home, small_model, "Draft.", approved=False)
    with pytest.raises(Denied):
        service.create("docs", draft)
    with at("staging"):
        assert service.create("docs", draft).environment == "staging"
    service.create("docs", release(home, small_model, "One."))
    with pytest.raises(Denied):
        service.roll("docs", draft)
    assert service.list_(environment="staging").items[0].baseline == draft


def test_a_release_that_was_withdrawn_is_neither_promoted_nor_returned_to(home: Platform, small_model: str) -> None:
    service = Deployments(home)
    first, second = release(home, small_model, "One."), release(home, small_model, "Two.")
    service.create("docs", first)
    service.roll("docs", second)
    withdraw(home, second)
    with pytest.raises(Conflict, match="withdrawn"):
        service.promote("docs")
    third = release(home, small_model, "Three.")
    service.roll("docs", third)
    service.promote("docs")
    withdraw(home, first)
    with pytest.raises(Conflict, match="withdrawn"):
        service.rollback("docs")


def test_only_who_may_write_changes_it(home: Platform, small_model: str, acting: Any) -> None:
    ref = release(home, small_model, "One.")
    with acting(role="viewer", member="bob") as caller, pytest.raises(Denied):
        assert isinstance(caller, Caller)
        Deployments(home).create("docs", ref)


def test_a_subject_stays_with_its_arm_and_the_share_is_kept(home: Platform, small_model: str) -> None:
    service = Deployments(home)
    service.create("docs", release(home, small_model, "One."))
    canary = release(home, small_model, "Two.")
    subjects = [f"user-{number}" for number in range(2000)]
    before: set[str] = set()
    for weight in (0.1, 0.3, 1.0):
        now = service.roll("docs", canary, weight=weight)
        chosen = {subject for subject in subjects if arm_of(now, subject) == "canary"}
        assert before <= chosen
        assert len(chosen) / len(subjects) == pytest.approx(weight, abs=0.03)
        before = chosen


def test_the_gateway_answers_with_the_release_of_the_arm(
    home: Platform, client: OpenAI, upstream: Upstream, small_model: str
) -> None:
    service = Deployments(home)
    first, second = release(home, small_model, "One."), release(home, small_model, "Two.")
    service.create("docs", first)
    service.roll("docs", second, weight=0.5)
    arms: dict[str, set[str]] = {}
    for number in range(24):
        user = f"user-{number % 12}"
        raw = client.chat.completions.with_raw_response.create(model="docs", messages=HI, user=user)
        arms.setdefault(user, set()).add(raw.headers["x-mainspring-release"])
        system = upstream.bodies[-1]["messages"][0]["content"]
        assert system == {first: "One.", second: "Two."}[raw.headers["x-mainspring-release"]]
    assert all(len(seen) == 1 for seen in arms.values())
    assert {ref for seen in arms.values() for ref in seen} == {first, second}
    service.promote("docs")
    raw = client.chat.completions.with_raw_response.create(model="docs", messages=HI)
    assert raw.headers["x-mainspring-release"] == second
    home.spans.flush()
    [trace, *_] = home.spans.traces("default", _everything(), limit=30)[0]
    assert (trace.deployment, trace.release) == ("docs", second)
    assert "docs" in [model.id for model in client.models.list()]


def _everything() -> Any:
    from mainspring.kernel.spans import SpanFilter

    return SpanFilter(deployment="docs")


def test_what_is_paused_or_withdrawn_does_not_answer(home: Platform, client: OpenAI, small_model: str) -> None:
    from openai import ConflictError

    service = Deployments(home)
    ref = release(home, small_model, "One.")
    service.create("docs", ref)
    service.pause("docs")
    with pytest.raises(ConflictError, match="paused"):
        client.chat.completions.create(model="docs", messages=HI)
    service.resume("docs")
    client.chat.completions.create(model="docs", messages=HI)
    withdraw(home, ref)
    with pytest.raises(ConflictError, match="withdrawn"):
        client.chat.completions.create(model="docs", messages=HI)


@pytest.mark.parametrize("text", ["a note on {{input}}", "{{tone}} and {{text}}"])
def test_a_prompt_takes_the_last_message_as_its_variable(
    home: Platform, client: OpenAI, upstream: Upstream, small_model: str, text: str
) -> None:
    messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    prompt = Prompts(home).commit("note", messages)
    ref = Releases(home).create("note", model=small_model, prompt=prompt.ref).ref
    turns: Any = [{"role": "user", "content": "Before"}, {"role": "assistant", "content": "Yes"}]
    last: Any = {"role": "user", "content": "{{input}} <b>"}
    client.chat.completions.create(
        model=ref, messages=[*turns, last], extra_body={"variables": {"tone": "Kind"}} if "tone" in text else {}
    )
    said = upstream.bodies[0]["messages"]
    expected = text.replace("{{tone}}", "Kind").replace("{{text}}", "\0").replace("{{input}}", "\0")
    assert said == [messages[0], *turns, {"role": "user", "content": expected.replace("\0", "{{input}} <b>")}]


def test_a_release_keeps_its_own_system_message(home: Platform, client: OpenAI, small_model: str) -> None:
    from openai import BadRequestError

    ref = release(home, small_model, "One.")
    system: Any = [{"role": "system", "content": "Forget it."}, *HI]
    with pytest.raises(BadRequestError, match="system message"):
        client.chat.completions.create(model=ref, messages=system)
    with pytest.raises(BadRequestError, match="chat"):
        client.completions.create(model=ref, prompt="Once")


def test_a_missing_variable_is_named(home: Platform, client: OpenAI, small_model: str) -> None:
    from openai import BadRequestError

    messages: Any = [{"role": "user", "content": "{{tone}} and {{text}}"}]
    prompt = Prompts(home).commit("two", messages)
    ref = Releases(home).create("two", model=small_model, prompt=prompt.ref).ref
    with pytest.raises(BadRequestError, match="'text', 'tone'"):
        client.chat.completions.create(model=ref, messages=HI)


def test_a_move_leaves_an_event(home: Platform, small_model: str) -> None:
    from sqlalchemy import select

    from mainspring.kernel.tables import events

    Deployments(home).create("docs", release(home, small_model, "One."))
    with home.read() as tx:
        [payload] = tx.execute(select(events.c.payload).where(events.c.topic == "deployment.moved")).scalars()
        assert payload["name"] == "docs"
        assert versions.resolve(tx, payload["baseline"]).kind == "release"
