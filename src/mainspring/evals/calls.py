"""Calls: asking a target once for each row, and never again for what was answered before."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select

from mainspring.evals.tables import calls
from mainspring.kernel.errors import LimitReached, MainspringError, Unavailable
from mainspring.kernel.jobs import Job
from mainspring.kernel.ports import JSON, ChatReply, ChatRequest
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
    outcomes = _known(job, keys, reuse)
    for _ in range(ROUNDS):
        left = [place for place, outcome in enumerate(outcomes) if outcome is None]
        if not left:
            break
        _round(job, requests, keys, outcomes, left, concurrency)
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
    requests: Sequence[ChatRequest],
    keys: Sequence[str],
    outcomes: list[Outcome | None],
    places: Sequence[int],
    concurrency: int,
) -> None:
    """Ask the requests at some places once, filling in their outcomes."""
    done = len(outcomes) - len(places)

    def arrived(index: int, reply: ChatReply | Exception) -> None:
        nonlocal done
        place = places[index]
        if isinstance(reply, ChatReply):
            outcomes[place] = Outcome(reply)
            _store(job, keys[place], reply)
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


def _known(job: Job, keys: Sequence[str], reuse: bool) -> list[Outcome | None]:
    """Return what was answered before, by this run or, with `reuse`, by any run of the project."""
    found: dict[str, tuple[str, Any]] = {}
    with job.read() as tx:
        for start in range(0, len(keys), 500):
            query = select(calls.c.key, calls.c.run_id, calls.c.reply).where(
                calls.c.project == tx.project, calls.c.key.in_(keys[start : start + 500])
            )
            if not reuse:
                query = query.where(calls.c.run_id == job.run_id)
            for row in tx.execute(query):
                if row.key not in found or row.run_id == job.run_id:
                    found[row.key] = (row.run_id, row.reply)
    outcomes: list[Outcome | None] = []
    for key in keys:
        run_id, reply = found.get(key, ("", None))
        outcomes.append(None if reply is None else Outcome(ChatReply(**reply), own=run_id == job.run_id))
    return outcomes


def _store(job: Job, key: str, reply: ChatReply) -> None:
    """Keep an answer; two rows that ask the same share the first."""
    with job.begin() as tx:
        mine = (calls.c.project == tx.project) & (calls.c.run_id == job.run_id) & (calls.c.key == key)
        if tx.execute(select(calls.c.key).where(mine)).one_or_none() is None:
            body: Mapping[str, JSON] = dataclasses.asdict(reply)
            row = {"project": tx.project, "run_id": job.run_id, "key": key, "reply": body, "at": tx.now}
            tx.execute(insert(calls).values(**row))
