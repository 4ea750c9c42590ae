"""Answering: one call through prompt, guards and engine, and its trace on disk before the last byte leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from mainspring.kernel.clock import Clock, Ids
from mainspring.kernel.errors import Invalid, LimitReached
from mainspring.kernel.ports import JSON, EngineSpec
from mainspring.kernel.spans import Span, SpanStatus
from mainspring.prompts import PromptVersion, frame
from mainspring.safety import Policy, StreamGuard
from mainspring.safety.guards import rules_for
from mainspring.serving import decoding, parts
from mainspring.serving.cache.cache import Cache
from mainspring.serving.canarying import planted, watches_prompt
from mainspring.serving.counters import Counters
from mainspring.serving.exchange import Exchange
from mainspring.serving.guarding import (
    Blocked,
    guard_calls,
    guard_filled,
    guard_input,
    guard_options,
    guard_output,
    guard_together,
    guard_values,
    judged,
    loggable,
)
from mainspring.serving.metering.billing import Billing
from mainspring.serving.models import PLAYGROUND, Answer, Message, Piece, Question, Target
from mainspring.serving.patience import paced, within
from mainspring.serving.recording import Recorder
from mainspring.serving.restoring import Restoring
from mainspring.serving.sources import Sources
from mainspring.serving.upstream import Events, TimedOut

P = ParamSpec("P")
T = TypeVar("T")
_LONG = 4000
"""Characters that a guard reads within a few milliseconds."""
_PATIENCE = 60.0
"""Seconds after which nobody waits for a guard any more; each detector's own bound is tighter."""
FILTERED = "content_filter"
"""Finish reason of an answer that the guard stopped."""


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
        try:
            body = await self._asked(exchange)
            hit = exchange.hit
            reply = await self._whole(exchange, body) if hit is None else hit.reply(question.operation)
            text, calls, exchange.finish_reason, exchange.stop_sequence = decoding.whole(reply)
            exchange.take(text, calls, decoding.usage(reply))
            policy = exchange.target.policy
            if policy is None:
                exchange.text, exchange.tool_calls = text, calls
            else:
                size = judged(policy, len(text) + len(str(calls)))
                await _apart(size, _guard_whole, policy, exchange, text, calls)
        except BaseException as error:
            await self._record_failure(exchange, error)
            raise
        await self._record(exchange)
        return exchange.answer()

    async def stream(self, target: Target, question: Question) -> AsyncGenerator[Piece, None]:
        """Yield the answer in pieces that passed the guard; the last one comes after the trace is on disk.

        Raises as `complete` does; whatever is refused before the engine is asked raises before the first piece.
        """
        exchange = Exchange(target, question, self._clock, self._ids)
        exchange.streams = True
        try:
            body = await self._asked(exchange)
            if exchange.target.policy is None:
                calls = decoding.Calls()
                if question.relay is not None:
                    question.relay.hear = exchange.said
                async with aclosing(self._events(exchange, body)) as events:
                    async for event in events:
                        piece = _told(exchange, event, calls)
                        exchange.text += piece.text
                        if piece.raw:
                            yield piece
                        elif piece.text or piece.tool_calls:
                            yield Piece(text=piece.text, tool_calls=piece.tool_calls)
                exchange.tool_calls = calls.whole()
            else:
                async with aclosing(self._restored(exchange, body)) as pieces:
                    async for piece in pieces:
                        yield piece
        except BaseException as error:
            await self._record_failure(exchange, error)
            raise
        await self._record(exchange)
        yield Piece(
            finish_reason=exchange.finish_reason or "stop",
            stop_sequence=exchange.stop_sequence,
            usage=exchange.usage,
            cost=exchange.cost if question.origin.service == PLAYGROUND else None,
        )

    async def embed(self, target: Target, question: Question) -> dict[str, Any]:
        """Return the vectors of texts as a provider answered. Raises as `complete` does."""
        exchange = Exchange(target, question, self._clock, self._ids)
        try:
            reserved = await self._asked(exchange)
            body = {name: value for name, value in reserved.items() if name != "max_tokens"}
            reply = await self._sources.embed(target.spec, body)
            exchange.take("", (), decoding.usage(reply))
        except BaseException as error:
            await self._record_failure(exchange, error)
            raise
        await self._record(exchange)
        return reply

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

    def _whole(self, exchange: Exchange, body: Mapping[str, JSON]) -> Awaitable[dict[str, Any]]:
        """Ask the model for the whole answer."""
        target, question = exchange.target, exchange.question
        asking = self._sources.complete(target.spec, question.operation, body, question.origin.key_id)
        return asking if target.patience is None else within(target.patience, asking)

    def _events(self, exchange: Exchange, body: Mapping[str, JSON]) -> Events:
        """Return the events of an answer, those of a model or those that the cache makes."""
        target, question = exchange.target, exchange.question
        if exchange.hit is not None:
            return exchange.hit.events(question.operation)
        relay, joined = question.relay, question.passes and target.policy is None
        how: dict[str, Any] = {"joined": joined, "relay": relay if joined else None}
        source = self._sources.stream(target.spec, question.operation, body, question.origin.key_id, **how)
        return source if target.patience is None else paced(target.patience, source)

    async def _restored(self, exchange: Exchange, body: Mapping[str, JSON]) -> AsyncGenerator[Piece, None]:
        """Yield what the guard lets through as the caller sees it; the trace keeps the placeholders."""
        restoring = Restoring(exchange.findings.vault)
        async with aclosing(self._safe(exchange, body)) as pieces:
            async for piece in pieces:
                exchange.text += piece.text
                if restored := restoring.piece(piece):
                    yield restored
        if tail := restoring.finish():
            yield tail

    async def _safe(self, exchange: Exchange, body: Mapping[str, JSON]) -> AsyncGenerator[Piece, None]:
        """Yield what the guard lets through, ending the generation at once where it blocks.

        Without rules for answers nothing is held back; with some, the end of the text that could still become a hit,
        and tool calls until they are whole.
        """
        target = exchange.target
        policy = target.policy if target.policy and rules_for(target.policy, "output") else None
        guard = StreamGuard(policy, meter=exchange.findings.meters["output"]) if policy is not None else None
        calls = decoding.Calls()
        async with aclosing(self._events(exchange, body)) as events:
            async for event in events:
                piece = _told(exchange, event, calls)
                if guard is None:
                    if piece.text or piece.tool_calls:
                        yield Piece(text=piece.text, tool_calls=piece.tool_calls)
                    continue
                if safe := guard.feed(piece.text):
                    yield Piece(text=safe)
                if guard.blocked:
                    break
        exchange.tool_calls = calls.whole()
        if policy is not None and guard is not None:
            called = bool(exchange.tool_calls)
            if tail := await _apart(judged(policy, guard.size), guard.finish, called=called):
                yield Piece(text=tail)
            exchange.findings.add("output", guard.outcome)
            if _guard_called(exchange, policy, blocked=guard.blocked) and exchange.tool_calls:
                yield Piece(tool_calls=decoding.deltas(exchange.tool_calls))

    async def _asked(self, exchange: Exchange) -> Mapping[str, JSON]:
        """Return what the model is to be asked, guarded and reserved; what the cache has is put into the exchange."""
        body = _prepare(exchange) if exchange.target.policy is None else await _prepared(exchange)
        if exchange.target.cache is not None and self._cache is not None:
            await self._cache.find(exchange, body)
        return await self._billing.reserve(exchange, body) if self._billing is not None else body

    def _settle(self, exchange: Exchange, *, given_up: bool = False) -> None:
        """Count what the call used, before its trace is written: a kill in between leaves it counted."""
        if self._billing is not None:
            self._billing.settle(exchange, given_up=given_up)

    async def _record(self, exchange: Exchange) -> None:
        self._settle(exchange)
        if exchange.lookup is not None and self._cache is not None:
            self._cache.offer(exchange)
        await self._append(exchange, "ok", "")

    async def _record_failure(self, exchange: Exchange, error: BaseException) -> None:
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
        exchange.messages = await _apart(_size(exchange), _loggable, exchange)
        await self._append(exchange, "ok", "blocked by the guard")

    async def _append(
        self, exchange: Exchange, status: SpanStatus, message: str, error: BaseException | None = None
    ) -> None:
        self.counters.add(exchange, "blocked" if exchange.finish_reason == FILTERED else status, error)
        if self._recorder is not None and not self._recorder.wrote(spans := [exchange.span(status, message)]):
            await self._recorder.append(spans)


