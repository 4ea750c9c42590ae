"""The Chat port: other rooms' way to a model, without a server in between."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, TypeVar

from mainspring.kernel import access
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import ChatReply, ChatRequest
from mainspring.serving.answering import Answerer
from mainspring.serving.metering.billing import Billing
from mainspring.serving.metering.meter import Meter
from mainspring.serving.models import Answer, Origin, Question, Target
from mainspring.serving.routing import Routed, Router, board_of, lookup
from mainspring.serving.sources import Sources
from mainspring.traces import book

T = TypeVar("T")
_PATIENT_QUEUE = 1_000_000
"""A batch waits for its turns; its `concurrency` bounds it."""


class EngineChat:
    """Answers through the same prompt, guards and engines as the gateway, on an event loop of its own."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answerer: Answerer | None = None
        self._router: Router | None = None
        self._billing: Billing | None = None

    def close(self) -> None:
        """Write what the calls used; what is under way then counts at its reservation."""
        if self._billing is not None:
            self._billing.close()

    def complete(self, request: ChatRequest) -> ChatReply:
        """Answer one request.

        `request.model` is `model/…`, `release/…` or a deployment; a release brings its prompt, guard and parameters.
        No trace is written: a batch of experiments is no traffic. What costs something counts against the allowances
        of the caller; a limit that has room again within a minute is waited for. Raises NotFound, Invalid,
        Unavailable, LimitReached, or Conflict for a budget over a model without a price.
        """
        target = self._target(request)
        return self._run(self._answer(target, request, access.current()))

    def complete_many(
        self,
        requests: Sequence[ChatRequest],
        *,
        concurrency: int = 8,
        on_reply: Callable[[int, ChatReply | Exception], None] | None = None,
    ) -> list[ChatReply | Exception]:
        """Answer many, in the order given; `on_reply(index, reply)` is called, in this thread, as each arrives."""
        targets: dict[tuple[str, str], Target | MainspringError] = {}
        for request in requests:
            key = (request.model, request.environment)
            if key not in targets:
                try:
                    targets[key] = self._target(request)
                except MainspringError as error:
                    targets[key] = error
        arrived: SimpleQueue[tuple[int, ChatReply | Exception]] = SimpleQueue()
        asked = [(targets[(r.model, r.environment)], r) for r in requests]
        work = self._answer_all(asked, access.current(), concurrency, arrived)
        future = asyncio.run_coroutine_threadsafe(work, self._start())
        replies: list[ChatReply | Exception | None] = [None] * len(requests)
        try:
            for _ in requests:
                index, reply = arrived.get()
                replies[index] = reply
                if on_reply is not None:
                    on_reply(index, reply)
        finally:
            future.cancel()
        return [reply for reply in replies if reply is not None]

    def _target(self, request: ChatRequest) -> Target:
        with self._platform.read() as tx:
            lead = lookup(tx, request.model, request.environment or tx.caller.environment)
            prices = book(tx)

            def priced(one: Target) -> Target:
                return replace(one, price=prices.price(one.model, tx.now, provider=one.provider))

            return lead.each(priced).pick()

    async def _answer_all(
        self,
        work: Sequence[tuple[Target | MainspringError, ChatRequest]],
        caller: Caller,
        concurrency: int,
        arrived: SimpleQueue[tuple[int, ChatReply | Exception]],
    ) -> None:
        turns = asyncio.Semaphore(max(1, concurrency))

        async def one(index: int, target: Target | MainspringError, request: ChatRequest) -> None:
            try:
                if isinstance(target, MainspringError):
                    raise target
                async with turns:
                    arrived.put((index, await self._answer(target, request, caller)))
            except Exception as error:  # each request has its own fate
                arrived.put((index, error))

        await asyncio.gather(*(one(index, target, request) for index, (target, request) in enumerate(work)))

    async def _answer(self, target: Target, request: ChatRequest, caller: Caller) -> ChatReply:
        question = Question(
            messages=list(request.messages),
            options=request.options(),
            origin=Origin(member=caller.member, key_id=caller.key_id, metadata=dict(request.metadata)),
        )
        assert self._answerer is not None and self._router is not None
        answerer = self._router if isinstance(target, Routed) else self._answerer
        return _reply(await answerer.complete(target, question))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._start()).result()

    def _start(self) -> asyncio.AbstractEventLoop:
        """Return the running loop, started at the first call: a process that asks nothing pays nothing."""
        with self._lock:
            if self._loop is None:
                platform = self._platform
                sources = Sources(platform, queue=_PATIENT_QUEUE)
                self._billing = Billing(Meter(platform), batch=True)
                self._answerer = Answerer(sources, None, platform.clock, platform.ids, self._billing)
                self._router = Router(self._answerer, board_of(platform))
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="chat", daemon=True).start()
            return self._loop


def _reply(answer: Answer) -> ChatReply:
    """Return an answer as text; one that calls tools and says nothing is its calls, as JSON."""
    calls = json.dumps(list(answer.tool_calls), ensure_ascii=False) if answer.tool_calls else ""
    return ChatReply(
        text=answer.text or calls,
        finish_reason=answer.finish_reason,
        input_tokens=answer.usage.input_tokens,
        output_tokens=answer.usage.output_tokens,
        cost=answer.cost,
        latency_ms=answer.latency_ms,
        tool_calls=[dict(call) for call in answer.tool_calls],
    )
