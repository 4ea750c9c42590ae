"""Which span, session and user the present code belongs to: in context variables, and in OpenTelemetry's context."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, NamedTuple

from mainspring.sdk.live import LiveSpan, ids

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Remote(NamedTuple):
    """A span elsewhere: in another process, or made by OpenTelemetry."""

    trace_id: str
    span_id: str
    sampled: bool


current: ContextVar[LiveSpan | Remote | None] = ContextVar("mainspring_span", default=None)
_about: ContextVar[tuple[str, str]] = ContextVar("mainspring_about", default=("", ""))
"""Session and user."""


class Entered(NamedTuple):
    """What `enter` did, to be undone by `leave`."""

    own: Token[LiveSpan | Remote | None]
    other: Any


def adopt(span: LiveSpan, sample: float) -> None:
    """Give a span its place: below the innermost span, ours or OpenTelemetry's, or at the head of a new trace."""
    parent = _innermost()
    span.session_id, span.user_id = _about.get()
    if parent is None:
        number = ids.getrandbits(128) or 1
        span.trace_id = f"{number:032x}"
        span.sampled = sample >= 1.0 or int(span.trace_id[-13:], 16) / (1 << 52) < sample
        return
    span.trace_id, span.parent_id, span.sampled = parent.trace_id, parent.span_id, parent.sampled
    if isinstance(parent, LiveSpan):
        span.session_id, span.user_id = span.session_id or parent.session_id, span.user_id or parent.user_id


def enter(span: LiveSpan | Remote) -> Entered:
    """Make a span the innermost, for OpenTelemetry's instrumentations too."""
    own = current.set(span)
    if "opentelemetry.sdk.trace" not in sys.modules:
        return Entered(own, None)
    from mainspring.sdk.otel import attach

    return Entered(own, attach(span))


def leave(entered: Entered) -> None:
    """Undo `enter`; in another context, such as that of a generator's end, there is nothing to undo."""
    if entered.other is not None:
        from mainspring.sdk.otel import detach

        detach(entered.other)
    try:
        current.reset(entered.own)
    except ValueError:
        return


def _innermost() -> LiveSpan | Remote | None:
    own = current.get()
    if "opentelemetry.sdk.trace" not in sys.modules:
        return own
    from mainspring.sdk.otel import innermost

    return innermost() or own


def current_trace_id() -> str:
    """Return the id of the trace that the present code belongs to; empty outside of any."""
    found = _innermost()
    return found.trace_id if found is not None else ""


def headers() -> dict[str, str]:
    """Return the headers (W3C Trace Context) that carry the trace to another process; empty outside of any."""
    found = _innermost()
    if found is None:
        return {}
    return {"traceparent": f"00-{found.trace_id}-{found.span_id}-{'01' if found.sampled else '00'}"}


@contextmanager
def continue_trace(headers: Mapping[str, str] | str | None) -> Iterator[None]:
    """Continue the trace that a request's headers, or a `traceparent` itself, name; without one nothing changes."""
    text = headers if isinstance(headers, str) else _header(headers or {})
    found = _TRACEPARENT.fullmatch(text.strip().lower())
    if found is None or not found[1].strip("0") or not found[2].strip("0"):
        yield
        return
    entered = enter(Remote(found[1], found[2], bool(int(found[3], 16) & 1)))
    try:
        yield
    finally:
        leave(entered)


def _header(headers: Mapping[str, str]) -> str:
    try:
        return next((str(value) for name, value in headers.items() if str(name).lower() == "traceparent"), "")
    except Exception:  # anything may be handed in as headers
        return ""


@contextmanager
def session(session_id: str) -> Iterator[None]:
    """Say that the traces which begin in the block belong to a session, such as a conversation."""
    token = _about.set((str(session_id)[:500], _about.get()[1]))
    try:
        yield
    finally:
        _reset(token)


@contextmanager
def user(user_id: str) -> Iterator[None]:
    """Say that the traces which begin in the block are a user's."""
    token = _about.set((_about.get()[0], str(user_id)[:500]))
    try:
        yield
    finally:
        _reset(token)


def _reset(token: Token[tuple[str, str]]) -> None:
    try:
        _about.reset(token)
    except ValueError:
        return
