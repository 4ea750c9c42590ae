"""Guarded: one call under the guard of its release, off the event loop where there is much to read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from typing import Any, ParamSpec, TypeVar

from mainspring.safety import Policy
from mainspring.serving import parts
from mainspring.serving.exchange import Exchange
from mainspring.serving.guarding import Blocked, guard_calls, guard_output, loggable
from mainspring.serving.models import Message

P = ParamSpec("P")
T = TypeVar("T")
FILTERED = "content_filter"
"""Finish reason of an answer that the guard stopped."""
_LONG = 4000
"""Characters that a guard reads within a few milliseconds."""
_AT_ONCE = 4
"""Long texts that one process reads at the same time."""
_PATIENCE = 60.0
"""Seconds after which nobody waits for a guard any more; each detector's own bound is tighter."""


@cache
def _threads() -> ThreadPoolExecutor:
    """Return the threads of guards alone: texts that take long hold up no key that is checked, and no probe."""
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="guards")


async def apart(size: int, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Do work over `size` characters, off the event loop where they are many. Raises Blocked after too long."""
    if size <= _LONG:
        return work(*given, **named)
    try:
        async with asyncio.timeout(_PATIENCE):
            doing = partial(copy_context().run, work, *given, **named)
            return await asyncio.get_running_loop().run_in_executor(_threads(), doing)
    except TimeoutError:
        raise Blocked("The guard took too long, and so nothing is let through.") from None


def guard_whole(policy: Policy, exchange: Exchange, text: str, calls: list[dict[str, Any]]) -> None:
    """Put the guarded answer into the exchange; one that is refused becomes empty."""
    try:
        guarded = guard_output(policy, text, exchange.findings) if text or not calls else text
        exchange.tool_calls = guard_calls(policy, calls, exchange.findings)
        exchange.text = guarded
    except Blocked:
        exchange.finish_reason = FILTERED


def guard_called(exchange: Exchange, policy: Policy, *, blocked: bool) -> bool:
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


def loggable_messages(exchange: Exchange) -> list[Message]:
    """Return the client's messages as they may be stored where they were refused."""
    policy = exchange.target.policy
    return [
        {"role": message.get("role", "user"), "content": loggable(policy, parts.text_of(message), "input")}
        for message in exchange.question.messages
    ]
