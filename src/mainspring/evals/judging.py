"""Judging: what a run asks judges. It is paid for once, and comes out of the run's own budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mainspring.evals import plan as plans
from mainspring.evals.calls import Budget, answer_all, request_key
from mainspring.evals.models import Judgement
from mainspring.evals.scorers import Bench, Metric, judges
from mainspring.kernel.errors import Invalid
from mainspring.kernel.jobs import Job
from mainspring.kernel.ports import ChatReply, ChatRequest
from mainspring.kernel.tx import Tx
from mainspring.registry import load_release

AT_ONCE = 8
"""Calls to a judge at a time."""
Keep = Callable[[str, Sequence[Judgement]], None]


class Judging:
    """Asks judges for one run, each question once, and adds up what it took."""

    def __init__(self, task: Job, budget: Callable[[Judging], Budget] | None = None) -> None:
        """`budget` says, given this with what it took so far, what may be spent now."""
        self._task, self._budget = task, budget
        self._known: dict[str, ChatReply | None] = {}
        self.calls, self.tokens, self.cost = 0, 0, 0.0
        self.stopped = ""
        """Why not everything was asked; empty where it was."""

    def bench(self, keep: Keep | None = None) -> Bench:
        """Return the bench of a scorer; `keep` takes what judges say."""
        environment = self._task.caller.environment
        if keep is None:
            return Bench(self._task.platform, self.ask, environment)
        return Bench(self._task.platform, self.ask, environment, keep)

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatReply | None]:
        """Return the replies; None where a judge refused, or the budget ended before.

        Nothing pins what a deployment answers, so that is asked anew by each run. Raises Unavailable.
        """
        loose = bool(requests) and requests[0].model.startswith("deployment/")
        scope = self._task.run_id if loose else ""
        keys = [request_key(request, scope) for request in requests]
        new = {key: one for key, one in zip(keys, requests, strict=True) if key not in self._known}
        if new:
            asked = answer_all(
                self._task,
                self._task.platform.chat,
                list(new.values()),
                concurrency=AT_ONCE,
                reuse=not loose,
                scope=scope,
                budget=self._budget(self) if self._budget else None,
            )
            self.calls, self.cost = self.calls + asked.calls, self.cost + asked.cost
            self.stopped = self.stopped or asked.stopped
            for key, outcome in zip(new, asked.outcomes, strict=True):
                if outcome is not None:
                    reply = self._known[key] = outcome.reply
                    self.tokens += (reply.input_tokens + reply.output_tokens) if reply else 0
        return [self._known.get(key) for key in keys]


def calls_for_one(tx: Tx, metrics: Sequence[Metric]) -> int:
    """Return how many calls the judges among some metrics make about one answer."""
    return sum(judges.load(tx, one.argument)[1].calls for one in metrics if one.scorer.name == "judge")


def check_budget(tx: Tx, metrics: Sequence[Metric], max_calls: int | None, max_cost: float | None) -> None:
    """Raise Invalid where a budget is too small for one answer, or nobody said what a judge among the metrics costs."""
    least = 1 + calls_for_one(tx, metrics)
    if max_calls is not None and max_calls < least:
        raise Invalid(
            f"{max_calls} calls are too few: one answer takes {least}, those of the judges included.",
            hint=f"Give --max-calls {least} at least, better as many for each row.",
        )
    if max_cost is not None:
        for one in metrics:
            if one.scorer.name == "judge":
                check_price(tx, judges.load(tx, one.argument)[1].model)


def check_price(tx: Tx, model: str) -> None:
    """Raise Invalid where nobody said what a judge's model costs."""
    ref = load_release(tx, model).model if model.startswith("release/") else model
    plans.check_price(tx, "" if ref.startswith("deployment/") else ref, model)
