"""Operations of monitoring: monitors, alerts, channels and drift."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import delete, select

from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, RefText, paginate
from mainspring.kernel.service import Service
from mainspring.monitoring import actions as action_store
from mainspring.monitoring import alerts as alert_store
from mainspring.monitoring import channels as channel_store
from mainspring.monitoring import checks, shift, watch
from mainspring.monitoring import drift as drift_checks
from mainspring.monitoring import silences as silence_store
from mainspring.monitoring.history import back_test
from mainspring.monitoring.models import (
    Action,
    Alert,
    AlertState,
    BackTest,
    Channel,
    ChannelKind,
    Delivered,
    DriftCheck,
    Finding,
    Minutes,
    Monitor,
    MonitorKind,
    MonitorResult,
    Severity,
    Silence,
    Target,
    Url,
)
from mainspring.monitoring.sample import Traffic
from mainspring.monitoring.shift import DriftReport
from mainspring.monitoring.tables import alerts, channels, monitors, silences
from mainspring.traces.models import aware

Note = Annotated[str, StringConstraints(max_length=2000)]
Secret = Annotated[str, StringConstraints(max_length=200)]
AlertId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
Environment = Annotated[str, StringConstraints(max_length=128)]
Days = Annotated[float, Field(gt=0, le=31)]
Rows = Annotated[int, Field(ge=20, le=5000)]
Share = Annotated[float, Field(ge=0, le=1)]


class Monitors(Service):
    """Monitors of live traffic."""

    noun = "monitor"

    @operation("POST /monitors", permission="monitor.write", status=201)
    def create(
        self,
        name: Name,
        kind: Name,
        *,
        target: Target = "",
        environment: Environment | None = None,
        settings: dict[str, Any] | None = None,
        every_minutes: Minutes = 15,
        window_minutes: Minutes = 60,
        severity: Severity = "warning",
        channels: list[Name] | None = None,
        actions: Annotated[list[Action], Field(max_length=5)] | None = None,
        enabled: bool = True,
    ) -> Monitor:
        """Create a monitor of a deployment, a release or all traffic; `monitor kinds` lists what it may watch.

        Without an environment named it watches the caller's; an empty one stands for all. Its `actions` are taken when
        it opens an alert. One that is not enabled can be tried on the past with `monitor backtest` first.
        """
        with self.begin() as tx:
            for channel in channels or []:
                channel_store.find(tx, channel)
            where = tx.caller.environment if environment is None else environment
            taken = action_store.check(tx, actions or [], target, where)
            values = {
                "name": name,
                "kind": kind,
                "target": target,
                "environment": where,
                "settings": settings or {},
                "every_minutes": every_minutes,
                "window_minutes": window_minutes,
                "severity": severity,
                "channels": channels or [],
                "actions": [action.model_dump(mode="json") for action in taken],
                "enabled": enabled,
            }
            return watch.add(tx, values)

    @operation("GET /monitors/kinds", permission="monitor.read")
    def kinds(self) -> list[MonitorKind]:
        """List the kinds of monitors with their settings."""
        return checks.kinds()

    @operation("GET /monitors", permission="monitor.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Monitor]:
        """List monitors with their last result, by name."""
        with self.read() as tx:
            query = select(monitors).where(monitors.c.project == tx.project)
            rows, following = paginate(tx, query, monitors.c.name, limit, cursor, newest=False)
            return Page[Monitor](items=[watch.shown(tx, row) for row in rows], next_cursor=following)

    @operation("GET /monitors/{name}", permission="monitor.read", mcp=True)
    def get(self, name: Name) -> Monitor:
        """Return a monitor with its last result."""
        with self.read() as tx:
            return watch.find(tx, name)

    @operation("GET /monitors/{name}/results", permission="monitor.read")
    def results(self, name: Name, *, limit: Limit = 100) -> list[MonitorResult]:
        """Return what a monitor found, newest first."""
        with self.read() as tx:
            watch.find(tx, name)
            return watch.results(tx, name, limit)

    @operation("PATCH /monitors/{name}", permission="monitor.write")
    def update(
        self,
        name: Name,
        *,
        enabled: bool | None = None,
        settings: dict[str, Any] | None = None,
        every_minutes: Minutes | None = None,
        window_minutes: Minutes | None = None,
        severity: Severity | None = None,
        channels: list[Name] | None = None,
        actions: Annotated[list[Action], Field(max_length=5)] | None = None,
    ) -> Monitor:
        """Change a monitor; it is looked at again at once."""
        given: dict[str, Any] = {
            "enabled": enabled,
            "settings": settings,
            "every_minutes": every_minutes,
            "window_minutes": window_minutes,
            "severity": severity,
            "channels": channels,
        }
        with self.begin() as tx:
            held = watch.find(tx, name)
            for channel in channels or []:
                channel_store.find(tx, channel)
            # What it finds sets its actions going: whoever changes that needs the right to them.
            action_store.require(tx, held.actions, held.environment)
            if actions is not None:
                taken = action_store.check(tx, actions, held.target, held.environment)
                given["actions"] = [action.model_dump(mode="json") for action in taken]
            return watch.change(tx, name, {key: value for key, value in given.items() if value is not None})

    @operation("DELETE /monitors/{name}", permission="monitor.write")
    def delete(self, name: Name) -> dict[str, str]:
        """Delete a monitor; its alerts stay."""
        with self.begin() as tx:
            watch.remove(tx, name)
        return {"deleted": name}

    @operation("POST /monitors/{name}/test", permission="monitor.write", audit=False)
    def test(self, name: Name) -> Finding:
        """Look now, without recording anything and without an alert."""
        return checks.look(self.platform, self.get(name))

    @operation("POST /monitors/{name}/backtest", permission="monitor.use", audit=False)
    def backtest(self, name: Name, *, days: Days = 7.0) -> BackTest:
        """Say what a monitor would have found at each look over the past, and how many alerts it would have opened."""
        return back_test(self.platform, self.get(name), days)

    @operation("POST /monitors/preview", permission="monitor.use", audit=False)
    def preview(
        self,
        kind: Name,
        *,
        target: Target = "",
        environment: Environment | None = None,
        settings: dict[str, Any] | None = None,
        every_minutes: Minutes = 15,
        window_minutes: Minutes = 60,
        days: Days = 7.0,
    ) -> BackTest:
        """Say what a monitor that is not there yet would have found over the past; nothing is stored."""
        where = self.caller.environment if environment is None else environment
        return back_test(
            self.platform, watch.draft(kind, target, where, settings or {}, every_minutes, window_minutes), days
        )

    @operation("POST /monitors/{name}/run", permission="monitor.write")
    def run(self, name: Name) -> MonitorResult:
        """Look now, record what was found, and open or resolve the monitor's alert."""
        return watch.run(self.platform, self.get(name))


