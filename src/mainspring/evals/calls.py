"""Calls: asking a target once for each row, and never again for what was answered before."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from mainspring.evals.ledger import Ledger
from mainspring.kernel.errors import LimitReached, MainspringError, Unavailable
from mainspring.kernel.jobs import Job
from mainspring.kernel.ports import ChatReply, ChatRequest
from mainspring.kernel.versions import content_hash

ROUNDS = 3
"""How often a row is asked whose target was unavailable."""
_PASSING = (Unavailable, LimitReached)


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, or why there is none."""

    reply: ChatReply | None
    error: str = ""
    own: bool = True
    """Whether this run asked; its timings are then its own."""


def request_key(request: ChatRequest, scope: str = "") -> str:
    """Return the hash of everything that shapes an answer; `scope` sets apart what no reference pins."""
    asked = {f.name: getattr(request, f.name) for f in dataclasses.fields(request) if f.name != "metadata"}
    asked["messages"] = [dict(message) for message in request.messages]
    asked["schema"] = dict(request.schema) if request.schema is not None else None
    asked["stop"] = list(request.stop)
    return content_hash({**asked, "scope": scope})


def answer_all(
    job: Job, requests: Sequence[ChatRequest], *, concurrency: int, reuse: bool, scope: str = ""
) -> list[Outcome]:
    """Ask every request and return the outcomes in order.

    An answer is stored as it arrives, so a run that is cut off pays for it once. `reuse` takes answers of other runs
    to the same question as well. Raises Unavailable where the target stays away, or the error where all rows have one.
    """
    keys = [request_key(request, scope) for request in requests]
    ledger = Ledger(job)
    try:
        known = ledger.known(keys, reuse=reuse)
        outcomes = [Outcome(known[key][0], own=known[key][1]) if key in known else None for key in keys]
        for _ in range(ROUNDS):
            left = {place: keys[place] for place, outcome in enumerate(outcomes) if outcome is None}
            if left:
                _round(job, ledger, requests, left, outcomes, concurrency)
    finally:
        ledger.close()
    missing = sum(outcome is None for outcome in outcomes)
    if missing:
        raise Unavailable(
            f"{missing} of {len(requests)} rows got no answer: the target was unavailable.",
            hint=f"`mainspring run resume {job.run_id}` asks only for what is missing.",
        )
    found = [outcome for outcome in outcomes if outcome is not None]
    if found and all(outcome.error for outcome in found):
        raise Unavailable(f"The target answered no row. The first error: {found[0].error}", hint="Try one row first.")
    return found


def _round(
    job: Job,
    ledger: Ledger,
    requests: Sequence[ChatRequest],
    left: Mapping[int, str],
    outcomes: list[Outcome | None],
    concurrency: int,
) -> None:
    """Ask the requests at some places, whose keys are given, once; fill in their outcomes."""
    places = list(left)
    done = len(outcomes) - len(places)

    def arrived(index: int, reply: ChatReply | Exception) -> None:
        nonlocal done
        place = places[index]
        if isinstance(reply, ChatReply):
            outcomes[place] = Outcome(reply)
            ledger.add(left[place], reply)
        elif isinstance(reply, _PASSING):
            return
        elif isinstance(reply, MainspringError):
            outcomes[place] = Outcome(None, f"{reply.code}: {reply.message}"[:500])
        else:
            outcomes[place] = Outcome(None, f"{type(reply).__name__}: {reply}"[:500])
        done += 1
        job.progress(done, len(outcomes), "asking")
        if done % 16 == 0:
            job.check_cancelled()

    job.check_cancelled()
    asked = [requests[place] for place in places]
    job.platform.chat.complete_many(asked, concurrency=concurrency, on_reply=arrived)
