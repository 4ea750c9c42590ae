"""Patience with local engines, whose wire has no phases of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import aclosing
from typing import TypeVar

from mainspring.registry import Patience
from mainspring.serving.upstream import Events, TimedOut

T = TypeVar("T")


async def within(patience: Patience, answer: Awaitable[T]) -> T:
    """Return a whole answer. Raises TimedOut where it takes longer than `total_seconds`."""
    try:
        async with asyncio.timeout(patience.total_seconds):
            return await answer
    except TimeoutError:
        raise _late(f"did not finish within {patience.total_seconds:g} s") from None


async def paced(patience: Patience, source: Events) -> Events:
    """Yield the events of an answer. Raises TimedOut where one takes longer than its phase allows."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + patience.total_seconds
    wait, phase = patience.first_token_seconds, "sent no token"
    async with aclosing(source) as events:
        while True:
            try:
                async with asyncio.timeout_at(min(ends, loop.time() + wait)):
                    event = await anext(events)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if loop.time() >= ends:
                    raise _late(f"did not finish within {patience.total_seconds:g} s") from None
                raise _late(f"{phase} within {wait:g} s") from None
            yield event
            wait, phase = patience.between_seconds, "sent nothing more"


def _late(what: str) -> TimedOut:
    return TimedOut(f"The model {what}.", hint="Ask for fewer tokens.")
