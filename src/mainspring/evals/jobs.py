"""The job that runs an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.data import rows as dataset_rows
from mainspring.evals import plan as plans
from mainspring.evals import regression, scorers, store
from mainspring.evals.calls import Asked, Budget, Outcome, answer_all
from mainspring.evals.columns import column, figure
from mainspring.evals.judging import Judging, calls_for_one
from mainspring.evals.models import Experiment, ExperimentRow
from mainspring.evals.questions import Question, ask, choose
from mainspring.evals.remote import RemoteChat
from mainspring.evals.repeats import as_units
from mainspring.evals.scorers import Answer, Metric
from mainspring.evals.scorers.structured import text_of
from mainspring.evals.scoring import judge_all
from mainspring.evals.spans import Recorded
from mainspring.kernel import versions
from mainspring.kernel.errors import LimitReached
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.ports import JSON, ChatRequest, LogLikelihoodReply
from mainspring.prompts import PromptVersion

KIND = "experiment.run"
_BATCH = 16
"""Rows whose likelihood is computed, and remembered, at a time."""


@job(KIND)
def run(task: Job) -> JSON:
    """Ask, score and store; the result is the experiment. Raises GateFailed where it is worse than its baseline."""
    found = perform(task, task.params, task.run_id)
    named = str(task.params["fail_if_worse_than"])
    if named:
        with task.read() as tx:
            baseline, wanted = regression.find(tx, named, task.params)
        if baseline is None:
            baseline = _baseline(task, wanted, found, named)
        with task.begin() as tx:
            found = store.held_against(tx, found, baseline.id)
        task.log(regression.hold(task.platform.files, baseline, found, named))
    return found.model_dump(mode="json")


def _baseline(task: Job, wanted: Mapping[str, Any], candidate: Experiment, named: str) -> Experiment:
    """Ask the baseline as the experiment was asked, with what is left of the budget. Raises LimitReached."""
    left = {
        "max_calls": None if wanted["max_calls"] is None else wanted["max_calls"] - candidate.calls,
        "max_cost": None if wanted["max_cost"] is None else wanted["max_cost"] - candidate.cost,
    }
    if any(value is not None and value <= 0 for value in left.values()):
        raise LimitReached("The budget ended before the baseline was asked.", hint="Give more, or ask it beforehand.")
    params = {**wanted, **left, "note": f"Asked as the baseline of {task.run_id}: {named}."}
    return perform(task, params, str(task.step("baseline", task.platform.ids.new)))


def perform(task: Job, p: Mapping[str, Any], experiment_id: str) -> Experiment:
    """Make one experiment."""
    with task.read() as tx:
        plan = plans.make(tx, p["dataset"], p["target"], p["prompt"], p["constrained"])
        content = versions.resolve(tx, plan.dataset, "dataset").content
        chat = RemoteChat(plans.server(tx, plan)) if plan.is_url else task.platform.chat
        metrics = plans.choose_metrics(p["scorers"], plan)
        following = calls_for_one(tx, metrics)
    rows = choose(list(dataset_rows.read(task.platform.files, content)), p["split"], p["limit"], p["seed"])
    questions = [ask(row, plan.prompt, own_system=plan.brings_system) for row in rows]
    task.log(f"{len(questions)} rows of {plan.dataset} for {plan.target} {p['prompt']}".rstrip())
    places = [(place, repeat) for repeat in range(p["repeats"]) for place in range(len(questions))]
    asked = answer_all(
        task,
        chat,
        [request(task, p, plan, questions[place], repeat) for place, repeat in places],
        concurrency=p["concurrency"],
        reuse=p["reuse"] and bool(plan.model),
        scope="" if plan.model else task.run_id,
        budget=Budget(p["max_calls"], p["max_cost"], following=following),
        recorded=recorded(task, plan, plan.prompt or plan.inner, experiment_id),
    )
    likelihoods: list[LogLikelihoodReply | None] = [None] * len(questions)
    if any("likelihood" in metric.scorer.needs for metric in metrics):
        # What was asked of a release is put into its prompt here: the likelihood is the bare model's.
        inner = [ask(row, plan.prompt or plan.inner) for row in rows]
        likelihoods = _likelihoods(task, plan.model, inner, experiment_id)
    scored = [
        score(metrics, plan, questions[place], outcome, likelihoods[place], repeat)
        for (place, repeat), outcome in zip(places, asked.outcomes, strict=True)
        if outcome is not None
    ]
    judging = Judging(
        task, lambda so_far: Budget(p["max_calls"], p["max_cost"], asked.calls + so_far.calls, asked.cost + so_far.cost)
    )
    scored = judge_all(judging, task, metrics, questions, scored)
    return _finish(task, p, plan, metrics, scored, asked, judging, experiment_id)


def recorded(task: Job, plan: plans.Plan, prompt: PromptVersion | None, experiment_id: str = "") -> Recorded | None:
    """Return what makes spans of the calls; None where this process has no span store."""
    if task.platform.spans_port is None:
        return None
    release = plan.target if plan.target.startswith("release/") else ""
    name = plan.model or (plan.target.partition("#")[2] if plan.is_url else plan.target)
    return Recorded(task, experiment_id, model=name, release=release, prompt=prompt.ref if prompt else "")


def request(task: Job, p: Mapping[str, Any], plan: plans.Plan, question: Question, repeat: int) -> ChatRequest:
    """Return the call that asks a question for the so-many-th time."""
    return ChatRequest(
        model=plan.target,
        messages=question.messages,
        schema=plan.schema if plan.enforced else None,
        max_tokens=p["max_tokens"],
        temperature=p["temperature"],
        seed=(p["seed"] + repeat) % 2**31,
        stop=p["stop"],
        environment=task.caller.environment,
        metadata={"experiment": task.run_id, "row": question.row},
        extra=plan.extra,
    )


def _likelihoods(
    task: Job, model: str, questions: Sequence[Question], experiment_id: str
) -> list[LogLikelihoodReply | None]:
    """Score each row's reference under the model, in batches that a crash does not repeat."""
    conversations = [
        [*question.messages, {"role": "assistant", "content": text_of(question.reference, "") or ""}]
        for question in questions
    ]
    able = [place for place, question in enumerate(questions) if question.reference is not None]
    found: list[LogLikelihoodReply | None] = [None] * len(questions)
    for start in range(0, len(able), _BATCH):
        places = able[start : start + _BATCH]
        asked = [conversations[place] for place in places]

        def measure(asked: list[list[dict[str, JSON]]] = asked) -> JSON:
            return [[reply.total, reply.tokens] for reply in task.platform.loglikelihood.score(model, asked)]

        for place, (total, tokens) in zip(
            places, task.step(f"likelihood-{experiment_id}-{start}", measure), strict=True
        ):
            found[place] = LogLikelihoodReply(total, tokens)
        task.progress(min(start + _BATCH, len(able)), len(able), "likelihood")
    return found


