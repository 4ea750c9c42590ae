"""Answering: one call through prompt, guards and engine, and its trace on disk before the last byte leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import Any

from mainspring.kernel.clock import Clock, Ids
from mainspring.kernel.errors import LimitReached
from mainspring.kernel.ports import JSON
from mainspring.kernel.spans import Span, SpanStatus
from mainspring.serving import decoding, streamed
from mainspring.serving.cache.cache import Cache
from mainspring.serving.counters import Counters
from mainspring.serving.exchange import Exchange
from mainspring.serving.guarded import FILTERED, apart, guard_whole, loggable_messages
from mainspring.serving.guarding import Blocked, judged
from mainspring.serving.metering.billing import Billing
from mainspring.serving.models import Answer, Piece, Question, Target
from mainspring.serving.patience import paced, within
from mainspring.serving.preparing import prepare, size_of
from mainspring.serving.recording import Recorder
from mainspring.serving.sources import Sources
from mainspring.serving.upstream import Events, TimedOut


class Answerer:
    """Answers calls on one event loop."""

    def __init__(
        self,
        sources: Sources,
        recorder: Recorder | None,
        clock: Clock,
        ids: Ids,
        billing: Billing | None = None,
        cache: Cache | None = None,
    ) -> None:
        """Without a recorder no trace is written; without billing nothing is counted, without a cache nothing kept."""
        self._sources = sources
        self._recorder = recorder
        self._clock = clock
        self._ids = ids
        self._billing = billing
        self._cache = cache
        self.counters = Counters()

    async def complete(self, target: Target, question: Question) -> Answer:
        """Return the whole answer. Raises Blocked, Invalid, LimitReached, Unavailable or a subclass."""
        exchange = Exchange(target, question, self._clock, self._ids)
        await self._end(exchange, await self._completed(exchange))
        return exchange.answer()

    def stream(self, target: Target, question: Question) -> AsyncGenerator[Piece, None]:
        """Return the answer in pieces that passed the guard; the last one comes after the trace is on disk.

        Iterating raises as `complete` does; what is refused before the engine is asked raises before the first piece.
        """
        exchange = Exchange(target, question, self._clock, self._ids)
        exchange.streams = True
        return streamed.pieces(self, exchange)

    async def embed(self, target: Target, question: Question) -> dict[str, Any]:
        """Return the vectors of texts as a provider answered. Raises as `complete` does."""
        exchange, replies = Exchange(target, question, self._clock, self._ids), list[dict[str, Any]]()
        await self._end(exchange, await self._embedded(exchange, replies))
        return replies[0]

    async def count(self, target: Target, question: Question) -> int:
        """Return how many tokens a question has, guarded as if it were asked; leaves no trace. Raises as `complete`."""
        exchange = Exchange(target, question, self._clock, self._ids)
        body = await _prepared(exchange)
        if self._billing is not None:
            await self._billing.admit(exchange)
        return await self._sources.count(target.spec, body)

    async def append(self, span: Span) -> None:
        """Write a span beside those of the calls. Raises Unkept where it cannot be."""
        if self._recorder is not None:
            await self._recorder.append([span])

    async def unasked(self, target: Target, question: Question, error: BaseException, *, silent: bool) -> None:
        """Count and trace a call that failed with nobody asked; `silent` leaves out what was to be asked."""
        self.counters.unasked(target, error)
        exchange = Exchange(target, question, self._clock, self._ids)
        exchange.messages = [] if silent else question.messages
        await self.append(exchange.span("error", getattr(error, "message", type(error).__name__)))

    def _whole(self, exchange: Exchange, body: Mapping[str, JSON]) -> Awaitable[dict[str, Any]]:
        """Ask the model for the whole answer."""
        target, question = exchange.target, exchange.question
        asking = self._sources.complete(target.spec, question.operation, body, question.origin.key_id)
        return asking if target.patience is None else within(target.patience, asking)

    def events(self, exchange: Exchange, body: Mapping[str, JSON]) -> Events:
        """Return the events of an answer, those of a model or those that the cache makes."""
        target, question = exchange.target, exchange.question
        if exchange.hit is not None:
            return exchange.hit.events(question.operation)
        relay, joined = question.relay, question.passes and target.policy is None
        how: dict[str, Any] = {"joined": joined, "relay": relay if joined else None}
        source = self._sources.stream(target.spec, question.operation, body, question.origin.key_id, **how)
        return source if target.patience is None else paced(target.patience, source)

    async def asked(self, exchange: Exchange) -> Mapping[str, JSON]:
        """Return what the model is to be asked, guarded and reserved; what the cache has is put into the exchange."""
        body = prepare(exchange) if exchange.target.policy is None else await _prepared(exchange)
        if exchange.target.cache is not None and self._cache is not None:
            await self._cache.find(exchange, body)
        billing = self._billing
        if billing is None:
            return body
        return billing.at_once(exchange, body) or await billing.reserve(exchange, body)

    def _settle(self, exchange: Exchange, *, given_up: bool = False) -> None:
        """Count what the call used, before its trace is written: a kill in between leaves it counted."""
        if self._billing is not None:
            self._billing.settle(exchange, given_up=given_up)

    # What fails is handed on and raised where it was recorded: compiled, a coroutine must not wait within a handler.
    async def _completed(self, exchange: Exchange) -> BaseException | None:
        """Take the whole answer into the exchange; return what it failed by."""
        try:
            body = await self.asked(exchange)
            hit = exchange.hit
            reply = await self._whole(exchange, body) if hit is None else hit.reply(exchange.question.operation)
            text, calls, exchange.finish_reason, exchange.stop_sequence = decoding.whole(reply)
            exchange.take(text, calls, decoding.usage(reply))
            policy = exchange.target.policy
            if policy is None:
                exchange.text, exchange.tool_calls = text, calls
            else:
                size = judged(policy, len(text) + len(str(calls)))
                await apart(size, guard_whole, policy, exchange, text, calls)
        except GeneratorExit:
            self._settle(exchange, given_up=True)  # it is closed, and may not wait any more
            raise
        except BaseException as error:
            return error
        return None

    async def _embedded(self, exchange: Exchange, replies: list[dict[str, Any]]) -> BaseException | None:
        """Add the answer to the replies; return what it failed by."""
        try:
            reserved = await self.asked(exchange)
            body = {name: value for name, value in reserved.items() if name != "max_tokens"}
            key = exchange.question.origin.key_id
            replies.append(await self._sources.embed(exchange.target.spec, body, key))
            exchange.take("", (), decoding.usage(replies[0]))
        except GeneratorExit:
            self._settle(exchange, given_up=True)  # it is closed, and may not wait any more
            raise
        except BaseException as error:
            return error
        return None

    async def _end(self, exchange: Exchange, failure: BaseException | None) -> None:
        """Record how a call ended, and raise what it failed by."""
        if failure is None:
            if left := self._recorded(exchange):
                await self.append(left)
            return
        await self.record_failure(exchange, failure)
        try:
            raise failure
        finally:
            failure = None  # its traceback leads here: both would wait for the search for garbage

    async def record(self, exchange: Exchange) -> None:
        """Count what a call used that was answered, and write its trace."""
        if left := self._recorded(exchange):
            await self.append(left)

    def _recorded(self, exchange: Exchange) -> Span | None:
        """Do what `record` does without waiting; return the span that has to be waited for, if any."""
        self._settle(exchange)
        if exchange.lookup is not None and self._cache is not None:
            self._cache.offer(exchange)
        return self._written(exchange, "ok", "")

    async def record_failure(self, exchange: Exchange, error: BaseException) -> None:
        """Write the trace of a call that was refused, failed or given up; none where a limit refused it."""
        if isinstance(error, LimitReached) and "limit" in error.details:
            self.counters.add(exchange, "limited", error)
            return
        # A model that was too late may have worked, and be billed, as for a client that went away.
        self._settle(exchange, given_up=isinstance(error, asyncio.CancelledError | GeneratorExit | TimedOut))
        if isinstance(error, Blocked):
            await asyncio.shield(self._record_refusal(exchange))
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            await asyncio.shield(self._append(exchange, "error", "the client went away"))
        else:
            await self._append(exchange, "error", getattr(error, "message", type(error).__name__), error)

    async def _record_refusal(self, exchange: Exchange) -> None:
        exchange.finish_reason = FILTERED
        exchange.messages = await apart(size_of(exchange), loggable_messages, exchange)
        await self._append(exchange, "ok", "blocked by the guard")

    async def _append(
        self, exchange: Exchange, status: SpanStatus, message: str, error: BaseException | None = None
    ) -> None:
        if left := self._written(exchange, status, message, error):
            await self.append(left)

    def _written(
        self, exchange: Exchange, status: SpanStatus, message: str, error: BaseException | None = None
    ) -> Span | None:
        """Count a call and write its span; return it where that has to be waited for. Raises Unkept."""
        self.counters.add(exchange, "blocked" if exchange.finish_reason == FILTERED else status, error)
        if self._recorder is None:
            return None
        span = exchange.span(status, message)
        return None if self._recorder.wrote([span]) else span


async def _prepared(exchange: Exchange) -> dict[str, JSON]:
    """Return what `prepare` does, off the event loop where the guard has much to read."""
    if exchange.target.policy is None:
        return prepare(exchange)
    return await apart(size_of(exchange), prepare, exchange)
