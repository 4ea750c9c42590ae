"""Optimisation of a prompt: a search on the training rows, judged on rows that the search never saw.

Few-shot selection tries random sets of training rows as examples. The search for an instruction lets a model reflect on
rows that went wrong and keeps the candidates that are best at some row: GEPA's idea (Agrawal et al. 2025).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mainspring.data import rows as dataset_rows
from mainspring.data.models import Row
from mainspring.evals import jobs, proposals, scorers
from mainspring.evals import plan as plans
from mainspring.evals.calls import Budget, Outcome, answer_all, request_key
from mainspring.evals.comparison import compare
from mainspring.evals.judging import Judging, calls_for_one, check_budget
from mainspring.evals.models import Experiment, ExperimentRow
from mainspring.evals.questions import ask, choose
from mainspring.evals.remote import RemoteChat
from mainspring.evals.scorers import Metric
from mainspring.evals.scoring import judge_all, pinned
from mainspring.evals.spans import Recorded
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.ports import JSON, Chat, ChatRequest
from mainspring.kernel.tx import Tx
from mainspring.prompts import Prompts, PromptVersion
from mainspring.prompts import load as load_prompt

KIND = "prompt.optimize"
_BATCH = 4
"""Rows that the model reflects on at a time."""
_SHOWN = 5
"""Traces that the result names of each candidate."""
_FRUITLESS = 5
"""Proposals in a row that come to nothing, after which the search ends."""


class _Spent(Exception):
    """The search has used its share of the budget."""


@dataclass(slots=True)
class Candidate:
    """A prompt that was tried."""

    prompt: PromptVersion
    how: str
    scores: dict[str, float] = field(default_factory=dict)
    """By row of the front, higher is better."""
    traces: list[str] = field(default_factory=list)
    """Of the rows that it did worst on, the worst first."""

    @property
    def mean(self) -> float:
        """Mean over the rows of the front."""
        return sum(self.scores.values()) / max(1, len(self.scores))


def params(tx: Tx, asked: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a run's parameters and its inputs, every reference exact. Raises Invalid, NotFound."""
    splits = (asked["train_split"], asked["test_split"])
    if splits[0] == splits[1] or "" in splits:
        raise Invalid("The result would be judged on rows that it was made from.", hint="Name two splits.")
    plan = plans.make(tx, asked["dataset"], asked["target"], asked["prompt"], False)
    assert plan.prompt is not None
    proposals.check(plan.prompt)
    metric = plans.choose_metrics(pinned(tx, [asked["scorer"]]), plan)[0]
    if "likelihood" in metric.scorer.needs:
        raise Invalid(f"'{metric.name}' tells nothing of an answer.", hint="Choose a scorer of answers.")
    by = plans.make(tx, plan.dataset, asked["proposer"] or plan.target, "", False)
    for each in (plan, by):
        plans.check_budget(tx, each, asked["max_cost"])
    check_budget(tx, [metric], None, asked["max_cost"])
    exact = {
        "prompt": plan.prompt.ref,
        "dataset": plan.dataset,
        "target": plan.target,
        "proposer": by.target,
        "scorer": metric.name,
        "fail_if_worse_than": "",
        **plans.generation(plan, None, None),
    }
    return {**asked, **exact}, plan.inputs


@job(KIND)
def run(task: Job) -> JSON:
    """Search, commit the best as an unlabelled version, and compare it with the prompt on held-out rows."""
    p = task.params
    with task.read() as tx:
        prompt = load_prompt(tx, p["prompt"])
        plan = plans.make(tx, p["dataset"], p["target"], p["prompt"], False)
        content = versions.resolve(tx, plan.dataset, "dataset").content
        each = 1 + calls_for_one(tx, [scorers.metric(p["scorer"])])
    rows = list(dataset_rows.read(task.platform.files, content))
    train = choose(rows, p["train_split"], None, p["seed"])
    held_out = choose(rows, p["test_split"], p["limit"], p["seed"])
    spare = p["max_calls"] - 2 * len(held_out) * each
    if spare < 2 * p["front"] * each:
        raise Invalid(
            f"{p['max_calls']} calls are too few: {2 * len(held_out) * each} judge the result on {len(held_out)}"
            f" held-out rows, and the search needs {2 * p['front'] * each}.",
            hint="Raise max-calls, or lower limit or front.",
        )
    search = _Search(task, plan, train, spare, each)
    best = search.best(prompt)
    tried = [{"how": one.how, "mean": round(one.mean, 6), "traces": one.traces} for one in search.tried]
    found = {
        "base": prompt.ref,
        "proposal": "",
        "tried": tried,
        "search_calls": search.calls,
        "search_tokens": search.tokens,
        "search_cost": search.cost,
        "experiments": [],
        "comparison": None,
        "sentence": "Nothing that was tried did better on the training rows.",
    }
    return found if best is None else _judged(task, prompt, best, found, len(held_out) * each, search)


