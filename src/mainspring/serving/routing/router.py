"""The router: one call of a route through its candidates, until one answers.

Candidates are asked in order, each at once after the one that failed. When all have failed, those that may be well
again are asked once more after a pause, as far as the route's budget of retries goes. Nothing is asked again once a
piece of the answer was passed on. Every attempt is a call of its own, reserved, settled and traced as such; where the
first is not the last, a span above them says how the whole ended.
"""

from __future__ import annotations

import asyncio
import math
import random
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mainspring.kernel.errors import Invalid, LimitReached, MainspringError, Unavailable
from mainspring.kernel.ports import JSON
from mainspring.registry import Patience, Remote
from mainspring.serving.answering import Answerer
from mainspring.serving.guarded import FILTERED
from mainspring.serving.models import Above, Answer, Piece, Question, Target
from mainspring.serving.routing import troubles
from mainspring.serving.routing.above import span_above
from mainspring.serving.routing.board import Board, Visit
from mainspring.serving.routing.choosing import Call, context_of, described, ordered
from mainspring.serving.routing.models import Trouble
from mainspring.serving.routing.plans import Option, Routed
from mainspring.serving.upstream import ContextExceeded, TimedOut

T = TypeVar("T")
_MOMENT = 0.005
"""Seconds in which no candidate answers; loops that count milliseconds wake somebody up to one too early."""
_WORD = 120
"""Characters of what a trace says of one candidate."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One candidate that is asked now."""

    choice: Option
    target: Target
    visit: Visit
    began: float


class Router:
    """Answers calls whose target is Routed; its methods are those of the answerer, and raise what they raise."""

    def __init__(self, answerer: Answerer, board: Board) -> None:
        self._answerer = answerer
        self._board = board

    async def complete(self, target: Target, question: Question) -> Answer:
        """Return the whole answer of the first candidate that gives one."""

        async def ask(candidate: Target) -> Answer:
            return await self._answerer.complete(candidate, question)

        answer, attempt = await self._walk(target, question, ask, _is_filtered)
        attempt.visit.succeeded()
        await self._close(target, question, attempt.target.above, None)
        return answer

    async def embed(self, target: Target, question: Question) -> dict[str, Any]:
        """Return the vectors of the first candidate that makes some."""

        async def ask(candidate: Target) -> dict[str, Any]:
            return await self._answerer.embed(candidate, question)

        reply, attempt = await self._walk(target, question, ask)
        attempt.visit.succeeded()
        await self._close(target, question, attempt.target.above, None)
        return reply

    async def count(self, target: Target, question: Question) -> int:
        """Return how many tokens the first candidate that counts them has counted."""

        async def ask(candidate: Target) -> int:
            return await self._answerer.count(candidate, question)

        counted, attempt = await self._walk(target, question, ask, counted=False)
        attempt.visit.succeeded()
        return counted

    async def stream(self, target: Target, question: Question) -> AsyncGenerator[Piece, None]:
        """Yield the answer of the first candidate that begins one; what fails from then on is the end."""

        async def ask(candidate: Target) -> tuple[Piece, AsyncGenerator[Piece, None]]:
            pieces = self._answerer.stream(candidate, question)
            try:
                piece = await anext(pieces)
            except BaseException:
                await pieces.aclose()
                raise
            if piece.finish_reason:
                await pieces.aclose()
            return piece, pieces

        (piece, pieces), attempt = await self._walk(target, question, ask, _begins_filtered)
        above = attempt.target.above
        try:
            async with aclosing(pieces):
                if piece.finish_reason:
                    await self._close(target, question, above, None)
                yield piece
                async for piece in pieces:
                    if piece.finish_reason:
                        await self._close(target, question, above, None)
                    yield piece
            attempt.visit.succeeded()
        except BaseException as error:
            if isinstance(error, MainspringError):
                _ended(attempt.visit, error)
            await self._close(target, question, above, error)
            raise
        finally:
            # Where the client left, this is the end; what was told before holds.
            attempt.visit.left()

    async def _walk(
        self,
        routed: Target,
        question: Question,
        ask: Callable[[Target], Awaitable[T]],
        refused: Callable[[T, Target], bool] = lambda answer, target: False,
        *,
        counted: bool = True,
    ) -> tuple[T, Attempt]:
        """Return the first answer, with the attempt that gave it, whose visit has not ended."""
        assert isinstance(routed, Routed)
        walk = _Walk(self._board, routed, described(question))
        try:
            while True:
                attempt = await walk.next()
                if walk.above.held is not None:
                    self._answerer.counters.passed(walk.above)
                try:
                    answer = await ask(attempt.target)
                except MainspringError as error:
                    if not walk.goes_on(attempt, error):
                        raise
                    continue
                except BaseException:
                    attempt.visit.left()
                    raise
                attempt.visit.heard()
                if refused(answer, attempt.target) and walk.goes_on(attempt, None):
                    continue
                walk.tell(attempt, question)
                return answer, attempt
        except BaseException as error:
            if counted and not walk.above.attempt:
                await self._unasked(routed, question, walk, error)
            await self._close(routed, question, walk.above, error)
            raise

    async def _unasked(self, routed: Routed, question: Question, walk: _Walk, error: BaseException) -> None:
        """Count and trace a call for which nobody may be asked: it is one call, in the place of the first candidate."""
        # No guard has read what came in, and a candidate's may not let it be stored.
        silent = any(one.target is not None and one.target.policy is not None for one in routed.options)
        at = replace(routed, notes=walk.notes(), guard="", policy=None)
        await asyncio.shield(self._answerer.unasked(at, question, error, silent=silent))

    async def _close(
        self, routed: Target, question: Question, above: Above | None, error: BaseException | None
    ) -> None:
        """Write the span above the attempts, once, where any was written below it."""
        if above is None:
            return
        self._answerer.counters.met(above)
        if not above.spans:
            return
        assert isinstance(routed, Routed)
        made = span_above(above, routed.route, question.origin, error)
        above.spans = []
        await asyncio.shield(self._answerer.append(made))