def score(
    metrics: Sequence[Metric],
    plan: plans.Plan,
    question: Question,
    outcome: Outcome,
    likelihood: LogLikelihoodReply | None,
    repeat: int,
) -> ExperimentRow:
    """Judge one row. A row without an answer is judged as an empty answer; its timings are not counted."""
    reply = outcome.reply
    timed = reply is not None and outcome.own
    usage: dict[str, Any] = {
        "finish_reason": reply.finish_reason if reply else "",
        "latency_ms": reply.latency_ms if reply and timed else None,
        "ttft_ms": reply.ttft_ms if reply and timed else None,
        "input_tokens": reply.input_tokens if reply else None,
        "output_tokens": reply.output_tokens if reply else None,
        "cost": reply.cost if reply else None,
    }
    text = reply.text if reply else ""
    answer = Answer(text, question.reference, plan.schema, likelihood=likelihood, contexts=question.contexts, **usage)
    counts = {metric.name: metric.counts(answer) for metric in metrics}
    return ExperimentRow(
        row=question.row,
        repeat=repeat,
        group=question.group,
        messages=question.messages,
        reference=question.reference,
        answer=text,
        error=outcome.error,
        trace_id=reply.trace_id if reply else "",
        scores={metric.name: metric.value(answer) for metric in metrics if metric.scorer.batch is None},
        counts={name: list(found) for name, found in counts.items() if found is not None},
        **usage,
    )


def _finish(
    task: Job,
    p: Mapping[str, Any],
    plan: plans.Plan,
    metrics: Sequence[Metric],
    rows: Sequence[ExperimentRow],
    asked: Asked,
    judging: Judging,
    experiment_id: str,
) -> Experiment:
    """Make the figures, store the experiment and link it."""
    settings = {name: p[name] for name in ("limit", "max_tokens", "temperature", "stop", "seed", "repeats")}
    settings["scorers"] = [metric.name for metric in metrics]
    for name in {metric.scorer.name for metric in metrics} & {"bleu", "chrf", "ter"}:
        settings[f"{name}_signature"] = scorers.signature(name)
    units = as_units(rows)
    figures = [figure(metric, list(column(metric, units).values()), seed=p["seed"]) for metric in metrics]
    file = store.write_rows(task.platform.files, rows)
    with task.begin() as tx:
        if asked_judges := [metric for metric in metrics if metric.scorer.name == "judge"]:
            settings["judges"] = {one.name: scorers.judges.load(tx, one.argument)[1].model for one in asked_judges}
        experiment = Experiment(
            id=experiment_id,
            name=p["name"],
            dataset=plan.dataset,
            split=p["split"],
            target=plan.target,
            prompt=plan.prompt.ref if plan.prompt else "",
            suite=p["suite"],
            constrained=plan.constrained,
            settings=settings,
            rows=len(rows),
            errors=sum(bool(row.error) for row in rows),
            figures=figures,
            stopped=asked.stopped or judging.stopped,
            calls=asked.calls + judging.calls,
            reused=asked.reused,
            cost=asked.cost + judging.cost,
            file=file,
            note=p["note"],
            created_at=tx.now,
            created_by=tx.caller.member,
        )
        store.save(tx, experiment)
    task.progress(len(rows), len(rows), "scored")
    return experiment
