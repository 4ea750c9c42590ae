"""Scoring: all metrics over all answers, those that ask a model or start a process included."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.evals import scorers
from mainspring.evals.calls import answer_all
from mainspring.evals.models import ExperimentRow
from mainspring.evals.questions import Question
from mainspring.evals.scorers import Answer, Bench, Metric
from mainspring.kernel.jobs import Job
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import ChatReply, ChatRequest
from mainspring.kernel.tx import Tx

_VERSIONED = {"judge": scorers.judges.load, "code": scorers.code.load}
_JUDGES_AT_ONCE = 8


def pinned(tx: Tx, names: Sequence[str]) -> list[str]:
    """Return the names with the versions that they mean made exact: `judge:kind` becomes `judge:kind@3`.

    Raises Invalid, NotFound.
    """
    found = []
    for name in names:
        kind, _, argument = name.partition(":")
        load = _VERSIONED.get(kind)
        if load is not None and argument:
            ref, _ = load(tx, argument)
            found.append(f"{kind}:{ref.partition('/')[2]}")
        else:
            found.append(name)
    return found


def judge_all(
    task: Job, metrics: Sequence[Metric], questions: Sequence[Question], rows: Sequence[ExperimentRow]
) -> list[ExperimentRow]:
    """Return the rows with the scores of the metrics that see all rows together: judges, code, embeddings.

    What a judge is asked is paid for once, as every call is. Raises Invalid, Unavailable.
    """
    whole = [metric for metric in metrics if metric.scorer.batch is not None]
    if not whole:
        return list(rows)
    passages = {question.row: question.contexts for question in questions}
    answers = [answer_of(row, passages.get(row.row, ())) for row in rows]
    bench = bench_for(task)
    columns = {}
    for done, metric in enumerate(whole):
        task.progress(done, len(whole), f"scoring: {metric.name}")
        columns[metric.name] = metric.values(bench, answers)
    order = [metric.name for metric in metrics]
    judged = []
    for place, row in enumerate(rows):
        scores = {**row.scores, **{name: column[place] for name, column in columns.items()}}
        judged.append(row.model_copy(update={"scores": {name: scores[name] for name in order}}))
    return judged


def bench_for(task: Job) -> Bench:
    """Return a bench whose calls the run remembers."""
    return Bench(task.platform, lambda requests: _ask(task, requests), task.caller.environment)


def answer_of(row: ExperimentRow, contexts: Sequence[str] = ()) -> Answer:
    """Return a row as scorers take it."""
    asked = [message.get("content") for message in row.messages if message.get("role") == "user"]
    question = asked[-1] if asked and isinstance(asked[-1], str) else ""
    return Answer(row.answer, row.reference, question=question, contexts=tuple(contexts), key=row.row)


def _ask(task: Job, requests: Sequence[ChatRequest]) -> list[ChatReply | None]:
    """Ask a judge; nothing pins what a deployment answers, so that is asked anew by each run."""
    if not requests:
        return []
    loose = requests[0].model.startswith("deployment/")
    scope = task.run_id if loose else ""
    chat = task.platform.chat
    asked = answer_all(task, chat, requests, concurrency=_JUDGES_AT_ONCE, reuse=not loose, scope=scope)
    return [outcome.reply if outcome is not None else None for outcome in asked.outcomes]


def bench_of(platform: Platform, environment: str) -> Bench:
    """Return a bench outside any run: what is asked is paid for, and not kept. A call that fails raises its error."""

    def ask(requests: Sequence[ChatRequest]) -> list[ChatReply | None]:
        replies = platform.chat.complete_many(requests, concurrency=_JUDGES_AT_ONCE)
        wrong = next((reply for reply in replies if isinstance(reply, Exception)), None)
        if wrong is not None:
            raise wrong
        return [reply for reply in replies if isinstance(reply, ChatReply)]

    return Bench(platform, ask, environment)
