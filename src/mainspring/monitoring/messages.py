"""Messages: an alert in the form that each kind of channel takes."""

from __future__ import annotations

from typing import Any

PAGER = {"alert.opened": "trigger", "alert.acknowledged": "acknowledge", "alert.resolved": "resolve"}


def slack(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message in the form of Slack's incoming webhooks; its control characters are escaped as they ask."""
    alert = message["alert"]
    marks = {"alert.resolved": ":white_check_mark:", "alert.acknowledged": ":eyes:"}
    text = f"{alert['title']}\n{alert['summary']}"
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(plain, escaped)
    return {"text": f"{marks.get(message['type'], ':rotating_light:')} [{alert['severity']}] {text}"}


def pager_duty(message: dict[str, Any], routing_key: str) -> dict[str, Any]:
    """Return a message in the form of PagerDuty's Events API v2; opening, acknowledging and ending share a key."""
    alert = message["alert"]
    found: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": PAGER.get(message["type"], "trigger"),
        "dedup_key": str(alert.get("id") or message["id"]),
    }
    if found["event_action"] == "trigger":
        details = {"summary": alert["summary"], "traces": alert.get("trace_ids", []), "project": message["project"]}
        found["payload"] = {
            "summary": f"{alert['title']}: {alert['summary']}"[:1024],
            "source": f"mainspring/{message['project']}",
            "severity": alert["severity"],
            "component": alert.get("target") or "all traffic",
            "custom_details": details,
        }
    return found
