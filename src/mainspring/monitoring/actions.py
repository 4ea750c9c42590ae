"""Actions: what an alert sets going when it opens, through the durable outbox, each once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from mainspring.kernel import access, audit
from mainspring.kernel.errors import Conflict, Invalid, MainspringError, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.tx import Tx
from mainspring.monitoring.annotation import Queues
from mainspring.monitoring.models import Action, Alert
from mainspring.monitoring.tables import alerts
from mainspring.serving import Deployments, deployments
from mainspring.workspace import environment_for

TOPIC = "alert.action"
_LOOKED_BACK = timedelta(days=2)
_MOVES = 20


def check(tx: Tx, actions: list[Action], target: str, environment: str) -> None:
    """Refuse an action that a monitor of this target cannot take, or that the caller may not set up there.

    Raises Invalid, Denied or NotFound.
    """
    for action in actions:
        if action.do == "queue":
            access.require(tx.caller, "queue.write")
            if not action.queue:
                raise Invalid("The action names no queue.", hint='{"do": "queue", "queue": "NAME"}', param="actions")
            Queues(tx.platform).get(action.queue)
        if action.do == "rollback":
            access.require(tx.caller, "deployment.write")
            if not target or target.startswith("release/"):
                raise Invalid(
                    "Only a deployment can be rolled back.", hint="Give the monitor a target.", param="target"
                )
            if not environment:
                raise Invalid("A deployment is rolled back in one environment.", hint="Name it.", param="environment")
            environment_for(tx, environment)


def take(platform: Platform, payload: dict[str, Any]) -> None:
    """Do what an alert asks for, and note in the alert what came of it. What is done already is not done again."""
    with platform.read() as tx:
        row = tx.execute(select(alerts).where(alerts.c.id == payload["alert"])).mappings().one_or_none()
    if row is None:
        return
    alert = Alert(**{name: row[name] for name in Alert.model_fields})
    action = Action(**payload["action"])
    taken = list(alert.detail.get("actions", []))
    if any(one["do"] == action.do and one["queue"] == action.queue for one in taken):
        return
    try:
        said = _DO[action.do](platform, alert, action)
    except (Conflict, NotFound, Invalid) as problem:  # it will not be otherwise the next time
        said = f"Not done: {problem.message}"
    with platform.begin() as tx:
        taken.append({**action.model_dump(mode="json"), "result": said, "at": tx.now.isoformat()})
        change = update(alerts).where(alerts.c.id == alert.id)
        tx.execute(change.values(detail={**alert.detail, "actions": taken}))
        detail = {"alert": alert.id, "monitor": alert.monitor, "result": said}
        audit.append(tx, f"alert.{action.do}", alert.target or alert.monitor, "ok", detail)


def _queue(platform: Platform, alert: Alert, action: Action) -> str:
    if not alert.trace_ids:
        return "Nothing to look at."
    added = Queues(platform).add(action.queue, alert.trace_ids, why=f"{alert.title} ({alert.id})"[:2000])
    return f"{added.added} traces put into the queue {action.queue}."


def _roll_back(platform: Platform, alert: Alert, action: Action) -> str:
    note = f"Rolled back by the alert {alert.id} of {alert.monitor}: {alert.summary}"[:2000]
    now = Deployments(platform).rollback(alert.target, environment=alert.environment, note=note)
    return f"{alert.target} answers with {now.baseline} again."


_DO: dict[str, Callable[[Platform, Alert, Action], str]] = {"queue": _queue, "rollback": _roll_back}


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
