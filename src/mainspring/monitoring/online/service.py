"""Operations of online evaluation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field
from sqlalchemy import delete, select, update

from mainspring.evals import scorers
from mainspring.evals.judging import check_price
from mainspring.evals.scoring import pinned
from mainspring.kernel.errors import Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, paginate
from mainspring.kernel.runs import Run
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.monitoring.online import sampling, scoring, store
from mainspring.monitoring.online.models import (
    Choice,
    Draw,
    Evaluator,
    MetricText,
    Rate,
    Retried,
    Task,
    TaskState,
    Tried,
)
from mainspring.monitoring.online.tables import evaluators, tasks
from mainspring.traces.models import nanoseconds

Money = Annotated[float, Field(gt=0, le=1e6)]
Few = Annotated[int, Field(ge=1, le=20)]
Hours = Annotated[float, Field(gt=0, le=744)]
Many = Annotated[int, Field(ge=1, le=20_000)]
_SHOWN = 20
_NEEDS = {"reference": "a right answer to compare with", "likelihood": "the model that answered", "schema": "a schema"}


class Evaluators(Service):
    """Scorers over a sample of live calls."""

    noun = "evaluator"

    @operation("POST /evaluators", permission="evaluator.write", status=201)
    def create(
        self, name: Name, metric: MetricText, *, score: Name | None = None, choice: Choice | None = None,
        rate: Rate = 0.1, max_cost_per_day: Money | None = None,
    ) -> Evaluator:  # fmt: skip
        """Score a share of the calls that fit from now on; scores are of the calls' spans, named `score`.

        Any scorer that needs no right answer serves: a judge, code, a pattern, safety, latency. A judge with a budget
        a day needs a price for its model. Raises Invalid, NotFound.
        """
        with self.begin() as tx:
            exact = _fitting(tx, metric, max_cost_per_day)
            values = {"name": name, "metric": exact, "score": score or name, "rate": rate}
            chosen = (choice or Choice(environment=tx.caller.environment)).model_dump(mode="json")
            return store.add(
                tx, {**values, "choice": chosen, "max_cost_per_day": max_cost_per_day}, nanoseconds(tx.now)
            )

    @operation("POST /evaluators/preview", permission="evaluator.read", audit=False)
    def preview(
        self, *, choice: Choice | None = None, rate: Rate = 0.1, name: Name | None = None, hours: Hours = 24.0
    ) -> Draw:
        """Say which of the latest calls would be drawn, and how many a day; nothing is scored or stored.

        With the `name` of an evaluator it draws as that one does; without, a like share of others.
        """
        with self.read() as tx:
            drawing = store.find(tx, name)["id"] if name else ""
            project, now = tx.project, nanoseconds(tx.now)
            chosen = (choice or Choice(environment=tx.caller.environment)).model_dump(mode="json")
        row = {"id": drawing, "choice": chosen, "rate": rate}
        since = now - int(hours * 3.6e12)
        return sampling.preview(self.platform, project, row, since, now, shown=_SHOWN)

    @operation("GET /evaluators", permission="evaluator.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Evaluator]:
        """List evaluators by name, with what became of the calls that they drew."""
        with self.read() as tx:
            query = select(evaluators).where(evaluators.c.project == tx.project)
            rows, following = paginate(tx, query, evaluators.c.name, limit, cursor, newest=False)
            return Page[Evaluator](items=[store.shown(tx, row) for row in rows], next_cursor=following)

    @operation("GET /evaluators/{name}", permission="evaluator.read", mcp=True)
    def get(self, name: Name) -> Evaluator:
        """Show an evaluator, what became of the calls that it drew, and why it waits if it does."""
        with self.read() as tx:
            return store.shown(tx, store.find(tx, name))

    @operation("PATCH /evaluators/{name}", permission="evaluator.write")
    def update(
        self, name: Name, *, metric: MetricText | None = None, choice: Choice | None = None, rate: Rate | None = None,
        max_cost_per_day: Money | None = None, enabled: bool | None = None,
    ) -> Evaluator:  # fmt: skip
        """Change what is drawn and how it is scored from now on, or switch it off or on."""
        with self.begin() as tx:
            row = store.find(tx, name)
            most = row["max_cost_per_day"] if max_cost_per_day is None else max_cost_per_day
            given = {
                "metric": _fitting(tx, metric, most) if metric else None,
                "choice": choice.model_dump(mode="json") if choice else None,
                "rate": rate,
                "max_cost_per_day": max_cost_per_day,
                "enabled": enabled,
            }
            values = {key: value for key, value in given.items() if value is not None}
            if enabled and not row["enabled"]:
                values["seen_ns"] = nanoseconds(tx.now)
            if values:
                tx.execute(update(evaluators).where(evaluators.c.id == row["id"]).values(**values))
            return store.shown(tx, store.find(tx, name))

    @operation("DELETE /evaluators/{name}", permission="evaluator.write")
    def delete(self, name: Name) -> Evaluator:
        """Delete an evaluator; the scores that it gave stay."""
        with self.begin() as tx:
            row = store.find(tx, name)
            gone = store.shown(tx, row)
            tx.execute(delete(tasks).where(tasks.c.evaluator_id == row["id"]))
            tx.execute(delete(evaluators).where(evaluators.c.id == row["id"]))
        return gone

    @operation("GET /evaluators/{name}/calls", permission="evaluator.read")
    def calls(
        self, name: Name, *, state: TaskState | None = None, limit: Limit = 100, cursor: Cursor = ""
    ) -> Page[Task]:
        """List the calls that were drawn, by trace, with what became of them: failures with their reasons."""
        with self.read() as tx:
            row = store.find(tx, name)
            query = select(tasks).where(tasks.c.evaluator_id == row["id"])
            if state:
                query = query.where(tasks.c.state == state)
            rows, following = paginate(tx, query, tasks.c.trace_id, limit, cursor, newest=False)
        return Page[Task](items=[store.as_task(one) for one in rows], next_cursor=following)

    @operation("POST /evaluators/{name}/retry", permission="evaluator.write")
    def retry(self, name: Name, *, since: datetime | None = None) -> Retried:
        """Take calls up again that were given up."""
        with self.begin() as tx:
            return Retried(count=store.retry(tx, store.find(tx, name), since))

    @operation("POST /evaluators/{name}/backfill", permission="evaluator.write", status=202)
    def backfill(
        self, name: Name, *, since: datetime | None = None, until: datetime | None = None, limit: Many = 1000
    ) -> Run:
        """Score calls of the past, of the last 7 days or the time given; those that have their score keep it."""
        with self.read() as tx:
            row = store.find(tx, name)
            start = nanoseconds(since) or nanoseconds(tx.now - timedelta(days=7))
            end = nanoseconds(until) or nanoseconds(tx.now)
        if start >= end:
            raise Invalid("The time ends before it begins.", hint="Give since before until.", param="since")
        times = {"since_ns": start, "until_ns": end, "limit": limit}
        return self.start_run("evaluator.backfill", {"evaluator": row["name"], **times})

    @operation("POST /evaluators/{name}/test", permission="evaluator.write")
    def test(self, name: Name, *, count: Few = 5) -> list[Tried]:
        """Score the latest calls that fit, and store nothing; a judge is paid for it."""
        with self.read() as tx:
            row = {**store.find(tx, name), "rate": 1.0}
            project, now = tx.project, nanoseconds(tx.now)
        week = now - 7 * 86_400 * 10**9
        spans = list(sampling.drawn(self.platform, project, row, week, now, limit=count))  # type: ignore[arg-type]
        answers = [sampling.answer_of(one, self.platform.spans.trace(project, one.trace_id)) for one in spans]
        environment = Choice(**row["choice"]).environment or self.caller.environment
        values, asking = scoring.score(self.platform, str(row["metric"]), answers, environment)
        notes = [
            asking.away.get(answer.key, "")
            or asking.refused.get(answer.key, "")
            or " ".join(one.reason for one in asking.said.get(answer.key, ()))
            for answer in answers
        ]
        return [
            Tried(trace_id=span.trace_id, value=value, note=note[:2000])
            for span, value, note in zip(spans, values, notes, strict=True)
        ]


def _fitting(tx: Tx, text: str, most: float | None) -> str:
    """Return the metric with its version made exact. Raises Invalid for one that live calls cannot be scored by."""
    exact = pinned(tx, [text])[0]
    metric = scorers.metric(exact)
    if lacking := sorted(metric.scorer.needs & set(_NEEDS)):
        raise Invalid(f"'{text}' needs {_NEEDS[lacking[0]]}, which live calls lack.", hint="Use it in an experiment.")
    if metric.scorer.name == "judge":
        judge = scorers.judges.load(tx, metric.argument)[1]
        if judge.pair or "reference" in judge.shows:
            raise Invalid(f"'{text}' compares with a right answer, which live calls lack.", hint="Take another judge.")
        if most is not None:
            check_price(tx, judge.model)
    elif most is not None:
        raise Invalid(f"'{text}' costs nothing.", hint="Leave the budget out.", param="max_cost_per_day")
    return exact
