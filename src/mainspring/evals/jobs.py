"""The job that runs an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring.data import rows as dataset_rows
from mainspring.evals import plan as plans
from mainspring.evals import scorers, store
from mainspring.evals.calls import Outcome, answer_all
from mainspring.evals.columns import column, figure
from mainspring.evals.models import Experiment, ExperimentRow
from mainspring.evals.questions import Question, ask, choose
from mainspring.evals.scorers import Answer, Metric
from mainspring.evals.scorers.structured import text_of
from mainspring.kernel import versions
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.ports import JSON, ChatRequest, LogLikelihoodReply

KIND = "experiment.run"
_BATCH = 16
"""Rows whose likelihood is computed, and remembered, at a time."""


@job(KIND)
def run(task: Job) -> JSON:
    """Ask, score and store; the result is the experiment."""
    p = task.params
    with task.read() as tx:
        plan = plans.make(tx, p["dataset"], p["target"], p["prompt"], p["constrained"])
        content = versions.resolve(tx, plan.dataset, "dataset").content
    metrics = plans.choose_metrics(p["scorers"], plan)
    rows = choose(list(dataset_rows.read(task.platform.files, content)), p["split"], p["limit"], p["seed"])
    questions = [ask(row, plan.prompt, own_system=plan.brings_system) for row in rows]
    task.log(f"{len(questions)} rows of {plan.dataset} for {plan.target}")
    scope = task.run_id if not plan.model else ""
    requests = [_request(task, plan, question) for question in questions]
    outcomes = answer_all(
        task, requests, concurrency=p["concurrency"], reuse=p["reuse"] and bool(plan.model), scope=scope
    )
    likelihoods: list[LogLikelihoodReply | None] = [None] * len(questions)
    if any("likelihood" in metric.scorer.needs for metric in metrics):
        # What was asked of a release is put into its prompt here: the likelihood is the bare model's.
        inner = [ask(row, plan.prompt or plan.inner) for row in rows]
        likelihoods = _likelihoods(task, plan.model, inner)
    scored = [
        _score(metrics, plan, question, outcome, likelihood)
        for question, outcome, likelihood in zip(questions, outcomes, likelihoods, strict=True)
    ]
    return _finish(task, plan, metrics, scored)


def _request(task: Job, plan: plans.Plan, question: Question) -> ChatRequest:
    p = task.params
    return ChatRequest(
        model=plan.target,
        messages=question.messages,
        schema=plan.schema if plan.enforced else None,
        max_tokens=p["max_tokens"],
        temperature=p["temperature"],
        seed=p["seed"],
        stop=p["stop"],
        environment=task.caller.environment,
        metadata={"experiment": task.run_id, "row": question.row},
    )


def _likelihoods(task: Job, model: str, questions: Sequence[Question]) -> list[LogLikelihoodReply | None]:
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

        for place, (total, tokens) in zip(places, task.step(f"likelihood-{start}", measure), strict=True):
            found[place] = LogLikelihoodReply(total, tokens)
        task.progress(min(start + _BATCH, len(able)), len(able), "likelihood")
    return found


def _score(
    metrics: Sequence[Metric],
    plan: plans.Plan,
    question: Question,
    outcome: Outcome,
    likelihood: LogLikelihoodReply | None,
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
    answer = Answer(text, question.reference, plan.schema, likelihood=likelihood, **usage)
    counts = {metric.name: metric.counts(answer) for metric in metrics}
    return ExperimentRow(
        row=question.row,
        group=question.group,
        messages=question.messages,
        reference=question.reference,
        answer=text,
        error=outcome.error,
        trace_id=reply.trace_id if reply else "",
        scores={metric.name: metric.value(answer) for metric in metrics},
        counts={name: list(found) for name, found in counts.items() if found is not None},
        **usage,
    )


def _finish(task: Job, plan: plans.Plan, metrics: Sequence[Metric], rows: Sequence[ExperimentRow]) -> JSON:
    """Make the figures, store the experiment and link it."""
    p = task.params
    settings = {name: p[name] for name in ("limit", "max_tokens", "temperature", "stop", "seed")}
    settings["scorers"] = [metric.name for metric in metrics]
    if any(metric.scorer.name == "bleu" for metric in metrics):
        settings["bleu_signature"] = scorers.bleu_signature()
    figures = [figure(metric, list(column(metric, rows).values()), seed=p["seed"]) for metric in metrics]
    file = store.write_rows(task.platform.files, rows)
    with task.begin() as tx:
        experiment = Experiment(
            id=task.run_id,
            name=p["name"],
            dataset=plan.dataset,
            split=p["split"],
            target=plan.target,
            prompt=plan.prompt.ref if plan.prompt else "",
            constrained=plan.constrained,
            settings=settings,
            rows=len(rows),
            errors=sum(bool(row.error) for row in rows),
            figures=figures,
            file=file,
            note=p["note"],
            created_at=tx.now,
            created_by=tx.caller.member,
        )
        store.save(tx, experiment)
    task.progress(len(rows), len(rows), "scored")
    return experiment.model_dump(mode="json")
