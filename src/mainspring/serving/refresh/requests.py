"""Requests: a refresh that somebody asks for, or an action of a monitor's alert, by the same policy and contract.

A person's request is due at once. An alert's waits as every other condition does: for the cool-down, the quiet hours
and the bound a week. It is answered once, by the refresh that is under way or the next one, and withdrawn where the
alert ends before that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import select

from mainspring.kernel import access, events
from mainspring.kernel.errors import Conflict
from mainspring.kernel.platform import Platform
from mainspring.kernel.tx import Tx
from mainspring.serving import deployments
from mainspring.serving.refresh import policies
from mainspring.serving.refresh.models import Refresh, RefreshFinding
from mainspring.serving.refresh.tables import refresh_policies

_LOOKED_BACK = 50


class Answer(NamedTuple):
    """What came of an alert's request."""

    refresh: Refresh | None
    """The one that answers it; None where it waits."""
    waits: str
    """Why it waits, or empty."""


def require_policy(tx: Tx, environment: str, deployment: str) -> None:
    """Raise NotFound for a deployment whose refreshes no policy bounds."""
    policies.get(tx, environment, deployment)


def request(platform: Platform, environment: str, deployment: str, note: str) -> Refresh:
    """Make a refresh due because the caller asks for it. Raises NotFound, and Conflict where none can be due now."""
    found = policies.check(platform, environment, deployment)
    with platform.begin() as tx:
        row = policies.get(tx, environment, deployment)
        going = policies.under_way(tx, environment, deployment)
        if going is not None:
            raise Conflict(f"The refresh {going.id} of {deployment} is {going.state}.", hint="Finish it first.")
        if deployments.get(tx, environment, deployment).state == "paused":
            raise Conflict(f"{deployment} is paused.", hint=f"`mainspring deployment resume {deployment}`.")
        said = f"{tx.caller.member} asked for it" + (f": {note}" if note else ".")
        asked = RefreshFinding(kind="request", met=True, summary=said, evidence={"by": tx.caller.member, "note": note})
        due = policies.fire(tx, row, found.model_copy(update={"findings": [*found.findings, asked]}))
        if due is None:
            raise Conflict(f"Another refresh of {deployment} became due at the same time.", hint="Look at it.")
        return due


def answer(platform: Platform, environment: str, deployment: str, *, alert: str, monitor: str, by: str) -> Answer:
    """Ask for a refresh on behalf of an alert; asked again for the same alert, tell what answers it.

    Raises NotFound where the deployment or its policy is gone.
    """
    with access.acting_as(access.system(access.current().project, environment)):
        with platform.begin() as tx:
            row = policies.get(tx, environment, deployment)
            known = _answering(tx, environment, deployment, alert)
            if known is not None:
                return Answer(known, "")
            if not row["signal"] or row["signal"]["alert"] == alert:
                signal = {"alert": alert, "monitor": monitor, "at": tx.now.isoformat(), "by": by}
                policies.set_signal(tx, row, signal)
        due = policies.look(platform, environment, deployment)
        if due is not None:
            return Answer(due, "")
        with platform.begin() as tx:
            row, due = policies.get(tx, environment, deployment), _answering(tx, environment, deployment, alert)
            if due is not None and row["signal"].get("by") and row["signal"]["alert"] == alert:
                policies.set_signal(tx, row, {})  # another look was first, which had not seen the request
    return Answer(due, "" if due else row["held_back"] or "The worker looks again within five minutes.")


@events.on("alert.resolved", consumer="serving.refresh")
def withdraw(platform: Platform, payload: dict[str, Any]) -> None:
    """Drop what an alert asked for where it ended before a refresh was due."""
    with platform.begin() as tx:
        mine = select(refresh_policies).where(refresh_policies.c.project == tx.project)
        for row in tx.execute(mine).mappings().all():
            signal = row["signal"]
            if signal.get("by") and signal["alert"] == payload["alert"] and not _own(row):
                policies.set_signal(tx, row, {})


def _own(row: Any) -> bool:
    """Tell whether the policy waits for that monitor in any case."""
    return bool(row["terms"].get("drift_monitor") == row["signal"]["monitor"])


def _answering(tx: Tx, environment: str, deployment: str, alert: str) -> Refresh | None:
    for one in policies.latest(tx, environment, deployment, _LOOKED_BACK):
        if one.state in ("due", "started"):
            return one
        if any(finding.met and finding.evidence.get("alert") == alert for finding in one.findings):
            return one
    return None
