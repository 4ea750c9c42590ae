"""Records of model refresh: the policy, what its conditions found, and one refresh from due to done."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from mainspring.kernel.records import Record, RefText
from mainspring.kernel.refs import NAME_PATTERN

Kind = Literal["schedule", "drift", "volume", "feedback", "score", "alert", "request"]
State = Literal["due", "started", "done", "failed", "dismissed", "dry run"]
Named = Annotated[str, StringConstraints(max_length=128, pattern=rf"^({NAME_PATTERN})?$")]
"""A name, or empty for none."""
Hours = Annotated[float, Field(ge=0, le=8784)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Quiet = Annotated[str, StringConstraints(pattern=r"^(([01]\d|2[0-3])-([01]\d|2[0-3]))?$")]
"""Hours of the day in UTC, such as 22-06: from the first on, before the second. Empty for none."""
Cron = Annotated[str, StringConstraints(max_length=100)]
Units = Annotated[int, Field(ge=20, le=100_000)]
Drop = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Bound = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]


class RefreshTerms(Record):
    """When a deployment's model is due to be refreshed: one condition that holds is enough."""

    every_hours: Hours = 0.0
    """So long after the last refresh was due; 0: not by the clock."""
    cron: Cron = ""
    """Or at moments in UTC: minute, hour, day of the month, month, day of the week, such as `0 3 * * 1`."""
    drift_monitor: Named = ""
    """When this monitor opens an alert."""
    dataset: RefText | Literal[""] = ""
    """When the newest version of this dataset has `new_rows` more rows than the one that the release was trained on."""
    new_rows: Count = 0
    feedback: Named = ""
    """When scores of this name were given to `new_feedback` calls of the release."""
    new_feedback: Count = 0
    on_request: bool = False
    """When it is asked for: by somebody, or by an action of a monitor. Needed where there is no other condition."""
    score: Named = ""
    """When the mean of this score is shown to lie more than `score_drop` below that of the release's first period."""
    score_drop: float = 0.05
    score_low: float = 0.0
    """Smallest value of the score; what lies below counts as this."""
    score_high: float = 1.0
    first_units: int = 200
    """Scored calls that make the first period."""
    window_days: float = 7.0
    """What came later is judged in windows of so many days."""
    cooldown_hours: Hours = 24.0
    """No refresh is due for so long after the last one ended."""
    quiet_hours: Quiet = ""
    """None is due at these hours; it waits for their end."""
    max_per_week: int = 2
    """So many at most are due within seven days."""
    patience_hours: Hours = 72.0
    """One that nobody reports the end of counts as failed after so long."""
    dry_run: bool = False
    """Note what would be due, and tell nobody."""


class RefreshFinding(Record):
    """What one condition found."""

    kind: Kind
    met: bool
    summary: str
    """In words, with the numbers."""
    evidence: dict[str, Any] = {}
    """The numbers, intervals and references that it rests on."""


class RefreshPolicy(Record):
    """A deployment's refresh policy."""

    deployment: str
    environment: str
    terms: RefreshTerms
    held_back: str
    """Why a refresh whose condition holds is not due; empty where none holds."""
    checked_at: datetime | None
    """When the worker looked last."""
    changed_at: datetime
    changed_by: str


class RefreshCheck(Record):
    """What a look at a policy would do now."""

    deployment: str
    environment: str
    release: str
    """What is live."""
    due: bool
    held_back: str
    findings: list[RefreshFinding]


class Refresh(Record):
    """One refresh: why it was due, and what came of it."""

    id: str
    deployment: str
    environment: str
    state: State
    release: str
    """What was live when it became due."""
    reason: str
    findings: list[RefreshFinding]
    """Every condition of the policy; those that are met made it due."""
    dry_run: bool
    due_at: datetime
    started_at: datetime | None
    started_by: str
    ended_at: datetime | None
    ended_by: str
    outcome: str
    """Exact reference of the release that came of it, or empty."""
    note: str
