"""Actions of alerts: a refresh that one asks for, once and by its policy, and who may have them taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.conftest import TickingClock
from tests.serving.conftest import register_model
from tests.serving.test_deployment_machine import make_releases

from mainspring.kernel import events
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import audit_rows
from mainspring.monitoring import Alerts, Monitors, Queues, actions
from mainspring.monitoring.annotation import Question
from mainspring.monitoring.models import Action
from mainspring.serving import Deployments
from mainspring.serving.refresh import REFRESH_DUE, Refreshes, refresh_due
from mainspring.workspace import Members, first_start

REFRESH = [Action(do="refresh")]


@pytest.fixture
def docs(platform: Platform, tmp_path: Path) -> list[str]:
    """A deployment docs whose model may be refreshed when that is asked for; the releases that there are."""
    first_start(platform, owner="ann")
    (tmp_path / "small.gguf").write_bytes(b"GGUF, as far as the store is concerned")
    releases = make_releases(platform, register_model(platform, "small", tmp_path / "small.gguf"))["approved"]
    Deployments(platform).create("docs", releases[0])
    Refreshes(platform).set("docs", on_request=True, cooldown_hours=5)
    return list(releases)


def fire(platform: Platform, name: str = "quiet", **fields: Any) -> str:
    """Let a monitor of docs open an alert, and deliver all that follows; return the alert."""
    Monitors(platform).create(name, "no_data", target="docs", actions=fields.pop("actions", REFRESH), **fields)
    opened = Monitors(platform).run(name).alert_id
    deliver(platform)
    return opened


def deliver(platform: Platform) -> None:
    while events.deliver_due(platform):
        pass


def said(platform: Platform, alert: str) -> list[str]:
    return [one["result"] for one in Alerts(platform).get(alert).detail.get("actions", [])]


def told(platform: Platform) -> list[dict[str, Any]]:
    from mainspring.kernel.tables import events as outbox

    with platform.read() as tx:
        return list(tx.execute(select(outbox.c.payload).where(outbox.c.topic == REFRESH_DUE)).scalars())


def audited(platform: Platform, action: str) -> list[Any]:
    with platform.read() as tx:
        return list(tx.execute(select(audit_rows).where(audit_rows.c.action == action)).mappings())


def test_an_alert_makes_one_refresh_due_and_says_what_becomes_of_it(platform: Platform, docs: list[str]) -> None:
    alert = fire(platform)
    [due] = Refreshes(platform).history().items
    [finding] = [one for one in due.findings if one.met]
    assert (due.state, due.release, finding.kind) == ("due", docs[0], "alert")
    assert (finding.evidence["alert"], finding.evidence["by"]) == (alert, "ann")
    assert [event["id"] for event in told(platform)] == [due.id]
    assert said(platform, alert) == [f"The refresh {due.id} of docs is due: whoever runs refreshes takes it on."]
    [row] = audited(platform, "alert.refresh")
    assert (row["target"], row["outcome"], row["detail"]["set_by"]) == ("docs", "ok", "ann")
    [action] = Monitors(platform).get("quiet").actions
    assert (action.deployment, action.set_by, action.set_with) == ("docs", "ann", "key-of-ann")
    actions.take(platform, {"alert": alert, "action": action.model_dump(mode="json")})
    Monitors(platform).run("quiet")
    deliver(platform)
    assert len(Refreshes(platform).history().items) == len(told(platform)) == 1, "one start while the alert is open"
    Refreshes(platform).start(due.id)
    Refreshes(platform).finish(due.id, release=docs[1])
    deliver(platform)
    assert said(platform, alert)[1:] == [f"The refresh {due.id} of docs is done: {docs[1]}."]
    assert refresh_due(platform) == 0


def test_a_refresh_that_failed_is_not_started_again_by_the_same_alert(
    platform: Platform, clock: TickingClock, docs: list[str]
) -> None:
    alert = fire(platform)
    [due] = Refreshes(platform).history().items
    Refreshes(platform).finish(due.id, result="failed", note="no memory")
    deliver(platform)
    assert said(platform, alert)[1] == f"The refresh {due.id} of docs failed (no memory)."
    clock.advance(hours=6)
    assert refresh_due(platform) == 0
    Alerts(platform).resolve(alert)
    Monitors(platform).run("quiet")
    deliver(platform)
    assert len(Refreshes(platform).history().items) == 2, "the next alert asks anew"


def test_what_an_alert_asks_for_waits_as_the_policy_says_and_then_becomes_due(
    platform: Platform, clock: TickingClock, docs: list[str]
) -> None:
    service = Refreshes(platform)
    service.finish(service.request("docs").id)
    alert = fire(platform)
    [waits] = said(platform, alert)
    assert waits.startswith("A refresh of docs is asked for, and waits: It rests until")
    assert service.history(state="due").items == []
    clock.advance(hours=6)
    assert refresh_due(platform) == 1
    deliver(platform)
    [due] = service.history(state="due").items
    assert said(platform, alert)[1].startswith(f"The refresh {due.id} of docs is due")


def test_what_an_alert_asks_for_is_withdrawn_when_it_ends_before(
    platform: Platform, clock: TickingClock, docs: list[str]
) -> None:
    service = Refreshes(platform)
    service.finish(service.request("docs").id)
    alert = fire(platform)
    Alerts(platform).resolve(alert)
    deliver(platform)
    clock.advance(hours=6)
    assert refresh_due(platform) == 0


def test_a_refresh_under_way_answers_an_alert(platform: Platform, clock: TickingClock, docs: list[str]) -> None:
    service = Refreshes(platform)
    going = service.start(service.request("docs").id)
    alert = fire(platform)
    assert said(platform, alert) == [f"The refresh {going.id} of docs is under way: ann started it."]
    service.finish(going.id)
    clock.advance(hours=6)
    assert refresh_due(platform) == 0


def test_a_refresh_of_another_deployment_may_be_asked_for(platform: Platform, docs: list[str]) -> None:
    Deployments(platform).create("other", docs[1])
    Refreshes(platform).set("other", on_request=True)
    fire(platform, actions=[Action(do="refresh", deployment="other")])
    assert [one.deployment for one in Refreshes(platform).history().items] == ["other"]


def test_a_failure_to_start_stands_in_the_alert(platform: Platform, docs: list[str]) -> None:
    Monitors(platform).create("quiet", "no_data", target="docs", actions=REFRESH)
    Refreshes(platform).clear("docs")
    alert = Monitors(platform).run("quiet").alert_id
    deliver(platform)
    assert said(platform, alert)[0].startswith("Not done: docs has no refresh policy in production. `mainspring")
    assert [row["outcome"] for row in audited(platform, "alert.refresh")] == ["failed"]


def test_what_fails_for_the_moment_is_said_and_tried_again(
    platform: Platform, docs: list[str], clock: TickingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:

        def away(*_: Any, **__: Any) -> None:
            raise Unavailable("The store is away.")

        broken.setattr(actions.refresh, "answer", away)
        alert = fire(platform)
        assert said(platform, alert) == [
            "Not done yet: The store is away. It is tried 12 times in all, with growing pauses."
        ]
    clock.advance(minutes=5)
    deliver(platform)
    assert len(said(platform, alert)) == 1 and "is due" in said(platform, alert)[0]


def test_an_action_is_taken_while_who_set_it_may_still_take_it(
    platform: Platform, docs: list[str], acting: Any
) -> None:
    Members(platform).add("olga", "operator")
    with acting("operator", "olga"):
        Monitors(platform).create("quiet", "no_data", target="docs", actions=REFRESH)
    Members(platform).update("olga", role="developer")
    alert = Monitors(platform).run("quiet").alert_id
    deliver(platform)
    assert said(platform, alert)[0].startswith("Not done: olga, who set the action, may not do this any more.")
    assert [row["outcome"] for row in audited(platform, "alert.refresh")] == ["denied"]
    assert Refreshes(platform).history().items == []
    assert Monitors(platform).update("quiet", actions=REFRESH).actions[0].set_by == "ann"
    Alerts(platform).resolve(alert)
    Monitors(platform).run("quiet")
    deliver(platform)
    assert len(Refreshes(platform).history().items) == 1


def test_a_rollback_needs_its_maker_too(platform: Platform, docs: list[str], acting: Any) -> None:
    Members(platform).add("olga", "operator")
    with acting("operator", "olga"):
        Monitors(platform).create("quiet", "no_data", target="docs", actions=[Action(do="rollback")])
    Members(platform).remove("olga")
    alert = Monitors(platform).run("quiet").alert_id
    deliver(platform)
    assert said(platform, alert)[0].startswith("Not done: olga")


def test_a_refresh_is_set_up_where_there_is_one_to_ask_for(platform: Platform, docs: list[str], acting: Any) -> None:
    create = Monitors(platform).create
    Deployments(platform).create("bare", docs[1])
    for target, more, error, words in (
        ("", {}, Invalid, "Only a deployment"),
        ("release/docs@1", {}, Invalid, "Only a deployment"),
        ("docs", {"environment": ""}, Invalid, "one environment"),
        ("bare", {}, NotFound, "no refresh policy"),
    ):
        with pytest.raises(error, match=words):
            create("m", "no_data", target=target, actions=REFRESH, **more)
    with acting("developer", "dave"), pytest.raises(Denied):
        create("m", "no_data", target="docs", actions=REFRESH)
    create("m", "no_data", target="docs", actions=REFRESH)
    Refreshes(platform).clear("docs")
    assert Monitors(platform).update("m", actions=[]).actions == [], "what cannot be done any more is taken back"


def test_somebody_asks_for_a_refresh_whatever_its_policy_waits_for(platform: Platform, docs: list[str]) -> None:
    service = Refreshes(platform)
    first = service.request("docs", note="the tone is off")
    assert first.state == "due" and first.reason == "ann asked for it: the tone is off"
    with pytest.raises(Conflict, match=f"The refresh {first.id} of docs is due"):
        service.request("docs")
    service.finish(first.id)
    assert service.request("docs").state == "due"
    with pytest.raises(NotFound):
        service.request("nobody")


def test_an_alert_that_was_set_up_before_makers_were_kept_acts_for_who_made_the_monitor(
    platform: Platform, docs: list[str]
) -> None:
    from sqlalchemy import update

    from mainspring.monitoring.tables import monitors

    Queues(platform).create("look", [Question(name="why", kind="text")])
    Monitors(platform).create("quiet", "no_data", target="docs")
    with platform.begin() as tx:
        tx.execute(update(monitors).values(actions=[{"do": "queue", "queue": "look"}]))
    [action] = Monitors(platform).get("quiet").actions
    assert (action.queue, action.set_by, action.set_with) == ("look", "ann", "")
    alert = Monitors(platform).run("quiet").alert_id
    deliver(platform)
    assert said(platform, alert) == ["Nothing to look at."]