class _Walk:
    """Where one call has been, and where it goes next."""

    def __init__(self, board: Board, routed: Routed, call: Call) -> None:
        self._board, self._routed, self._call = board, routed, call
        self._route = routed.route
        self._key = (routed.project, self._route.environment, self._route.name)
        self._order = ordered(self._route, routed.options, call, board)
        self._left = list(self._order.asked)
        self._again: list[Option] = []
        self._told = [f"{passed.choice.candidate.target}: {passed.why}"[:_WORD] for passed in self._order.passed]
        self._errors: list[tuple[Option, Trouble, MainspringError]] = []
        self._round = self._number = self._billed = 0
        self._wait = 0.0
        self.above = Above(secrets.token_hex(8))
        total = self._route.waits.total_seconds
        self._ends = time.monotonic() + total if total is not None else None
        board.came(self._key, self._route.retry_budget)

    async def next(self) -> Attempt:
        """Return the next attempt, after a pause where it is a retry. Raises what the call ends with."""
        while True:
            if self._errors and self._is_late():
                raise self._end()
            if not self._left:
                await self._start_again()
            choice = self._left.pop(0)
            target = choice.target
            assert target is not None
            visit = self._board.enter(target, self._route.breaking)
            if visit is not None:
                self._number += 1
                return Attempt(choice, self._dressed(choice, target), visit, time.monotonic())
            self._count(choice, "skipped")
            rests = self._board.upstream(target).rests(self._board.now())
            self._told.append(f"{choice.candidate.target}: left alone for {rests:.1f} s"[:_WORD])

    def goes_on(self, attempt: Attempt, error: MainspringError | None) -> bool:
        """Take in a failure, or with no error a refused answer; tell whether another candidate is to be asked."""
        if error is None and not self._left:
            return False
        kind: Trouble | None = "filter" if error is None else troubles.trouble(error)
        error = error or Invalid("A content filter of the provider refused it.")
        asked_to_wait = float(error.details.get("retry_after", 0)) if kind == "limit" else 0.0
        if kind in troubles.ILL:
            attempt.visit.failed(error.message)
        elif kind in ("context", "filter"):
            attempt.visit.succeeded()
        else:
            attempt.visit.left(asked_to_wait)
        self._count(attempt.choice, kind or "refused")
        took = (time.monotonic() - attempt.began) * 1000
        self._told.append(f"{attempt.choice.candidate.target}: {kind}, {took:.0f} ms: {error.message}"[:_WORD])
        self._billed += troubles.may_be_billed(error)
        if kind is None or kind not in self._route.fallback_on:
            return False
        self._errors.append((attempt.choice, kind, error))
        if kind in troubles.PASSING and asked_to_wait <= self._route.backoff.most_seconds:
            self._again.append(attempt.choice)
            self._wait = max(self._wait, asked_to_wait)
        if kind == "context":
            self._prefer_larger(attempt.choice)
        return True

    def tell(self, attempt: Attempt, question: Question) -> None:
        """Note who answered, for the headers of the answer."""
        self._count(attempt.choice, "answered")
        if question.told is not None:
            question.told.target = attempt.target
            question.told.headers |= {
                "x-mainspring-route": self._route.name,
                "x-mainspring-candidate": attempt.choice.candidate.target,
                "x-mainspring-attempts": str(self._number),
            }
            if self._billed:
                question.told.headers["x-mainspring-maybe-billed"] = str(self._billed)

    def notes(self) -> dict[str, JSON]:
        """Return what a trace is to say of the route, and of those that were passed over so far."""
        route = self._route
        notes: dict[str, JSON] = {
            "mainspring.route": route.name,
            "mainspring.route.revision": route.revision,
            "mainspring.route.policy": route.policy,
        }
        if self._order.rule:
            notes["mainspring.route.rule"] = self._order.rule
        if self._order.unit:
            notes["mainspring.route.sticky"] = route.sticky
        if self._told:
            notes["mainspring.route.tried"] = self._told[-20:]
        if self._billed:
            notes["mainspring.route.maybe_billed"] = self._billed
        return notes

    async def _start_again(self) -> None:
        """Wait, and begin the next round. Raises what the call ends with."""
        if not self._again or self._round >= self._route.retries:
            raise self._end()
        backoff = self._route.backoff
        longest = min(backoff.most_seconds, backoff.base_seconds * 2**self._round)
        pause = max(random.uniform(0, longest), self._wait)  # noqa: S311 - no secret
        if self._is_late(pause) or not self._board.may_retry(self._key):
            raise self._end()
        self._round += 1
        self._left, self._again, self._wait = self._again, [], 0.0
        await asyncio.sleep(pause)
        # Meanwhile others, that were asked at the same time, may have been told to leave them alone for longer.
        ends = time.monotonic() + backoff.most_seconds
        while (rests := min(map(self._rests, self._left))) and time.monotonic() + rests < ends:
            if self._is_late(rests):
                raise self._end()
            await asyncio.sleep(rests + _MOMENT)

    def _rests(self, choice: Option) -> float:
        """Return the seconds until a candidate may be asked that asked to be left alone."""
        assert choice.target is not None
        return max(0.0, self._board.upstream(choice.target).resting - self._board.now())

    def _is_late(self, more: float = 0.0) -> bool:
        """Tell whether the time for the whole call is over, now or in some seconds more."""
        return self._ends is not None and time.monotonic() + more >= self._ends - _MOMENT

    def _prefer_larger(self, failed: Option) -> None:
        """Ask those with more context first; those with no more than the one that failed not at all."""
        held = context_of(failed)
        kept = [choice for choice in self._left if not held or not context_of(choice) or context_of(choice) > held]
        self._left = sorted(kept, key=lambda choice: -context_of(choice))

    def _dressed(self, choice: Option, target: Target) -> Target:
        """Return the target with the route's patience, and with what its trace is to say."""
        notes = self.notes() | {
            "mainspring.route.candidate": choice.candidate.target,
            "mainspring.route.attempt": self._number,
        }
        self.above.attempt = self._number
        waits = self._route.waits.model_dump(exclude_none=True)
        if self._ends is not None:
            waits["total_seconds"] = max(0.001, self._ends - time.monotonic())
        if not waits:
            return replace(target, notes=notes, above=self.above)
        held = target.spec.patience if isinstance(target.spec, Remote) else Patience()
        # Not checked: what is left of the whole time may be shorter than a provider may be set to.
        patience = Patience.model_construct(
            **{**{part: getattr(held, part) for part in Patience.model_fields}, **waits}
        )
        if isinstance(target.spec, Remote):
            spec = replace(target.spec, patience=patience)
            return replace(target, notes=notes, above=self.above, spec=spec)
        return replace(target, notes=notes, above=self.above, patience=patience)

    def _count(self, choice: Option, outcome: str) -> None:
        self._board.count(self._route.environment, self._route.name, choice.candidate.target, outcome)

    def _end(self) -> MainspringError:
        """Return the error of a call that nobody answered."""
        name, kinds = self._route.name, {kind for _, kind, _ in self._errors}
        tried = "; ".join(self._told[-8:])
        if len(self._errors) == 1 and self._number == 1:
            return self._errors[0][2]
        if self._errors and self._is_late():
            return TimedOut(f"No candidate of the route {name} answered in time: {tried}", hint="Ask again.")
        if kinds == {"context"}:
            return ContextExceeded(f"No candidate of the route {name} has the context: {tried}", hint="Shorten it.")
        if kinds == {"limit"}:
            soonest = min(int(error.details.get("retry_after", 1)) for _, _, error in self._errors)
            return LimitReached(f"Every candidate of the route {name} is at its limit.", retry_after=soonest)
        if not self._number and not self._order.asked and self._order.passed:
            if all("context" in passed.why for passed in self._order.passed):
                return ContextExceeded(f"No candidate of the route {name} has the context: {tried}")
            return Invalid(f"No candidate of the route {name} takes this call: {tried}", hint="Ask another model.")
        now, asked = self._board.now(), [choice.target for choice in self._order.asked if choice.target is not None]
        soonest = math.ceil(min((self._board.upstream(target).rests(now) for target in asked), default=0.0))
        problem = f"No candidate of the route {name} answered: {tried}"
        return Unavailable(problem, hint="Ask again in a moment.", retry_after=max(1, soonest))


def _ended(visit: Visit, error: MainspringError) -> None:
    if troubles.trouble(error) in troubles.ILL:
        visit.failed(error.message)
    else:
        visit.left()


def _is_filtered(answer: Answer, target: Target) -> bool:
    """Tell whether a provider refused an answer; what a guard of ours refused stays refused."""
    return answer.finish_reason == FILTERED and target.policy is None


def _begins_filtered(begun: tuple[Piece, AsyncGenerator[Piece, None]], target: Target) -> bool:
    return begun[0].finish_reason == FILTERED and target.policy is None
