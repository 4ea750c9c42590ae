"""Records of online evaluation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mainspring.kernel.records import Record
from mainspring.monitoring.models import Target
from mainspring.monitoring.sample import Traffic

Rate = Annotated[float, Field(gt=0, le=1)]
Word = Annotated[str, StringConstraints(max_length=300)]
MetricText = Annotated[str, StringConstraints(min_length=1, max_length=300)]
TaskState = Literal["pending", "done", "inapplicable", "failed"]


class Choice(Record):
    """Which calls an evaluator looks at; an empty field does not narrow."""

    target: Target = ""
    environment: Word = ""
    service: Word = ""
    status: Literal["", "ok", "error"] = "ok"
    """`ok`: calls that did not fail, whether or not their application said so."""
    query: Word = ""
    """Words that must stand in the call."""
    min_duration_ms: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    traffic: Traffic = "live"
    """`live` leaves out experiments, playground, load tests, shadows and red teaming, unless `environment` or `service`
    names them; `all` draws from them too."""


class Counts(Record):
    """What became of the calls that were drawn."""

    pending: int
    done: int
    inapplicable: int
    """The scorer did not apply, or a judge did not answer in the form asked for."""
    failed: int
    """Given up after several attempts, or since a judge refused; `retry` takes them up again."""


class Evaluator(Record):
    """A scorer over a sample of live calls."""

    name: str
    metric: str
    """Exact: a judge's version does not change under it."""
    score: str
    """Name of the scores that it gives."""
    choice: Choice
    rate: float
    """Share of the calls that fit, drawn by their trace ids."""
    max_cost_per_day: float | None
    """US dollars that judges may cost in a day (UTC); what waits goes on the next day."""
    enabled: bool
    created_at: datetime
    created_by: str
    counts: Counts
    spent_today: float
    """US dollars."""
    waits: str
    """Why it does not go on at the moment; empty where it does."""
    last_error: str


class Task(Record):
    """One call that was drawn."""

    trace_id: str
    span_id: str
    state: TaskState
    attempts: int
    value: float | None
    error: str
    cost: float
    at: datetime


class Tried(Record):
    """What an evaluator would give a call."""

    trace_id: str
    value: float | None
    note: str


class DrawnCall(Record):
    """A call that would be drawn."""

    trace_id: str
    at: datetime
    deployment: str
    model: str
    question: str
    """What was asked, cut."""


class Draw(Record):
    """What an evaluator would draw, by the calls of the time looked at."""

    hours: float
    fitting: int
    """Calls that fit the choice."""
    drawn: int
    """Those that fall into the share."""
    per_day: float
    """How many that is in a day."""
    more: bool
    """Whether there were more than the 20,000 spans that are looked at; `hours` says how far back these reach."""
    calls: list[DrawnCall]
    """The latest that would be drawn."""


class Retried(Record):
    """How many calls are taken up again."""

    count: int
