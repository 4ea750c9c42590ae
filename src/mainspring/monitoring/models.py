"""Records of monitoring: monitors, their results, alerts, channels and drift."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from mainspring.kernel.records import Record

Severity = Literal["info", "warning", "critical"]
AlertState = Literal["open", "acknowledged", "resolved"]
ChannelKind = Literal["webhook", "slack", "pagerduty", "email"]
Minutes = Annotated[int, Field(ge=1, le=44_640)]
Target = Annotated[str, StringConstraints(max_length=300)]
"""The name of a deployment, a release such as `release/docs@2`, or empty for all traffic."""
Url = Annotated[str, StringConstraints(min_length=8, max_length=2000)]


class Action(Record):
    """What an alert sets going when it opens."""

    do: Literal["queue", "rollback", "refresh"]
    """`queue` puts the alert's traces into an annotation queue; `rollback` rolls the target deployment back; `refresh`
    makes a refresh of a deployment's model due, which starts the pipeline that tunes, evaluates and rolls out anew."""
    queue: Annotated[str, StringConstraints(max_length=128)] = ""
    deployment: Annotated[str, StringConstraints(max_length=128)] = ""
    """What `refresh` is for; empty for the monitor's target."""


class SetAction(Action):
    """An action as it was set: it is taken while whoever set it may still take it."""

    set_by: str
    set_with: str
    """Identifier of the key that it was set with; empty for none."""
    set_at: datetime


class Finding(Record):
    """What a monitor found in one window of time."""

    state: Literal["ok", "firing", "insufficient"]
    """`insufficient`: too little traffic to say."""
    value: float | None
    threshold: float | None
    n: int
    """How many calls, or judgements, were looked at."""
    summary: str
    detail: dict[str, Any] = {}
    trace_ids: list[str] = []
    """A few traces to look at first."""


class MonitorResult(Finding):
    """A finding as it was recorded."""

    monitor: str
    at: datetime
    alert_id: str
    """The alert that it opened, kept open or resolved; empty for none."""


class Monitor(Record):
    """Something that is looked at again and again."""

    name: str
    kind: str
    target: str
    environment: str
    settings: dict[str, Any]
    every_minutes: int
    window_minutes: int
    severity: Severity
    channels: list[str]
    """Where its alerts go; empty for every channel of the project."""
    actions: list[SetAction]
    enabled: bool
    due_at: datetime
    created_at: datetime
    created_by: str
    last: MonitorResult | None = None


class MonitorKind(Record):
    """A kind of monitor, with its settings as JSON schema."""

    name: str
    summary: str
    settings: dict[str, Any]


class Alert(Record):
    """Something that wants attention: opened once, counted while it lasts, resolved when it ends."""

    id: str
    monitor: str
    target: str
    environment: str
    severity: Severity
    state: AlertState
    title: str
    summary: str
    detail: dict[str, Any]
    trace_ids: list[str]
    count: int
    """How many times the monitor has fired since it opened."""
    first_at: datetime
    last_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    resolved_at: datetime | None
    resolved_by: str
    """`system` where the monitor found that it was over."""
    note: str


class Channel(Record):
    """Where alerts are sent; the URL and the secret are never returned."""

    name: str
    kind: ChannelKind
    host: str
    min_severity: Severity
    """Alerts under it are not sent here."""
    signed: bool
    """Whether deliveries carry an HMAC-SHA256 signature."""
    created_at: datetime
    created_by: str


class Delivered(Record):
    """How a channel answered a test."""

    channel: str
    status: int
    milliseconds: float


class Silence(Record):
    """A time in which nobody is told of some alerts; empty fields stand for all."""

    id: str
    monitor: str
    target: str
    severity: str
    starts_at: datetime
    ends_at: datetime
    why: str
    created_at: datetime
    created_by: str


class BackTestLook(Record):
    """What a monitor would have said at a moment."""

    at: datetime
    state: Literal["ok", "firing", "insufficient"]
    value: float | None
    n: int
    summary: str


class BackTest(Record):
    """What a monitor would have done in the past."""

    monitor: str
    every_minutes: float
    looks: list[BackTestLook]
    """Oldest first."""
    alerts: int
    firing: int
    insufficient: int
    summary: str


class DriftCheck(Record):
    """Whether the inputs of live traffic are like those that a release was made from."""

    target: str
    release: str
    """The release that answered most of the calls looked at."""
    reference: str
    """Dataset version, and split where one was chosen, that the traffic was compared with."""
    embedding: str
    n: int
    """Calls looked at."""
    n_reference: int
    statistic: float
    p_value: float
    """Chance of a difference this large where nothing changed."""
    effect: float
    """Size of the change, from 0 (none) to 1, whatever the number of calls."""
    alpha: float
    min_effect: float
    drifted: bool
    """Whether p_value is at most alpha and effect at least min_effect."""
    verdict: str
    trace_ids: list[str]
    """The calls least like the reference."""
    checked_at: datetime