def _told(exchange: Exchange, event: Mapping[str, Any] | Piece, calls: decoding.Calls) -> Piece:
    """Take in one event of a stream, and return what it brings."""
    piece = decoding.piece(event)
    exchange.hear(piece, decoding.usage(event))
    for call in piece.tool_calls:
        calls.add(call)
    return piece


async def _prepared(exchange: Exchange) -> dict[str, JSON]:
    if exchange.target.policy is None:
        return _prepare(exchange)
    return await _apart(_size(exchange), _prepare, exchange)


async def _apart(size: int, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Do work over `size` characters, off the event loop where they are many. Raises Blocked after too long."""
    if size <= _LONG:
        return work(*given, **named)
    try:
        async with asyncio.timeout(_PATIENCE):
            return await asyncio.to_thread(work, *given, **named)
    except TimeoutError:
        raise Blocked("The guard took too long, and so nothing is let through.") from None


def _size(exchange: Exchange) -> int:
    """Return how many characters a guard has to read, or 0 where there is none."""
    target, question = exchange.target, exchange.question
    if target.policy is None:
        return 0
    prompt = len(_source(target.template)) if target.template is not None else 0
    asked = sum(len(str(part)) for part in (question.messages, question.options, question.variables))
    return judged(target.policy, prompt + asked)


def _prepare(exchange: Exchange) -> dict[str, JSON]:
    """Return the body for the engine: guarded, with the release's prompt and parameters."""
    target, question = exchange.target, exchange.question
    messages: list[Message] = list(question.messages)
    options: dict[str, JSON] = dict(question.options)
    variables = question.variables
    if target.policy is not None:
        messages = guard_input(target.policy, messages, exchange.findings)
        # At once, so that whatever fails from here on is recorded with the masked ones.
        exchange.messages = messages
        options = guard_options(target.policy, options, exchange.findings)
        variables = guard_values(target.policy, variables, exchange.findings)
    exchange.sent = options = options if question.operation == "embeddings" else _pinned(target, options)
    if isinstance(target.spec, EngineSpec):
        messages, options = parts.text_only(messages), parts.local(options)
    body = {name: value for name, value in options.items() if name != "constrained"}
    if isinstance(target.spec, EngineSpec) and target.spec.embeds and question.operation != "embeddings":
        raise Invalid("This model makes embeddings, and no answers.", hint="Use /v1/embeddings.", param="model")
    if question.operation != "chat" and target.template is not None:
        raise Invalid(f"{target.release} has a prompt for chats.", hint="Use /v1/chat/completions.")
    if question.operation == "embeddings":
        return {**body, "input": [message["content"] for message in messages]}
    if question.operation == "text_completion":
        return {**body, "prompt": messages[0]["content"]}
    if target.template is None:
        return {**body, "messages": _planted(exchange, messages)}
    asked = parts.text_of(messages[-1]) if messages else ""
    before, last = frame(target.template, [str(message["role"]) for message in messages], asked, variables)
    filled = [*before] if last is None else [*before, last]
    if target.policy is not None:
        guard_together(target.policy, [variables] if last is None else [variables, asked], exchange.findings)
        source = _source(target.template)
        texts = [guard_filled(target.policy, message.content, source, exchange.findings) for message in filled]
        filled = [message.model_copy(update={"content": text}) for message, text in zip(filled, texts, strict=True)]
    framed: list[Message] = [message.model_dump() for message in filled]
    if last is not None:
        framed[-1] = parts.with_images(framed[-1], messages[-1])
    if not messages:
        exchange.messages = framed
    if last is None:
        return {**body, "messages": _planted(exchange, [*framed, *messages])}
    return {**body, "messages": _planted(exchange, [*framed[:-1], *messages[:-1], framed[-1]])}


def _planted(exchange: Exchange, messages: list[Message]) -> list[Message]:
    """Return the messages for the engine, with a canary where the guard says so, which it will know in the answer."""
    policy = exchange.target.policy
    if policy is None or not watches_prompt(policy):
        return messages
    policy, messages = planted(policy, messages)
    exchange.target = replace(exchange.target, policy=policy)
    return messages


def _source(prompt: PromptVersion) -> str:
    """Return all that the author of a prompt wrote: its messages, what they include, and the variables' defaults."""
    texts = [message.content for message in prompt.messages] + [held.text for held in prompt.includes.values()]
    defaults = [variable.default for variable in prompt.variables.values() if variable.default is not None]
    texts += [given if isinstance(given, str) else json.dumps(given, ensure_ascii=False) for given in defaults]
    return "\n".join(texts)


def _pinned(target: Target, options: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the options with the release's own put over them; of two token limits the smaller holds."""
    merged = {**options, **target.parameters}
    if "max_tokens" in options and "max_tokens" in target.parameters:
        merged["max_tokens"] = min(int(options["max_tokens"]), int(target.parameters["max_tokens"]))
    if merged.get("constrained") and target.template is not None and target.template.response_schema:
        schema = {"name": "answer", "schema": target.template.response_schema}
        merged["response_format"] = {"type": "json_schema", "json_schema": schema}
    return merged


def _guard_whole(policy: Policy, exchange: Exchange, text: str, calls: list[dict[str, Any]]) -> None:
    """Put the guarded answer into the exchange; one that is refused becomes empty."""
    try:
        guarded = guard_output(policy, text, exchange.findings) if text or not calls else text
        exchange.tool_calls = guard_calls(policy, calls, exchange.findings)
        exchange.text = guarded
    except Blocked:
        exchange.finish_reason = FILTERED


def _guard_called(exchange: Exchange, policy: Policy, *, blocked: bool) -> bool:
    """Put the guarded tool calls into the exchange; False where they, or the text before them, are refused."""
    calls, exchange.tool_calls = exchange.tool_calls, []
    try:
        if not blocked:
            exchange.tool_calls = guard_calls(policy, calls, exchange.findings)
            return True
    except Blocked:
        pass
    exchange.finish_reason = FILTERED
    return False


def _loggable(exchange: Exchange) -> list[Message]:
    """Return the client's messages as they may be stored where they were refused."""
    policy = exchange.target.policy
    return [
        {"role": message.get("role", "user"), "content": loggable(policy, parts.text_of(message), "input")}
        for message in exchange.question.messages
    ]
