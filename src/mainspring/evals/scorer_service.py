"""Operations on scorers: those that come with the product, those of one's own, and how far a judge can be trusted."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from mainspring.evals import calibration as calibrating
from mainspring.evals import custom, store
from mainspring.evals.calibration import Calibration
from mainspring.evals.custom import Contexts, HumanColumn, Kind, ScorerVersion, Tried
from mainspring.evals.models import ExperimentRow, Figure, Judgement, ScorerInfo
from mainspring.evals.scorers.code import Code
from mainspring.evals.scorers.judges import Shown, Step
from mainspring.evals.scorers.judges import load as load_judge
from mainspring.evals.scorers.registry import Answer, Metric
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid, NotFound, TooLarge
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, RefText, Text
from mainspring.kernel.runs import Run
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx

MetricText = Annotated[str, Field(min_length=1, max_length=300)]
Named = Annotated[str, Field(min_length=1, max_length=128)]
"""An experiment's id, or its name for the latest."""
_LONGEST = 20_000
Long = Annotated[str, Field(max_length=_LONGEST)]
_MOST_WORK = 3600
"""Words of an answer times words of its reference, of which TER is computed while somebody waits."""
_MOST_VALUES = 1000


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

    @operation("POST /scorers/judges/{name}/versions", permission="scorer.write", status=201)
    def create_judge(
        self,
        name: Name,
        model: RefText,
        rubric: Text,
        *,
        scale: Annotated[list[Step], Field(max_length=11)] | None = None,
        shows: Annotated[list[Shown], Field(max_length=3)] | None = None,
        pair: bool = False,
        trials: Annotated[int, Field(ge=1, le=20)] = 1,
        temperature: Annotated[float, Field(ge=0, le=2)] = 0.0,
        max_tokens: Annotated[int, Field(ge=16, le=4096)] = 300,
        note: Text = "",
    ) -> ScorerVersion:
        """Store a model judge: a rubric, a scale from worst to best, and who judges. Experiments name it `judge:name`.

        `shows` is what it sees besides the answer: question, reference, contexts. `pair` sets the answer against the
        reference, in both orders. Raises Invalid, NotFound.
        """
        judge = custom.judge_of(
            model=model,
            rubric=rubric,
            scale=scale or ["fail", "pass"],
            shows=shows or ["question"],
            pair=pair,
            trials=trials,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        with self.begin() as tx:
            return custom.commit_judge(tx, name, judge, note)

    @operation("POST /scorers/code/{name}/versions", permission="code.write", status=201)
    def create_code(
        self,
        name: Name,
        source: Annotated[str, Field(min_length=1, max_length=50_000)],
        *,
        seconds: Annotated[float, Field(ge=0.1, le=300)] = 10.0,
        megabytes: Annotated[int, Field(ge=64, le=2048)] = 256,
        note: Text = "",
    ) -> ScorerVersion:
        """Store a scorer in Python: `def score(answer, reference, question, contexts)`. Only admins may.

        It runs in a process of its own with little time and memory, without files and network. Experiments name it
        `code:name`. Raises Invalid for source that does not compile.
        """
        with self.begin() as tx:
            return custom.commit_code(tx, name, Code(source=source, seconds=seconds, megabytes=megabytes), note)

    @operation("GET /scorers/versions/{kind}", permission="scorer.read", mcp=True)
    def own(self, kind: Kind, *, limit: Limit = 100, cursor: Cursor = "") -> Page[ScorerVersion]:
        """List the project's own judges, or its scorers in Python, each with its latest version."""
        with self.read() as tx:
            found, following = versions.names(tx, kind, limit, cursor)
        return Page(items=[custom.shown(version) for version in found], next_cursor=following)

    @operation("GET /scorers/versions/{kind}/{name}", permission="scorer.read", mcp=True)
    def get(self, kind: Kind, name: Name, *, selector: str = "") -> ScorerVersion:
        """Show a judge or a scorer in Python: the latest version, or the one that the selector names."""
        with self.read() as tx:
            return custom.shown(versions.resolve(tx, f"{kind}/{name}@{selector}" if selector else f"{kind}/{name}"))

    @operation("POST /scorers/try", permission="scorer.use")
    def try_(
        self,
        metric: MetricText,
        answer: Long,
        *,
        reference: Any = None,
        question: Long = "",
        contexts: Contexts | None = None,
    ) -> Tried:
        """Score one answer by a metric, outside any experiment; of a judge, with its reasons.

        Raises Invalid for a metric that needs the model that answered, NotFound, Unavailable.
        """
        from mainspring.evals import scorers
        from mainspring.evals.scoring import bench_of, pinned

        with self.read() as tx:
            found = scorers.metric(pinned(tx, [metric])[0])
            judge = load_judge(tx, found.argument)[1] if found.scorer.name == "judge" else None
        if "likelihood" in found.scorer.needs:
            raise Invalid(f"'{found.name}' needs the model that answered.", hint="Run an experiment with it.")
        asked = scorers.Answer(answer, reference, question=question, contexts=tuple(contexts or ()))
        _check_size(found, asked)
        bench = bench_of(self.platform, self.caller.environment)
        if judge is None:
            value = found.values(bench, [asked])[0]
            return Tried(metric=found.name, value=value, note="" if value is not None else _why_none(found, asked))
        if judge.pair and reference is None:
            raise Invalid("A judge of pairs needs a reference as the answer's opponent.")
        said: list[Judgement] = scorers.judges.judgements(judge, [asked], bench)[0]
        value = sum(one.score for one in said) / len(said) if said else None
        note = "" if said else "The judge did not answer in the form that it was asked for."
        return Tried(metric=found.name, value=value, note=note, judgements=said)

    @operation("POST /scorers/calibrations", permission="scorer.write", status=202)
    def calibrate(self, judge: Name, experiment: Named, *, human: Name = "quality", selector: str = "") -> Run:
        """Set a judge against people, on the rows of an experiment whose traces people have scored under a name.

        Rows that the experiment did not have judged are judged now. The run's result is the calibration: agreement,
        Cohen's kappa, bias, confusion, and the experiment's figure corrected for the judge's errors. Raises NotFound.
        """
        with self.read() as tx:
            ref, _ = load_judge(tx, f"{judge}@{selector}" if selector else judge)
            found = store.load(tx, experiment)
        params = {"judge": ref, "experiment": found.id, "human": human}
        return self.start_run("scorer.calibrate", params, inputs=[ref])

    @operation("GET /scorers/calibrations", permission="scorer.read", mcp=True)
    def calibrations(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Calibration]:
        """List the latest calibration of each judge."""
        with self.read() as tx:
            found, following = versions.names(tx, "calibration", limit, cursor)
        return Page(items=[_shown(version) for version in found], next_cursor=following)

    @operation("GET /scorers/calibrations/{judge}", permission="scorer.read", mcp=True)
    def calibration(self, judge: Name, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Calibration]:
        """List the calibrations of a judge, newest first. Raises NotFound where there is no such judge."""
        with self.read() as tx:
            load_judge(tx, judge)
            try:
                found, following = versions.list_(tx, "calibration", judge, limit, cursor)
            except NotFound:
                found, following = [], None
        return Page(items=[_shown(version) for version in found], next_cursor=following)

    @operation("GET /scorers/corrected", permission="scorer.read", mcp=True)
    def corrected(self, experiment: Named, judge: Name) -> Figure:
        """Show an experiment's figure by a judge, corrected for the errors that its latest calibration found.

        Where people judged rows of this same experiment, their scores and the judge's are combined; else the judge's
        errors are carried over, on a scale of two steps. Raises Invalid, NotFound.
        """
        with self.read() as tx:
            one = store.load(tx, experiment)
            latest = _shown(_calibrated(tx, judge))
            ref, held = load_judge(tx, latest.judge.partition("/")[2])
            metric = f"judge:{ref.partition('/')[2]}"
            rows = _units(tx, one.file)
            judged = {row.row: value for row in rows if (value := row.scores.get(metric)) is not None}
            people = calibrating.human_values(tx, rows, latest.human, held.steps)
        if not judged:
            raise Invalid(f"The experiment has no scores by {metric}.", hint=f"Run it with the scorer {metric}.")
        groups = {row.row: row.group for row in rows}
        found = calibrating.corrected(metric, judged, people, groups) if people else None
        return found or calibrating.carried_over(metric, judged, latest, groups)

    @operation("GET /scorers/human", permission="scorer.read", mcp=True)
    def human(self, experiment: Named, name: Name, *, baseline: Named | None = None) -> HumanColumn:
        """Show what people gave the answers of an experiment, as a figure; with a baseline, compared row by row.

        Scores are those that people gave the rows' traces under a name. Raises Invalid, NotFound.
        """
        from mainspring.evals import columns, outside, scorers

        with self.read() as tx:
            one = store.load(tx, experiment)
            own = _human_cells(tx, _units(tx, one.file), name)
            theirs = _human_cells(tx, _units(tx, store.load(tx, baseline).file), name) if baseline else {}
        if not own:
            hint = f"Judge some: `mainspring score create {name} --trace-id … --number 1`."
            raise Invalid(f"People gave no row of {one.id} a score named '{name}'.", hint=hint)
        metric = scorers.metric(outside.own_metric(name))
        both = [row for row in own if row in theirs]
        compared = None
        if both:
            compared = columns.compare(metric, [theirs[row] for row in both], [own[row] for row in both])
        return HumanColumn(
            experiment=one.id,
            name=name,
            values={row: cell.value for row, cell in list(own.items())[:_MOST_VALUES]},
            figure=columns.figure(metric, list(own.values())),
            comparison=compared,
        )


def _check_size(metric: Metric, asked: Answer) -> None:
    """Raise TooLarge for texts that scoring would take long over, while somebody waits."""
    from mainspring.evals.scorers.overlap import work
    from mainspring.evals.scorers.structured import text_of

    reference = text_of(asked.reference, "") or ""
    if len(reference) > _LONGEST or sum(map(len, asked.contexts)) > 10 * _LONGEST:
        raise TooLarge(f"A text to try has at most {_LONGEST} characters, all passages ten times as many.")
    if metric.scorer.name == "ter" and work(asked.text, reference) > _MOST_WORK:
        raise TooLarge("The texts are too long to try TER on.", hint="Give about 60 words each, or run an experiment.")


def _why_none(metric: Metric, asked: Answer) -> str:
    """Say why a metric gave one answer no score."""
    lacking = [need for need in ("reference", "contexts") if need in metric.scorer.needs and not getattr(asked, need)]
    if lacking:
        return f"{metric.name} compares with {lacking[0]}: give --{lacking[0]}."
    return f"{metric.name} does not apply: what it looks at is known of answers in an experiment, or not in this text."


def _calibrated(tx: Tx, judge: str) -> versions.Version:
    try:
        return versions.resolve(tx, f"calibration/{judge}")
    except NotFound:
        load_judge(tx, judge)
        hint = f"Hold it against people first: `mainspring scorer calibrate {judge} EXPERIMENT --human NAME`."
        raise NotFound(f"The judge {judge} has no calibration.", hint=hint) from None


def _units(tx: Tx, file: str) -> list[ExperimentRow]:
    from mainspring.evals.repeats import as_units

    return as_units(list(store.read_rows(tx.platform.files, file)))


def _human_cells(tx: Tx, rows: list[ExperimentRow], name: str) -> dict[str, Any]:
    from mainspring.evals.columns import Cell

    groups = {row.row: row.group for row in rows}
    found = calibrating.human_values(tx, rows, name)
    return {row: Cell(value, None, groups[row]) for row, value in found.items()}


def _shown(version: versions.Version) -> Calibration:
    found = Calibration.model_validate(version.content)
    return found.model_copy(
        update={
            "ref": version.ref,
            "created_at": version.created_at,
            "created_by": version.created_by,
            "existed": version.existed,
        }
    )
