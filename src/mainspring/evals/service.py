"""Operations on suites and experiments."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mainspring.evals import starting, store, suites
from mainspring.evals.models import (
    AlignedRow,
    Comparison,
    Experiment,
    ExperimentRow,
    GivenRow,
    MaxTokens,
    Repeats,
    RowLimit,
    RowPlan,
    Seed,
    SplitName,
    Suite,
    SuiteSettings,
    Temperature,
)
from mainspring.evals.preference_service import Preferring
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, RefText, Text, sliced
from mainspring.kernel.runs import Run
from mainspring.kernel.service import Service

MetricName = Annotated[str, Field(min_length=1, max_length=300)]
MetricNames = Annotated[list[MetricName], Field(max_length=50)]
Named = Annotated[str, Field(min_length=1, max_length=128)]
"""An experiment's id, or its name for the latest."""
Several = Annotated[list[Named], Field(max_length=20)]
TargetText = Annotated[str, Field(min_length=1, max_length=300)]
"""A reference, or `https://host/v1#model`."""
Shown = Literal["all", "changed", "improved", "worsened"]
ExportFormat = Literal["markdown", "junit", "jsonl", "lm-eval-results", "lm-eval-samples"]
Level = Annotated[float, Field(ge=0.5, le=0.999)]


class Suites(Service):
    """Suites: which rows are asked, how, and how answers are scored."""

    noun = "suite"

    @operation("POST /suites/{name}/versions", permission="suite.write", status=201)
    def create(
        self,
        name: Name,
        dataset: RefText,
        scorers: MetricNames,
        *,
        split: SplitName = "test",
        settings: SuiteSettings | None = None,
        note: Text = "",
    ) -> Suite:
        """Store a version of a suite over an exact version of a dataset; the same again returns the version that is.

        Raises Invalid for a scorer that is not there, NotFound.
        """
        if not scorers:
            raise Invalid("A suite has at least one scorer.", hint="`mainspring scorer list` shows them.")
        with self.begin() as tx:
            return suites.commit(tx, name, dataset, split, scorers, settings or SuiteSettings(), note)

    @operation("GET /suites", permission="suite.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Suite]:
        """List suites by name, each in its latest version."""
        with self.read() as tx:
            found, following = versions.names(tx, suites.KIND, limit, cursor)
        return Page(items=[suites.shown(version) for version in found], next_cursor=following)

    @operation("GET /suites/{name}", permission="suite.read", mcp=True)
    def get(self, name: Name, *, selector: Annotated[str, Field(max_length=100)] = "") -> Suite:
        """Show a suite: its latest version, or the one that a number or a hash selects."""
        with self.read() as tx:
            return suites.load(tx, f"suite/{name}@{selector}" if selector else f"suite/{name}")

    @operation("GET /suites/{name}/versions", permission="suite.read", mcp=True)
    def versions(self, name: Name, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Suite]:
        """List a suite's versions, newest first."""
        with self.read() as tx:
            found, following = versions.list_(tx, suites.KIND, name, limit, cursor)
        return Page(items=[suites.shown(version) for version in found], next_cursor=following)


class Experiments(Preferring):
    """Experiments: a target's answers to the rows of a dataset, scored, and compared."""

    noun = "experiment"

    @operation("POST /experiments", permission="experiment.write", status=202)
    def run(
        self,
        dataset: RefText,
        target: TargetText,
        *,
        prompt: RefText | None = None,
        model: TargetText | None = None,
        split: SplitName | None = None,
        scorers: MetricNames | None = None,
        constrained: bool | None = None,
        limit: RowLimit | None = None,
        max_tokens: MaxTokens | None = None,
        temperature: Temperature | None = None,
        seed: Seed | None = None,
        repeats: Repeats | None = None,
        concurrency: Annotated[int, Field(ge=1, le=256)] = 8,
        max_calls: Annotated[int, Field(ge=1, le=10_000_000)] | None = None,
        max_cost: Annotated[float, Field(gt=0, le=1e6)] | None = None,
        reuse: bool = False,
        fail_if_worse_than: Annotated[str, Field(max_length=128)] = "",
        name: Name | None = None,
        note: Text = "",
    ) -> Run:
        """Ask a target the rows of a dataset, or of a suite, and score the answers, each figure with an interval.

        `dataset` is `dataset/…`, or `suite/…`, which also says split, scorers and settings; what is given besides wins.
        `target` is `model/…` (with a prompt, or the rows' messages as they are), `prompt/…` (answered by `model`),
        `release/…`, `deployment/…`, or a server by URL, `https://host/v1#model`. Rows are of the split `test` unless it
        is named. `constrained` holds answers to the prompt's response schema. `limit` takes a sample, the same for
        every target by the seed; `repeats` asks each row so often, with seeds that count on. `max_calls` and `max_cost`
        (US dollars), judges' calls included, end the run early with what it has, and it says so. `reuse` takes answers
        of earlier experiments to the same questions; their latency is not counted. `fail_if_worse_than` names an
        experiment, or a label such as `production`, which is asked along: where a metric of quality got worse, the run
        fails with GateFailed, and the experiment is kept. The run's result is the experiment, whose id is the run's.
        Raises Invalid, NotFound, Denied.
        """
        given = {
            "split": split,
            "scorers": scorers,
            "constrained": constrained,
            "limit": limit,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
            "repeats": repeats,
        }
        spending: dict[str, Any] = {
            "concurrency": concurrency,
            "max_calls": max_calls,
            "max_cost": max_cost,
            "reuse": reuse,
        }
        spending["fail_if_worse_than"] = fail_if_worse_than
        with self.read() as tx:
            params, inputs = starting.params(tx, dataset, target, prompt or "", model or "", given)
            starting.check(tx, params, max_calls, max_cost, fail_if_worse_than)
        return self.start_run("experiment.run", {**params, **spending, "name": name or "", "note": note}, inputs=inputs)

    @operation("POST /experiments/record", permission="experiment.write", status=201)
    def record(
        self,
        name: Name,
        rows: Annotated[list[GivenRow], Field(min_length=1, max_length=10_000)],
        *,
        dataset: RefText | None = None,
        target: Annotated[str, Field(max_length=300)] = "",
        note: Text = "",
    ) -> Experiment:
        """Store answers that were scored elsewhere as an experiment, to be compared as any other.

        A score has the name of a scorer, or one's own (higher is better, `penalty:name` for lower). Raises Invalid.
        """
        from mainspring.evals import outside

        with self.begin() as tx:
            return outside.record(tx, name, rows, dataset=dataset or "", target=target, note=note)

    @operation("GET /experiments", permission="experiment.read", mcp=True)
    def list_(
        self,
        *,
        name: str = "",
        dataset: str = "",
        target: str = "",
        prompt: str = "",
        suite: str = "",
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[Experiment]:
        """List experiments, newest first, of one name, dataset, target, prompt or suite where these are given."""
        where = {"name": name, "dataset": dataset, "target": target, "prompt": prompt, "suite": suite}
        with self.read() as tx:
            found, following = store.page(tx, **where, limit=limit, cursor=cursor)
        return Page(items=found, next_cursor=following)

    @operation("GET /experiments/compare", permission="experiment.read", mcp=True)
    def compare(
        self,
        baseline: Named,
        candidate: Named,
        more: Several | None = None,
        *,
        metrics: MetricNames | None = None,
        margin: Annotated[float, Field(gt=0, le=1e15)] | None = None,
        level: Level = 0.95,
        across_modes: bool = False,
    ) -> Comparison:
        """Compare experiments with a baseline, row by row: differences with intervals, tests and a verdict in words.

        Each is named by its id, or by its name for the latest. Only rows that both have take part. With `more`
        candidates, intervals, verdicts and p-values are corrected for all of them. Raises Invalid where they were made
        over different datasets, or where only one was held to a schema and `across_modes` is not set; NotFound.
        """
        from mainspring.evals.comparison import compare_many

        with self.read() as tx:
            left, *right = [store.load(tx, one) for one in (baseline, candidate, *(more or []))]
        if any(left.constrained != one.constrained for one in right) and not across_modes:
            raise Invalid(
                "One experiment was held to a response schema, the other was not.",
                hint="Compare like with like, or say that you mean it: across_modes.",
            )
        return compare_many(self.platform.files, left, right, metrics or [], margin=margin, level=level)

    @operation("GET /experiments/align", permission="experiment.read", mcp=True)
    def align(
        self,
        baseline: Named,
        candidate: Named,
        more: Several | None = None,
        *,
        metric: Annotated[str, Field(max_length=300)] = "",
        show: Shown = "all",
        limit: Annotated[int, Field(ge=1, le=200)] = 50,
        cursor: Cursor = "",
    ) -> Page[AlignedRow]:
        """List the rows that all of some experiments have, with their answers side by side.

        `metric` puts the largest gaps first. `show` keeps the rows that `changed`: in the metric, or without one in the
        answer; or those where a candidate's score `improved` or `worsened` on the baseline's. Raises Invalid, NotFound.
        """
        from mainspring.evals.comparison import align

        with self.read() as tx:
            found = [store.load(tx, one) for one in (baseline, candidate, *(more or []))]
        every = align(self.platform.files, found, metric=metric, show=show)
        return sliced(every, limit, cursor)

    @operation("GET /experiments/plan", permission="experiment.read", mcp=True)
    def plan(
        self,
        *,
        difference: Annotated[float, Field(gt=0, le=1e9)] | None = None,
        rows: Annotated[int, Field(ge=20, le=100_000_000)] | None = None,
        share: Annotated[float, Field(ge=0, le=1)] | None = None,
        experiment: Annotated[str, Field(max_length=128)] = "",
        against: Annotated[str, Field(max_length=128)] = "",
        metric: Annotated[str, Field(max_length=300)] = "",
        correlation: Annotated[float, Field(ge=0, le=0.99)] = 0.0,
        level: Level = 0.95,
        power: Annotated[float, Field(ge=0.5, le=0.999)] = 0.8,
    ) -> RowPlan:
        """Say how many rows show a `difference`, or how small a difference some `rows` show, in a paired comparison.

        Scores vary as those of a `share` do that is expected, or as the `metric` of an `experiment` did; `correlation`
        is that of the two systems' scores on one row, and 0 asks for rows enough. `against` a second experiment the
        differences themselves are taken, row by row. Nothing is asked or stored. Raises Invalid, NotFound.
        """
        from mainspring.evals import planning

        if difference is None and rows is None:
            raise Invalid("Nothing to reckon.", hint="Give a difference, or a number of rows, or both.")
        if (share is None) == (not experiment) or bool(experiment) != bool(metric) or (against and not experiment):
            hint = "Give --share, or --experiment and --metric, with --against or without."
            raise Invalid("Say once how scores vary.", hint=hint)
        if share is not None and (difference or 0) > 0.5:
            raise Invalid("A share that differs by more than .5 needs no plan.", hint="20 rows show it.")
        deviation, basis = None, f"for a share of {share}, correlation {correlation:g}"
        if experiment:
            found, basis = self.get(experiment), f"{metric} as in {experiment}"
            if against:
                compared = self.compare(against, experiment, metrics=[metric])
                deviation, basis = planning.of_comparison(compared.metrics[0]), f"{basis} against {against}"
            else:
                deviation = planning.of_rows(self.platform.files, found, metric, correlation)
        return planning.plan(
            deviation,
            basis,
            share=share,
            correlation=correlation,
            rows=rows,
            difference=difference,
            level=level,
            power=power,
        )

    @operation("GET /experiments/{id}", permission="experiment.read", mcp=True)
    def get(self, id: str) -> Experiment:
        """Show an experiment by its id, or the latest of a name."""
        with self.read() as tx:
            return store.load(tx, id)

    @operation("DELETE /experiments/{id}", permission="experiment.write")
    def delete(self, id: Named) -> None:
        """Delete an experiment with its rows and the answers that it paid for. Raises NotFound."""
        with self.begin() as tx:
            found = store.load(tx, id)
            alone = store.remove(tx, found)
        if alone:
            self.platform.files.delete(found.file)

    @operation("GET /experiments/{id}/export", permission="experiment.read")
    def export(
        self,
        id: Named,
        *,
        format: ExportFormat = "markdown",
        baseline: Annotated[str, Field(max_length=128)] = "",
        limit: Annotated[int, Field(ge=1, le=10_000)] = 10_000,
        offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0,
    ) -> str:
        """Write an experiment down for other tools: Markdown, JUnit XML, JSON lines, or as lm-evaluation-harness does.

        Markdown and JUnit compare with `baseline`, by default the one that the experiment was held against. `limit`
        and `offset` choose the rows of `jsonl` and `lm-eval-samples`. Raises Invalid, NotFound.
        """
        from mainspring.evals import report
        from mainspring.evals.comparison import compare

        with self.read() as tx:
            found = store.load(tx, id)
            other = store.load(tx, baseline or found.baseline) if baseline or found.baseline else None
        if format in ("markdown", "junit"):
            compared = compare(self.platform.files, other, found) if other else None
            return (report.markdown if format == "markdown" else report.junit)(found, compared)
        if format == "lm-eval-results":
            return report.lm_eval_results(found)
        lines = store.lines(self.platform.files, found.file)[offset : offset + limit]
        if format == "jsonl":
            return "\n".join(lines) + "\n"
        rows = [ExperimentRow.model_validate_json(line) for line in lines]
        return report.lm_eval_samples(found, rows, offset)

    @operation("GET /experiments/{id}/rows", permission="experiment.read", mcp=True)
    def rows(
        self,
        id: str,
        *,
        errors: bool = False,
        query: Annotated[str, Field(max_length=200)] = "",
        metric: Annotated[str, Field(max_length=300)] = "",
        at_most: float | None = None,
        at_least: float | None = None,
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[ExperimentRow]:
        """List an experiment's rows with question, answer and scores, in the dataset's order.

        `errors` keeps rows without an answer, `query` those whose text holds it, `metric` with `at_most` and `at_least`
        those that score so much. Raises Invalid, NotFound.
        """
        with self.read() as tx:
            found = store.load(tx, id)
        lines = store.lines(self.platform.files, found.file)
        if not (errors or query or metric):
            page = sliced(lines, limit, cursor)
            kept = [ExperimentRow.model_validate_json(line) for line in page.items]
            return Page(items=kept, next_cursor=page.next_cursor)
        return sliced(store.matching(lines, errors, query, metric, at_most, at_least), limit, cursor)
