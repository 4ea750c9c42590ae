"""What the worker does for monitoring: looks at what is due, delivers messages, erases what is too old."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from mainspring.kernel import events, hooks
from mainspring.kernel.platform import Platform
from mainspring.monitoring import actions, channels, watch
from mainspring.monitoring.tables import monitors
from mainspring.serving import refresh
from mainspring.traces import expire


@events.on(channels.TOPIC, consumer="monitoring.channels")
def deliver_message(platform: Platform, payload: dict[str, Any]) -> None:
    """Send one message about an alert to one channel."""
    channels.deliver(platform, payload)


@events.on(actions.TOPIC, consumer="monitoring.actions")
def take_action(platform: Platform, payload: dict[str, Any]) -> None:
    """Do what an alert asks for when it opens."""
    actions.take(platform, payload)


@events.on(refresh.REFRESH_DUE, consumer="monitoring.actions")
@events.on(refresh.REFRESH_ENDED, consumer="monitoring.actions")
def follow_refresh(platform: Platform, payload: dict[str, Any]) -> None:
    """Say in the alert that asked for a refresh what becomes of it."""
    actions.follow(platform, payload)


hooks.periodic("monitoring.watch", 5.0, watch.run_due, select(monitors.c.id).where(monitors.c.enabled))
hooks.periodic("traces.expire", 600.0, expire)