class Alerts(Service):
    """Alerts."""

    noun = "alert"

    @operation("GET /alerts", permission="alert.read", mcp=True)
    def list_(
        self, *, state: AlertState | None = None, monitor: str = "", limit: Limit = 100, cursor: Cursor = ""
    ) -> Page[Alert]:
        """List alerts, newest first."""
        with self.read() as tx:
            query = select(alerts).where(alerts.c.project == tx.project)
            if state:
                query = query.where(alerts.c.state == state)
            if monitor:
                query = query.where(alerts.c.monitor == monitor)
            rows, following = paginate(tx, query, alerts.c.id, limit, cursor)
        return Page[Alert](items=[alert_store.shown(row) for row in rows], next_cursor=following)

    @operation("GET /alerts/{alert_id}", permission="alert.read", mcp=True)
    def get(self, alert_id: AlertId) -> Alert:
        """Return an alert."""
        with self.read() as tx:
            return alert_store.get(tx, alert_id)

    @operation("POST /alerts/{alert_id}/acknowledge", permission="alert.write")
    def acknowledge(self, alert_id: AlertId, *, note: Note = "") -> Alert:
        """Say that somebody looks after an alert."""
        with self.begin() as tx:
            return alert_store.acknowledge(tx, alert_id, note)

    @operation("POST /alerts/{alert_id}/resolve", permission="alert.write")
    def resolve(self, alert_id: AlertId, *, note: Note = "") -> Alert:
        """End an alert; where its cause lasts, the monitor opens another."""
        with self.begin() as tx:
            wanted = alert_store.channels_of(tx, alert_id)
            return alert_store.resolve(tx, alert_id, by=tx.caller.member, note=note, wanted=wanted)


