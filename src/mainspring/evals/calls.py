"""Calls: asking a target once for each question, and never again for what was answered before."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Mapping, Sequence

from mainspring.evals.ledger import Ledger
from mainspring.evals.spans import Recorded
from mainspring.kernel.errors import LimitReached, MainspringError, Unavailable, whole
from mainspring.kernel.jobs import Job
from mainspring.kernel.ports import Chat, ChatReply, ChatRequest
from mainspring.kernel.tables import canonical

ROUNDS = 3
"""How often a row is asked whose target was unavailable."""
_PASSING = (Unavailable, LimitReached)
_ROUNDING = 1e-6
"""Of a call, that adding up many may lose."""
_MOST_TOKENS = 2**31 - 1
"""Of one call; a server that says more, or less than none, is not believed."""
_LOOK_SECONDS = 0.5
"""How often the job looks whether it was cancelled."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, or why there is none."""

    reply: ChatReply | None
    error: str = ""
    own: bool = True
    """Whether this run asked; its timings are then its own."""


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """What a run may spend; None does not bound. Answers that were there before cost nothing."""

    calls: int | None = None
    cost: float | None = None
    """US dollars."""
    spent_calls: int = 0
    spent_cost: float = 0.0
    """What is gone of both already."""
    following: int = 0
    """Calls of judges that each answer brings after it; their share is kept back, each taken to be as dear."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What came of some questions, in their order."""

    outcomes: list[Outcome | None]
    """None where the budget ended before."""
    stopped: str
    """Why not everything was asked; empty where it was."""
    calls: int
    cost: float
    """Of the run's own calls, in US dollars."""

    @property
    def reused(self) -> int:
        """Answers that no call was made for."""
        return sum(outcome is not None and outcome.reply is not None and not outcome.own for outcome in self.outcomes)


def request_key(request: ChatRequest, scope: str = "") -> str:
    """Return the hash of everything that shapes an answer; `scope` sets apart what no reference pins."""
    asked = {
        "model": request.model,
        "messages": [dict(message) for message in request.messages],
        "schema": dict(request.schema) if request.schema is not None else None,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "seed": request.seed,
        "stop": list(request.stop),
        "environment": request.environment,
        "scope": scope,
        **({"extra": dict(request.extra)} if request.extra else {}),
    }
    return hashlib.sha256(canonical(asked).encode()).hexdigest()


def answer_all(
    job: Job,
    chat: Chat,
    requests: Sequence[ChatRequest],
    *,
    concurrency: int,
    reuse: bool,
    scope: str = "",
    budget: Budget | None = None,
    recorded: Recorded | None = None,
    all_may_fail: bool = False,
) -> Asked:
    """Ask every request once, as far as the budget goes, and return the outcomes in order.

    An answer is stored as it arrives, so a run that is cut off pays for it once; requests that are the same are asked
    once. `reuse` takes answers of other runs to the same question as well. `recorded` makes spans of the calls. Raises
    Unavailable where the target stays away, or, unless `all_may_fail`, where every row has an error.
    """
    asking = _Asking(job, chat, requests, scope, budget or Budget(), recorded)
    try:
        asking.recall(reuse=reuse)
        for _ in range(ROUNDS):
            asking.round(concurrency)
    finally:
        asking.ledger.close()
    asked = asking.result()
    missing = sum(outcome is None for outcome in asked.outcomes)
    if missing and not asked.stopped:
        raise Unavailable(
            f"{missing} of {len(requests)} rows got no answer, the target was unavailable: {asking.last}"[:500],
            hint=f"`mainspring run resume {job.run_id}` asks only for what is missing.",
        )
    found = [outcome for outcome in asked.outcomes if outcome is not None]
    if found and not all_may_fail and all(outcome.error for outcome in found):
        raise Unavailable(f"The target answered no row. The first error: {found[0].error}", hint="Try one row first.")
    return asked


