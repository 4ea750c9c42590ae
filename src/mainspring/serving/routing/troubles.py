"""Troubles: which failures of a call another candidate may not share."""

from __future__ import annotations

from mainspring.kernel.errors import LimitReached, MainspringError, NotFound, Unavailable
from mainspring.serving.models import Unkept
from mainspring.serving.routing.models import Trouble
from mainspring.serving.upstream import ContextExceeded, Filtered, Lost, TimedOut, Unreached

ILL: frozenset[Trouble] = frozenset({"connect", "timeout", "server"})
"""What says that a server is not well."""
PASSING: frozenset[Trouble] = frozenset({"connect", "server", "limit", "timeout"})
"""What may be gone when it is asked again."""


def trouble(error: MainspringError) -> Trouble | None:
    """Return what kind of trouble an error is; None where no other candidate is to be asked."""
    if isinstance(error, Unreached):
        return "connect"
    if isinstance(error, TimedOut):
        return "timeout"
    if isinstance(error, ContextExceeded):
        return "context"
    if isinstance(error, Filtered):
        return "filter"
    if isinstance(error, LimitReached):
        # What a limit or a budget of ours refuses, it refuses elsewhere too.
        return None if "limit" in error.details else "limit"
    if isinstance(error, Unavailable) and not isinstance(error, Unkept):
        return "server"
    return "server" if isinstance(error, NotFound) else None


def may_be_billed(error: MainspringError) -> bool:
    """Tell whether a server may bill what it did not answer: it had the request."""
    return isinstance(error, TimedOut | Lost)