class Channels(Service):
    """Channels that alerts go to."""

    noun = "channel"

    @operation("POST /channels", permission="channel.write", status=201)
    def create(
        self, name: Name, url: Url, *, kind: ChannelKind = "webhook", secret: Secret = "",
        min_severity: Severity = "info",
    ) -> Channel:  # fmt: skip
        """Create a channel for alerts of a severity or above.

        With a secret, deliveries carry the HMAC-SHA256 of their body; for PagerDuty it is the routing key. Mail goes to
        a server such as smtp://user:password@mail.example:587/?from=alerts@example.org&to=ops@example.org.
        Loopback and private addresses are refused unless the setting `webhook.allow_private` permits them.
        """
        channel_store.check(self.platform, kind, url)
        with self.begin() as tx:
            return channel_store.add(tx, name, kind, url, secret, min_severity)

    @operation("GET /channels", permission="channel.read")
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Channel]:
        """List channels by name; URLs and secrets are not shown."""
        with self.read() as tx:
            query = select(channels).where(channels.c.project == tx.project)
            rows, following = paginate(tx, query, channels.c.name, limit, cursor, newest=False)
            shown = [channel_store.shown(self.platform, row) for row in rows]
        return Page[Channel](items=shown, next_cursor=following)

    @operation("DELETE /channels/{name}", permission="channel.write")
    def delete(self, name: Name) -> dict[str, str]:
        """Delete a channel; messages that wait for it are dropped."""
        with self.begin() as tx:
            row = channel_store.find(tx, name)
            tx.execute(delete(channels).where(channels.c.id == row["id"]))
        return {"deleted": name}

    @operation("POST /channels/{name}/test", permission="channel.write")
    def test(self, name: Name) -> Delivered:
        """Send a test message now, and return how the channel answered."""
        with self.read() as tx:
            row = channel_store.find(tx, name)
            message = channel_store.example(tx)
        begun = time.perf_counter()
        status = channel_store.send(self.platform, row, message)
        return Delivered(channel=name, status=status, milliseconds=(time.perf_counter() - begun) * 1e3)


class Silences(Service):
    """Silences: times in which nobody is told of alerts."""

    noun = "silence"

    @operation("POST /silences", permission="silence.write", status=201)
    def create(
        self, until: datetime, *, since: datetime | None = None, monitor: str = "", target: Target = "",
        severity: Severity | None = None, why: Note = "",
    ) -> Silence:  # fmt: skip
        """Tell nobody of the alerts of a monitor, a target or a severity, or of all, until then; they open as ever."""
        with self.begin() as tx:
            if monitor:
                watch.find(tx, monitor)
            start, end = aware(since) or tx.now, aware(until) or tx.now
            return silence_store.add(tx, monitor, target, severity or "", start, end, why)

    @operation("GET /silences", permission="silence.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Silence]:
        """List silences, newest first, those that have ended included."""
        with self.read() as tx:
            query = select(silences).where(silences.c.project == tx.project)
            rows, following = paginate(tx, query, silences.c.id, limit, cursor)
        shown = [Silence(**{name: row[name] for name in Silence.model_fields}) for row in rows]
        return Page[Silence](items=shown, next_cursor=following)

    @operation("DELETE /silences/{silence_id}", permission="silence.write")
    def delete(self, silence_id: AlertId) -> Silence:
        """End a silence at once."""
        with self.begin() as tx:
            return silence_store.remove(tx, silence_id)


class Drifts(Service):
    """Drift of traffic from what a release was made for."""

    noun = "drift"

    @operation("POST /drift", permission="drift.read", audit=False)
    def check(
        self,
        target: Target = "",
        *,
        environment: Environment | None = None,
        dataset: RefText | None = None,
        split: Environment = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: Rows = 200,
        reference_limit: Rows = 200,
        alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01,
        min_effect: Share = drift_checks.MIN_EFFECT,
        traffic: Traffic = "live",
    ) -> DriftCheck:
        """Compare the inputs of live calls with the data that the live release was trained on, or with `dataset`.

        `target` is a deployment, a release such as release/docs@2, or empty for all traffic; the latest `limit` calls
        of the last 7 days, or of the time given, count. Drift is a p-value of at most `alpha` with an effect of at
        least `min_effect`. With `traffic` all, the playground, experiments, load tests and shadows count too.
        """
        settings = drift_checks.DriftSettings(
            dataset=dataset or "",
            split=split,
            limit=limit,
            reference_limit=reference_limit,
            alpha=alpha,
            min_effect=min_effect,
            traffic=traffic,
        )
        where = self.caller.environment if environment is None else environment
        return drift_checks.check(self.platform, target, where, settings, since=since, until=until)

    @operation("POST /drift/report", permission="drift.read", audit=False)
    def report(
        self,
        target: Target = "",
        *,
        environment: Environment | None = None,
        against: Literal["data", "window"] = "data",
        since: datetime | None = None,
        until: datetime | None = None,
        reference_days: Annotated[float, Field(gt=0, le=90)] = 7.0,
        limit: Annotated[int, Field(ge=30, le=2000)] = 500,
        alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01,
        traffic: Traffic = "live",
    ) -> DriftReport:
        """Hold everything that is measured of live calls against what their release was trained and measured with.

        Or, with `against` a `window`, against the days before: inputs and outputs by meaning and length, tokens, times,
        cost, errors, refusals, guard, models, scores. Over all of them the chance of a false alarm is at most `alpha`.
        It says which topics of the inputs moved. `traffic` is as in `drift check`.
        """
        settings = shift.ShiftSettings(
            against=against, reference_days=reference_days, limit=limit, alpha=alpha, traffic=traffic
        )
        where = self.caller.environment if environment is None else environment
        return shift.report(self.platform, target, where, settings, since=aware(since), until=aware(until))
