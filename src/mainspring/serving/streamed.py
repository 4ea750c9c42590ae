"""Streamed: an answer in pieces, each passed by the guard before it leaves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from mainspring.kernel.ports import JSON
from mainspring.safety import StreamGuard
from mainspring.safety.guards import rules_for
from mainspring.serving import decoding
from mainspring.serving.exchange import Exchange
from mainspring.serving.guarded import apart, guard_called
from mainspring.serving.guarding import judged
from mainspring.serving.models import PLAYGROUND, Piece
from mainspring.serving.restoring import Restoring

if TYPE_CHECKING:
    from mainspring.serving.answering import Answerer


async def pieces(answerer: Answerer, exchange: Exchange) -> AsyncGenerator[Piece, None]:
    """Yield the answer in pieces that passed the guard; the last one comes after the trace is on disk.

    Raises as `complete` does; whatever is refused before the engine is asked raises before the first piece.
    """
    question = exchange.question
    try:
        body = await answerer.asked(exchange)
        if exchange.target.policy is None:
            calls = decoding.Calls()
            if question.relay is not None:
                question.relay.hear = exchange.said
            async with aclosing(answerer.events(exchange, body)) as events:
                async for event in events:
                    piece = _told(exchange, event, calls)
                    exchange.text += piece.text
                    if piece.raw:
                        yield piece
                    elif piece.text or piece.tool_calls:
                        yield Piece(text=piece.text, tool_calls=piece.tool_calls)
            exchange.tool_calls = calls.whole()
        else:
            async with aclosing(_restored(answerer, exchange, body)) as pieces:
                async for piece in pieces:
                    yield piece
    except BaseException as error:
        await answerer.record_failure(exchange, error)
        raise
    await answerer.record(exchange)
    yield Piece(
        finish_reason=exchange.finish_reason or "stop",
        stop_sequence=exchange.stop_sequence,
        usage=exchange.usage,
        cost=exchange.cost if question.origin.service == PLAYGROUND else None,
    )


async def _restored(answerer: Answerer, exchange: Exchange, body: Mapping[str, JSON]) -> AsyncGenerator[Piece, None]:
    """Yield what the guard lets through as the caller sees it; the trace keeps the placeholders."""
    restoring = Restoring(exchange.findings.vault)
    async with aclosing(_safe(answerer, exchange, body)) as pieces:
        async for piece in pieces:
            exchange.text += piece.text
            if restored := restoring.piece(piece):
                yield restored
    if tail := restoring.finish():
        yield tail


async def _safe(answerer: Answerer, exchange: Exchange, body: Mapping[str, JSON]) -> AsyncGenerator[Piece, None]:
    """Yield what the guard lets through, ending the generation at once where it blocks.

    Without rules for answers nothing is held back; with some, the end of the text that could still become a hit,
    and tool calls until they are whole.
    """
    target = exchange.target
    policy = target.policy if target.policy and rules_for(target.policy, "output") else None
    guard = StreamGuard(policy, meter=exchange.findings.meters["output"]) if policy is not None else None
    calls = decoding.Calls()
    async with aclosing(answerer.events(exchange, body)) as events:
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
        if tail := await apart(judged(policy, guard.size), guard.finish, called=called):
            yield Piece(text=tail)
        exchange.findings.add("output", guard.outcome)
        if guard_called(exchange, policy, blocked=guard.blocked) and exchange.tool_calls:
            yield Piece(tool_calls=decoding.deltas(exchange.tool_calls))


def _told(exchange: Exchange, event: Mapping[str, Any] | Piece, calls: decoding.Calls) -> Piece:
    """Take in one event of a stream, and return what it brings."""
    piece = decoding.piece(event)
    exchange.hear(piece, decoding.usage(event))
    for call in piece.tool_calls:
        calls.add(call)
    return piece
