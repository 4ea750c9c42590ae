"""Operations on scorers and experiments."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mainspring.evals import store
from mainspring.evals.models import Comparison, Experiment, ExperimentRow, RowLimit, ScorerInfo, SplitName
from mainspring.kernel.errors import Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, RefText, Text, decode_cursor, encode_cursor
from mainspring.kernel.runs import Run
from mainspring.kernel.service import Service

MetricName = Annotated[str, Field(min_length=1, max_length=300)]
MetricNames = Annotated[list[MetricName], Field(max_length=50)]
Level = Annotated[float, Field(ge=0.5, le=0.999)]


class Scorers(Service):
    """Scorers: how an answer is judged."""

    noun = "scorer"

    @operation("GET /scorers", permission="scorer.read", mcp=True)
    def list_(self) -> list[ScorerInfo]:
        """List the scorers that an experiment may name."""
        from mainspring.evals import scorers

        return [
            ScorerInfo(
                name=found.name,
                summary=found.summary,
                unit=found.unit,
                higher_is_better=found.higher_is_better,
                margin=found.margin,
                relative=found.relative,
                argument=found.argument,
                needs=sorted(found.needs),
            )
            for found in scorers.registered()
        ]


class Experiments(Service):
    """Experiments: a target's answers to the rows of a dataset, scored, and compared."""

    noun = "experiment"

    @operation("POST /experiments", permission="experiment.write", status=202)
    def run(
        self,
        dataset: RefText,
        target: RefText,
        *,
        prompt: RefText | None = None,
        split: SplitName = "test",
        scorers: MetricNames | None = None,
        constrained: bool = False,
        limit: RowLimit | None = None,
        max_tokens: Annotated[int, Field(ge=1, le=32_768)] | None = None,
        temperature: Annotated[float, Field(ge=0, le=2)] | None = None,
        seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0,
        concurrency: Annotated[int, Field(ge=1, le=256)] = 8,
        reuse: bool = False,
        name: Name | None = None,
        note: Text = "",
    ) -> Run:
        """Ask a model, release or deployment the rows of a dataset and score the answers, each figure with an interval.

        `target` is `model/…` (with a prompt, or the rows' messages as they are), `release/…` or `deployment/…`.
        `constrained` holds answers to the prompt's response schema. `limit` takes a sample, the same for every target
        by the seed. `reuse` takes answers of earlier experiments to the same questions; their latency is not counted.
        The run's result is the experiment, whose id is the run's. Raises Invalid, NotFound.
        """
        from mainspring.evals import plan as plans

        with self.read() as tx:
            plan = plans.make(tx, dataset, target, prompt or "", constrained)
            metrics = plans.choose_metrics(scorers or [], plan)
            params = {
                "dataset": plan.dataset,
                "target": plan.target,
                "prompt": plan.prompt.ref if plan.prompt else "",
                "split": split,
                "scorers": [metric.name for metric in metrics],
                "constrained": constrained,
                "limit": limit,
                **plans.generation(plan, max_tokens, temperature),
                "seed": seed,
                "concurrency": concurrency,
                "reuse": reuse,
                "name": name or "",
                "note": note,
            }
        return self.start_run("experiment.run", params, inputs=plan.inputs)

    @operation("GET /experiments", permission="experiment.read", mcp=True)
    def list_(
        self,
        *,
        name: str = "",
        dataset: str = "",
        target: str = "",
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[Experiment]:
        """List experiments, newest first, of one name, dataset or target where these are given."""
        with self.read() as tx:
            found, following = store.page(tx, name=name, dataset=dataset, target=target, limit=limit, cursor=cursor)
        return Page(items=found, next_cursor=following)

    @operation("GET /experiments/compare", permission="experiment.read", mcp=True)
    def compare(
        self,
        baseline: str,
        candidate: str,
        *,
        metrics: MetricNames | None = None,
        margin: Annotated[float, Field(gt=0)] | None = None,
        level: Level = 0.95,
        across_modes: bool = False,
    ) -> Comparison:
        """Compare two experiments row by row: differences with intervals, tests and a verdict in words.

        Each is named by its id, or by its name for the latest. Only rows that both have take part. Raises Invalid
        where they were made over different datasets, or where only one was held to a schema and `across_modes` is not
        set; NotFound.
        """
        from mainspring.evals.comparison import compare

        with self.read() as tx:
            left, right = store.load(tx, baseline), store.load(tx, candidate)
        if left.constrained != right.constrained and not across_modes:
            raise Invalid(
                "One experiment was held to a response schema, the other was not.",
                hint="Compare like with like, or say that you mean it: across_modes.",
            )
        return compare(self.platform.files, left, right, metrics or [], margin=margin, level=level)

    @operation("GET /experiments/{id}", permission="experiment.read", mcp=True)
    def get(self, id: str) -> Experiment:
        """Show an experiment by its id, or the latest of a name."""
        with self.read() as tx:
            return store.load(tx, id)

    @operation("GET /experiments/{id}/rows", permission="experiment.read", mcp=True)
    def rows(self, id: str, *, limit: Limit = 100, cursor: Cursor = "") -> Page[ExperimentRow]:
        """List an experiment's rows with question, answer and scores, in the dataset's order."""
        with self.read() as tx:
            found = store.load(tx, id)
        key = decode_cursor(cursor) if cursor else "0"
        if not key.isdigit():
            raise Invalid("The cursor is not valid.", hint="Use next_cursor of the page before, unchanged.")
        every = list(store.read_rows(self.platform.files, found.file))
        start = int(key)
        end = start + limit
        return Page(items=every[start:end], next_cursor=encode_cursor(str(end)) if end < len(every) else None)
