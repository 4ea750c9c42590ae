"""Actions: what an alert sets going when it opens, through the durable outbox, each once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import select, update

from mainspring.kernel import access, audit, events
from mainspring.kernel.errors import Conflict, Denied, Invalid, MainspringError, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.tx import Tx
from mainspring.monitoring.annotation import Queues
from mainspring.monitoring.models import Action, Alert, SetAction
from mainspring.monitoring.tables import alerts
from mainspring.serving import Deployments, deployments, refresh
from mainspring.workspace import environment_for, still_may

TOPIC = "alert.action"
_LOOKED_BACK = timedelta(days=2)
_MOVES = 20
_NEEDS = {"queue": "queue.write", "rollback": "deployment.write", "refresh": "deployment.write"}
_FINAL = (Conflict, Denied, Invalid, NotFound)
"""It will not be otherwise the next time."""


class Outcome(NamedTuple):
    """What came of an action."""

    said: str
    more: dict[str, str] = {}
    """What the note of it holds beside."""


def check(tx: Tx, actions: list[Action], target: str, environment: str) -> list[SetAction]:
    """Return actions as the caller sets them.

    Raises Invalid for one that a monitor of this target cannot take, Denied where the caller may not take it there,
    NotFound for a queue or a refresh policy that is not there.
    """
    require(tx, actions, environment)
    return [_checked(tx, action, target, environment) for action in actions]


def require(tx: Tx, actions: Sequence[Action], environment: str) -> None:
    """Raise Denied or NotFound where the caller may not take these actions there."""
    for action in actions:
        access.require(tx.caller, _NEEDS[action.do])
        if action.do != "queue" and environment:
            environment_for(tx, environment)


def take(platform: Platform, payload: dict[str, Any]) -> None:
    """Do what an alert asks for, and note in the alert what came of it. What is done already is not done again."""
    alert = _find(platform, payload["alert"])
    if alert is None:
        return
    action = SetAction(**payload["action"])
    if any(_same(one, action) and not one.get("again") for one in alert.detail.get("actions", [])):
        return
    try:
        with platform.read() as tx:
            _require_maker(tx, action)
        came = _DO[action.do](platform, alert, action)
    except _FINAL as problem:
        outcome = "denied" if isinstance(problem, Denied) else "failed"
        _note(platform, alert.id, action, Outcome(f"Not done: {problem.message} {problem.hint}".strip()), outcome)
    except Exception as problem:
        said = problem.message if isinstance(problem, MainspringError) else type(problem).__name__
        said = f"Not done yet: {said} It is tried {events.MAX_ATTEMPTS} times in all, with growing pauses."
        _note(platform, alert.id, action, Outcome(said, {"again": "yes"}), "failed")
        raise
    else:
        _note(platform, alert.id, action, came, "ok")


def follow(platform: Platform, payload: dict[str, Any]) -> None:
    """Note in the alert that asked for a refresh that it is due, or what came of it."""
    for finding in payload["findings"]:
        if finding["kind"] != "alert" or not finding["met"]:
            continue
        alert = _find(platform, finding["evidence"]["alert"])
        if alert is not None:
            set_by = {"set_by": finding["evidence"]["by"], "set_with": "", "set_at": finding["evidence"]["at"]}
            action = SetAction(do="refresh", deployment=payload["deployment"], **set_by)
            _note(platform, alert.id, action, _of_refresh(refresh.Refresh(**payload)), "ok")


def _checked(tx: Tx, action: Action, target: str, environment: str) -> SetAction:
    deployment = ""
    if action.do == "queue":
        if not action.queue:
            raise Invalid("The action names no queue.", hint='{"do": "queue", "queue": "NAME"}', param="actions")
        Queues(tx.platform).get(action.queue)
    else:
        named = action.deployment if action.do == "refresh" else ""
        deployment = named or target
        verb = "rolled back" if action.do == "rollback" else "refreshed"
        if not deployment or deployment.startswith("release/"):
            hint = "Give the monitor a target" + (", or name one." if action.do == "refresh" else ".")
            raise Invalid(f"Only a deployment can be {verb}.", hint=hint, param="target")
        if not environment:
            raise Invalid(f"A deployment is {verb} in one environment.", hint="Name it.", param="environment")
    if action.do == "refresh":
        refresh.require_policy(tx, environment, deployment)
    return SetAction(
        do=action.do,
        queue=action.queue if action.do == "queue" else "",
        deployment=deployment if action.do == "refresh" else "",
        set_by=tx.caller.member,
        set_with=tx.caller.key_id,
        set_at=tx.now,
    )


def _require_maker(tx: Tx, action: SetAction) -> None:
    """Raise Denied where whoever set an action may not take it any more."""
    needed = _NEEDS[action.do]
    itself = action.set_by == access.system().member and not action.set_with
    if not itself and not still_may(tx, action.set_by, action.set_with, needed, action.set_at):
        raise Denied(
            f"{action.set_by}, who set the action, may not do this any more.",
            hint=f"Let somebody set it anew who holds '{needed}'.",
        )


def _find(platform: Platform, alert_id: str) -> Alert | None:
    with platform.read() as tx:
        mine = (alerts.c.project == tx.project) & (alerts.c.id == alert_id)
        row = tx.execute(select(alerts).where(mine)).mappings().one_or_none()
    return Alert(**{name: row[name] for name in Alert.model_fields}) if row else None


def _same(noted: dict[str, Any], action: Action) -> bool:
    return (noted["do"], noted["queue"], noted.get("deployment", "")) == (action.do, action.queue, action.deployment)


def _note(platform: Platform, alert_id: str, action: SetAction, came: Outcome, outcome: str) -> None:
    """Write into the alert and the audit log what came of an action; the same of the same refresh is noted once."""
    with platform.begin() as tx:
        mine = (alerts.c.project == tx.project) & (alerts.c.id == alert_id)
        row = tx.execute(select(alerts).where(mine).with_for_update()).mappings().one()
        known = [one for one in row["detail"].get("actions", []) if not (_same(one, action) and one.get("again"))]
        if came.more.get("refresh") and any(came.more.items() <= one.items() for one in known):
            return
        fields = action.model_dump(mode="json", exclude={"set_with", "set_at"})
        known.append({**fields, **came.more, "result": came.said, "at": tx.now.isoformat()})
        tx.execute(update(alerts).where(mine).values(detail={**row["detail"], "actions": known}))
        detail = {"alert": alert_id, "monitor": row["monitor"], "set_by": action.set_by, "result": came.said}
        audit.append(tx, f"alert.{action.do}", action.deployment or row["target"] or row["monitor"], outcome, detail)


def _queue(platform: Platform, alert: Alert, action: SetAction) -> Outcome:
    if not alert.trace_ids:
        return Outcome("Nothing to look at.")
    added = Queues(platform).add(action.queue, alert.trace_ids, why=f"{alert.title} ({alert.id})"[:2000])
    return Outcome(f"{added.added} traces put into the queue {action.queue}.")


def _roll_back(platform: Platform, alert: Alert, action: SetAction) -> Outcome:
    note = f"Rolled back by the alert {alert.id} of {alert.monitor}: {alert.summary}"[:2000]
    now = Deployments(platform).rollback(alert.target, environment=alert.environment, note=note)
    return Outcome(f"{alert.target} answers with {now.baseline} again.")


def _refresh(platform: Platform, alert: Alert, action: SetAction) -> Outcome:
    if alert.state == "resolved":
        raise Conflict("The alert ended before.")
    asked = {"alert": alert.id, "monitor": alert.monitor, "by": action.set_by}
    got = refresh.answer(platform, alert.environment, action.deployment, **asked)
    if got.refresh is None:
        return Outcome(f"A refresh of {action.deployment} is asked for, and waits: {got.waits}")
    return _of_refresh(got.refresh)


def _of_refresh(one: refresh.Refresh) -> Outcome:
    said = {
        "due": "is due: whoever runs refreshes takes it on",
        "started": f"is under way: {one.started_by} started it",
        "done": f"is done: {one.outcome}" if one.outcome else "is done",
        "dry run": "is noted alone, because its policy is a dry run",
    }.get(one.state, one.state)
    ended = f" ({one.note})" if one.note and one.ended_at else ""
    words = f"The refresh {one.id} of {one.deployment} {said}{ended}."
    return Outcome(words[:2000], {"refresh": one.id, "state": one.state})


_DO: dict[str, Callable[[Platform, Alert, SetAction], Outcome]] = {
    "queue": _queue,
    "rollback": _roll_back,
    "refresh": _refresh,
}


def changes(tx: Tx, target: str, environment: str) -> list[dict[str, Any]]:
    """Return how the deployment of an alert was moved in the two days before, newest first: what may be the cause."""
    if not target or target.startswith("release/") or not environment:
        return []
    try:
        moves, _ = deployments.history(tx, environment, target, _MOVES)
    except MainspringError:
        return []
    return [
        {
            "action": move.action,
            "baseline": move.baseline,
            "canary": move.canary,
            "at": move.moved_at.isoformat(),
            "by": move.moved_by,
        }
        for move in moves
        if move.moved_at >= tx.now - _LOOKED_BACK
    ]