class _Asking:
    """The state of one `answer_all`."""

    def __init__(
        self,
        job: Job,
        chat: Chat,
        requests: Sequence[ChatRequest],
        scope: str,
        budget: Budget,
        recorded: Recorded | None,
    ) -> None:
        self._job, self._chat, self._budget = job, chat, budget
        self._keys = [request_key(request, scope) for request in requests]
        self._by_key = dict(zip(self._keys, requests, strict=True))
        self._recorded = recorded
        self._outcomes: dict[str, Outcome] = {}
        self._calls, self._cost, self._dearest = 0, 0.0, 0.0
        self._answered = 0
        self._stopped = ""
        self.last = ""
        """Why the target was unavailable when it last was."""
        self._looked = time.monotonic()
        self.ledger = Ledger(job, self._record)

    def recall(self, *, reuse: bool) -> None:
        """Take the answers that are there."""
        for key, (reply, own) in self.ledger.known(list(self._by_key), reuse=reuse).items():
            self._outcomes[key] = Outcome(reply, own=own)
            if own:
                self._answered += 1
                self._paid(reply.cost)

    def round(self, concurrency: int) -> None:
        """Ask what is not answered yet, in waves that the budget bears."""
        self._job.check_cancelled()
        left = [key for key in self._by_key if key not in self._outcomes]
        while left and not self._stopped:
            size = self._affordable(len(left), concurrency)
            wave, left = left[:size], left[size:]
            if wave:
                requests = [self._by_key[key] for key in wave]
                self._chat.complete_many(
                    requests,
                    concurrency=concurrency,
                    on_reply=lambda index, reply, wave=wave: self._arrived(wave[index], reply),  # type: ignore[misc]
                )

    def result(self) -> Asked:
        """Return the outcomes by place; of questions that are the same, the first has the timings."""
        seen: set[str] = set()
        outcomes: list[Outcome | None] = []
        for key in self._keys:
            outcome = self._outcomes.get(key)
            if outcome is not None and key in seen:
                outcome = dataclasses.replace(outcome, own=False)
            seen.add(key)
            outcomes.append(outcome)
        return Asked(outcomes, self._stopped, self._calls, self._cost)

    def _affordable(self, left: int, concurrency: int) -> int:
        """Return how many calls the budget bears now, each taken to be as dear as the dearest so far.

        A budget in money bears no more at once than were answered before, so that one dear surprise stays one.
        """
        size, budget = left, self._budget
        if budget.calls is not None:
            size = min(size, (budget.calls - budget.spent_calls) // (1 + budget.following) - self._calls)
            if size <= 0:
                self._stopped = f"The budget of {budget.calls} calls is spent."
        if budget.cost is not None and not self._stopped:
            remaining = (budget.cost - budget.spent_cost) / (1 + budget.following) - self._cost
            fits = int(remaining / self._dearest + _ROUNDING) if self._dearest else left
            size = min(size, fits, 4 * concurrency, max(1, self._answered))
            if size <= 0 or remaining <= 0:
                self._stopped = f"The budget of {budget.cost:g} US dollars is spent."
        return 0 if self._stopped else size

    def _arrived(self, key: str, reply: ChatReply | Exception) -> None:
        if isinstance(reply, ChatReply):
            reply = _sound(reply)
            if self._recorded is not None and not reply.trace_id:
                reply = dataclasses.replace(reply, trace_id=self._recorded.trace_id(key))
            self._outcomes[key] = Outcome(reply)
            self._answered += 1
            self._paid(reply.cost)
            self.ledger.add(key, reply, time.time_ns())
        else:
            self._paid(0.0)
            if isinstance(reply, _PASSING):
                self.last = reply.message
                return
            said = f"{reply.code}: {reply.message}" if isinstance(reply, MainspringError) else ""
            self._outcomes[key] = Outcome(None, (said or f"{type(reply).__name__}: {reply}")[:500])
        now = time.monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self._job.progress(len(self._outcomes), len(self._by_key), "asking", cost=self._cost)
            self._job.check_cancelled()

    def _paid(self, cost: float) -> None:
        self._calls += 1
        self._cost += cost
        self._dearest = max(self._dearest, cost)

    def _record(self, answers: Mapping[str, tuple[ChatReply, int]]) -> list[str]:
        """Write the spans of answers before these go into the database; return the keys of others' questions."""
        if self._recorded is not None:
            known = {key: pair for key, pair in answers.items() if key in self._by_key}
            self._recorded.write([(key, self._by_key[key], *pair) for key, pair in known.items()])
        return [key for key in answers if key not in self._by_key]


def _sound(reply: ChatReply) -> ChatReply:
    """Return the reply with a text that can be stored, and with counts and a cost that a call can have."""
    return dataclasses.replace(
        reply,
        text=whole(reply.text),
        finish_reason=whole(reply.finish_reason)[:100],
        input_tokens=min(max(reply.input_tokens, 0), _MOST_TOKENS),
        output_tokens=min(max(reply.output_tokens, 0), _MOST_TOKENS),
        cost=max(reply.cost, 0.0),
    )
