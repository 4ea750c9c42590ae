"""Back-tests: what a monitor would have said at each look over the past, before it is switched on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from mainspring.kernel.platform import Platform
from mainspring.monitoring import checks
from mainspring.monitoring.models import BackTest, BackTestLook, Monitor

MOST_LOOKS = 200


class _Then:
    """A clock that stands still."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment


def back_test(platform: Platform, monitor: Monitor, days: float) -> BackTest:
    """Look as the monitor would have looked, at most 200 times; where it would have looked oftener, at wider steps.

    An alert is a run of looks that fire, as it is where the monitor is on: it ends with the first look that is well.
    """
    platform.spans.flush()
    until = platform.clock.now()
    step = max(timedelta(minutes=monitor.every_minutes), timedelta(days=days) / MOST_LOOKS)
    count = max(1, int(timedelta(days=days) / step))
    looks = []
    for back in range(count - 1, -1, -1):
        at = until - step * back
        found = checks.look(replace(platform, clock=_Then(at)), monitor)
        looks.append(BackTestLook(at=at, state=found.state, value=found.value, n=found.n, summary=found.summary))
    alerts, live = 0, False
    for look in looks:
        if look.state == "firing" and not live:
            alerts, live = alerts + 1, True
        elif look.state == "ok":
            live = False
    states = [look.state for look in looks]
    return BackTest(
        monitor=monitor.name,
        every_minutes=step.total_seconds() / 60,
        looks=looks,
        alerts=alerts,
        firing=states.count("firing"),
        insufficient=states.count("insufficient"),
        summary=f"In {days:g} {'day' if days == 1 else 'days'} it would have opened {alerts} "
        f"{'alert' if alerts == 1 else 'alerts'}; "
        f"{states.count('firing')} of {count} looks fire, {states.count('insufficient')} had too little traffic.",
    )
