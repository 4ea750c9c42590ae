"""Scoring: all metrics over all answers, those that ask a model or start a process included."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.evals import scorers
from mainspring.evals.judging import AT_ONCE, Judging
from mainspring.evals.models import ExperimentRow, Judgement
from mainspring.evals.questions import Question
from mainspring.evals.repeats import as_units
from mainspring.evals.scorers import Answer, Bench, Metric
from mainspring.kernel.jobs import Job
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import ChatReply, ChatRequest
from mainspring.kernel.tx import Tx

_VERSIONED = {"judge": scorers.judges.load, "code": scorers.code.load}


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
    judging: Judging, task: Job, metrics: Sequence[Metric], questions: Sequence[Question], rows: Sequence[ExperimentRow]
) -> list[ExperimentRow]:
    """Return the rows with the scores of the metrics that see all rows together: judges, code, embeddings.

    What judges say is kept with the rows. Raises Invalid, Unavailable.
    """
    whole = [metric for metric in metrics if metric.scorer.batch is not None]
    if not whole:
        return list(rows)
    passages = {question.row: question.contexts for question in questions}
    keys = [unit.row for unit in as_units(rows)]
    answers = [answer_of(row, passages.get(row.row, ()), key=key) for row, key in zip(rows, keys, strict=True)]
    columns: dict[str, list[float | None]] = {}
    said: dict[str, dict[str, list[Judgement]]] = {}
    for done, metric in enumerate(whole):
        task.progress(done, len(whole), f"scoring: {metric.name}")

        def keep(key: str, of: Sequence[Judgement], name: str = metric.name) -> None:
            said.setdefault(key, {})[name] = list(of)

        columns[metric.name] = metric.values(judging.bench(keep), answers)
    order = [metric.name for metric in metrics]
    judged = []
    for place, row in enumerate(rows):
        scores = {**row.scores, **{name: column[place] for name, column in columns.items()}}
        kept = {"scores": {name: scores[name] for name in order}, "judgements": said.get(keys[place], {})}
        judged.append(row.model_copy(update=kept))
    return judged


def answer_of(row: ExperimentRow, contexts: Sequence[str] = (), *, key: str = "") -> Answer:
    """Return a row as scorers take it; `key` names it, where its id alone does not."""
    asked = [message.get("content") for message in row.messages if message.get("role") == "user"]
    question = asked[-1] if asked and isinstance(asked[-1], str) else ""
    return Answer(row.answer, row.reference, question=question, contexts=tuple(contexts), key=key or row.row)


def bench_of(platform: Platform, environment: str) -> Bench:
    """Return a bench outside any run: what is asked is paid for, and not kept. A call that fails raises its error."""

    def ask(requests: Sequence[ChatRequest]) -> list[ChatReply | None]:
        replies = platform.chat.complete_many(requests, concurrency=AT_ONCE)
        wrong = next((reply for reply in replies if isinstance(reply, Exception)), None)
        if wrong is not None:
            raise wrong
        return [reply for reply in replies if isinstance(reply, ChatReply)]

    return Bench(platform, ask, environment)
