"""Records of boards and of the figures that they show."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mainspring.kernel.records import Record
from mainspring.monitoring.sample import Traffic

Word = Annotated[str, StringConstraints(max_length=300)]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Measure = Annotated[str, StringConstraints(min_length=1, max_length=200)]
By = Literal["", "model", "prompt", "release", "deployment", "environment", "user", "service", "kind"]
Chart = Literal["lines", "bars", "number", "table"]


class Where(Record):
    """Whose calls a panel shows; an empty field does not narrow, and `!a,b` leaves out."""

    environment: Word = ""
    deployment: Word = ""
    release: Word = ""
    model: Word = ""
    prompt: Word = ""
    user: Word = ""
    service: Word = ""
    kind: Word = ""
    traffic: Traffic = "live"
    """`live` leaves out experiments, playground, load tests, shadows and red teaming, unless `environment` or `service`
    names them; `all` counts them too."""


class Panel(Record):
    """One figure of a board."""

    title: Annotated[str, StringConstraints(max_length=120)] = ""
    """Empty for what the measure is called."""
    measure: Measure
    """`requests`, `latency_p95`, `score/helpful`, …; `board measures` lists them."""
    by: By = ""
    chart: Chart = "lines"
    where: Where = Where()


Panels = Annotated[list[Panel], Field(min_length=1, max_length=24)]


class Board(Record):
    """Panels under a name, for everybody in the project."""

    name: str
    title: str
    panels: list[Panel]
    built_in: bool
    """Whether it comes with the product, and was not changed."""
    changed_at: datetime | None
    changed_by: str


class MeasureInfo(Record):
    """What a panel may show."""

    name: str
    label: str
    unit: Literal["count", "share", "milliseconds", "tokens", "dollars", "score"]
    sums: bool
    """Whether the figures of groups add up to that of all."""


class Series(Record):
    """A measure of one group over time."""

    group: str | None
    """None for what is not among the groups with most calls; empty for all, and for calls that name none."""
    values: list[float | None]
    """One for each of the times; null where there is nothing to say."""
    total: float | None
    """Over the whole time: a sum, a share or a quantile of all the calls in it, not a mean of the values."""
    before: float | None
    """The same over the time before, as long as this one; null where it was not asked for."""
    before_values: list[float | None]
    """One for each of the times, moved; empty where it was not asked for."""


class Figures(Record):
    """A measure over time."""

    measure: str
    label: str
    unit: str
    since: datetime
    until: datetime
    step_minutes: float
    times: list[datetime]
    """When each step begins."""
    series: list[Series]
    """By the number of calls, most first."""
    note: str
    """What is to be known of the figures; empty where there is nothing."""