def _judged(
    task: Job, prompt: PromptVersion, best: Candidate, found: dict[str, Any], calls: int, search: _Search
) -> JSON:
    """Commit the candidate as a proposal and add the evidence: two experiments on held-out rows, compared."""
    p = task.params
    made = Prompts(task.platform).commit(
        prompt.name,
        best.prompt.messages,
        variables={name: each for name, each in prompt.variables.items() if name in best.prompt.variables},
        schema=prompt.response_schema,
        tools=prompt.tools,
        parameters=prompt.parameters,
        note=f"Proposed by run {task.run_id} from {prompt.ref}: {best.how}.",
    )
    cost = None if p["max_cost"] is None else max((p["max_cost"] - search.cost) / 2, 1e-9)
    experiments: list[Experiment] = []
    for ref in (prompt.ref, made.ref):
        params = {
            **p,
            "prompt": ref,
            "suite": "",
            "split": p["test_split"],
            "scorers": [p["scorer"], "input_tokens"] if p["scorer"] != "input_tokens" else [p["scorer"]],
            "constrained": False,
            "repeats": 1,
            "max_calls": calls,
            "max_cost": cost,
            "reuse": False,
            "name": "",
            "note": f"Evidence of run {task.run_id}.",
        }
        experiments.append(jobs.perform(task, params, str(task.step(f"evidence-{ref}", task.platform.ids.new))))
    compared = compare(task.platform.files, experiments[0], experiments[1])
    judged = next(one for one in compared.metrics if one.metric == p["scorer"])
    task.link(outputs=(made.ref,))
    return {
        **found,
        "proposal": made.ref,
        "experiments": [one.id for one in experiments],
        "comparison": compared.model_dump(mode="json"),
        "sentence": f"{made.ref} against {prompt.ref} on held-out rows, {judged.metric}: {judged.sentence}",
    }


class _Search:
    """One search: its rows, its budget, and what it tried."""

    def __init__(self, task: Job, plan: plans.Plan, train: Sequence[Row], calls: int, each: int) -> None:
        """`calls` are all that it may make, `each` those that an answer takes with its judges."""
        p = task.params
        self._task, self._plan, self._spare, self._each = task, plan, calls, each
        self._judging = Judging(task, lambda so_far: Budget(self._left, self._money))
        self._draw = random.Random(p["seed"])  # noqa: S311 - a search, no secret
        with task.read() as tx:
            self._chat: Chat = RemoteChat(plans.server(tx, plan)) if plan.is_url else task.platform.chat
            self._by = plans.make(tx, plan.dataset, p["proposer"], "", False)
            self._proposer: Chat = RemoteChat(plans.server(tx, self._by)) if self._by.is_url else task.platform.chat
        self._metric: Metric = plans.choose_metrics([p["scorer"]], plan)[0]
        self._sign = 1.0 if self._metric.scorer.higher_is_better else -1.0
        order = list(train)
        self._draw.shuffle(order)
        # Examples are drawn from rows that the front does not hold, so that no candidate has seen its own test.
        self._front, self._pool = order[: p["front"]], order[p["front"] :]
        self._answers: dict[str, Outcome] = {}
        self.tried: list[Candidate] = []
        self._calls, self._tokens, self._cost = 0, 0, 0.0

    @property
    def calls(self) -> int:
        """Calls so far, those of judges included, as in `tokens` and `cost`."""
        return self._calls + self._judging.calls

    @property
    def tokens(self) -> int:
        """Tokens so far."""
        return self._tokens + self._judging.tokens

    @property
    def cost(self) -> float:
        """US dollars so far."""
        return self._cost + self._judging.cost

    @property
    def _left(self) -> int:
        return self._spare - self.calls

    @property
    def _money(self) -> float | None:
        return None if self._task.params["max_cost"] is None else self._task.params["max_cost"] / 2 - self.cost

    def best(self, prompt: PromptVersion) -> Candidate | None:
        """Return the candidate that does best on the front; None where none does better than the prompt itself."""
        p = self._task.params
        if not self._pool:
            raise Invalid(f"{len(self._front)} training rows are too few.", hint="Lower front, or give more rows.")
        try:
            self._try(Candidate(prompt, "the prompt as it is"))
            if p["method"] in ("few-shot", "both"):
                self._few_shot(prompt)
            if p["method"] in ("instruction", "both"):
                self._instructions()
        except _Spent:
            self._task.log("The search ended with its budget.")
        top = max(self.tried, key=lambda one: one.mean, default=None)
        return None if top is None or top is self.tried[0] or top.mean <= self.tried[0].mean else top

    def _few_shot(self, prompt: PromptVersion) -> None:
        """Try random sets of examples, as many as there are candidates."""
        p = self._task.params
        able = [row for row in self._pool if proposals.example(row) is not None]
        for number in range(p["candidates"] if able else 0):
            shown = self._draw.sample(able, min(p["shots"], len(able)))
            self._try(Candidate(proposals.with_examples(prompt, shown), f"{len(shown)} examples, set {number + 1}"))

    def _instructions(self) -> None:
        """Let the model reflect on rows that went wrong, and keep a proposal that does better on these."""
        p = self._task.params
        made = fruitless = 0
        while made < p["candidates"] and fruitless < _FRUITLESS:
            fruitless += 1
            parent = self.tried[proposals.pick([one.scores for one in self.tried], self._draw)]
            batch = self._draw.sample(self._pool, min(_BATCH, len(self._pool)))
            before = self._answered(parent.prompt, batch)
            text = self._reflect(parent.prompt, before, made * _FRUITLESS + fruitless)
            if text is None:
                continue
            child = Candidate(proposals.with_instruction(parent.prompt, text), "an instruction after reflection")
            if self._sum(self._answered(child.prompt, batch)) > self._sum(before):
                made, fruitless = made + 1, 0
                self._try(child)

    def _try(self, candidate: Candidate) -> None:
        """Score a candidate on every row of the front."""
        rows = self._answered(candidate.prompt, self._front)
        candidate.scores = {row.row: self._value(row) for row in rows}
        candidate.traces = [row.trace_id for row in sorted(rows, key=self._value)[:_SHOWN] if row.trace_id]
        self.tried.append(candidate)
        self._task.log(f"{candidate.how}: {self._metric.name} {self._sign * candidate.mean:.4g}")

    def _reflect(self, prompt: PromptVersion, rows: Sequence[ExperimentRow], turn: int) -> str | None:
        """Ask for a better instruction; None where every row was right, or the answer is of no use."""
        p = self._task.params
        poor = sorted(rows, key=self._value)
        if self._metric.scorer.unit == "share" and all(row.scores.get(self._metric.name) == 1 for row in poor):
            return None
        request = ChatRequest(
            model=p["proposer"],
            messages=proposals.reflection(prompt, poor, self._metric.name),
            max_tokens=2048,
            temperature=1.0,
            seed=(p["seed"] + turn) % 2**31,
            environment=self._task.caller.environment,
        )
        outcome = self._ask(self._proposer, [request], jobs.recorded(self._task, self._by, None))[0]
        return proposals.proposed(outcome.reply.text, prompt) if outcome.reply else None

    def _answered(self, prompt: PromptVersion, rows: Sequence[Row]) -> list[ExperimentRow]:
        """Ask a prompt some rows and score the answers."""
        questions = [ask(row, prompt) for row in rows]
        requests = [jobs.request(self._task, self._task.params, self._plan, question, 0) for question in questions]
        # Calls of a candidate name no prompt: it is no version yet.
        version = self._plan.prompt if self._plan.prompt and prompt.messages == self._plan.prompt.messages else None
        outcomes = self._ask(self._chat, requests, jobs.recorded(self._task, self._plan, version), self._each)
        found = [
            jobs.score([self._metric], self._plan, question, outcome, None, 0)
            for question, outcome in zip(questions, outcomes, strict=True)
        ]
        judged = judge_all(self._judging, self._task, [self._metric], questions, found)
        if self._judging.stopped:
            raise _Spent
        return judged

    def _ask(
        self, chat: Chat, requests: Sequence[ChatRequest], recorded: Recorded | None, each: int = 1
    ) -> list[Outcome]:
        """Return the answers, asking only for those that are not known. Raises _Spent where the budget ends before."""
        p = self._task.params
        new = {key: one for one in requests if (key := request_key(one)) not in self._answers}
        if new:
            if self._left < len(new) * each or (self._money is not None and self._money <= 0):
                raise _Spent
            asked = answer_all(
                self._task,
                chat,
                list(new.values()),
                concurrency=p["concurrency"],
                reuse=False,
                budget=Budget(self._left, self._money, following=each - 1),
                recorded=recorded,
                all_may_fail=True,
            )
            self._calls += asked.calls
            self._cost += asked.cost
            for key, outcome in zip(new, asked.outcomes, strict=True):
                if outcome is None:
                    raise _Spent
                self._answers[key] = outcome
                reply = outcome.reply
                self._tokens += (reply.input_tokens + reply.output_tokens) if reply else 0
        if self.tokens > p["max_tokens_total"]:
            raise _Spent
        self._task.progress(self.calls, self.calls + self._left, "searching", cost=self.cost)
        return [self._answers[request_key(one)] for one in requests]

    def _value(self, row: ExperimentRow) -> float:
        return self._sign * (row.scores.get(self._metric.name) or 0.0)

    def _sum(self, rows: Sequence[ExperimentRow]) -> float:
        return sum(self._value(row) for row in rows)
