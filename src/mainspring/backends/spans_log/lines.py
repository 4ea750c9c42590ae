"""What a line of the list of traces says, and what a search asks for: the same in every store."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from mainspring.kernel.errors import Invalid
from mainspring.kernel.spans import Span, SpanFilter

_STEP = math.log(1.2)
HOUR_NS = 3_600_000_000_000
STATUS = ("unset", "ok", "error", "running")
RUNNING = 3
COUNTED = ("chat", "text_completion", "generate_content", "embeddings")
"""Kinds whose tokens are counted; other spans, such as an agent's, often repeat the sums of their children."""
_GUARDED = {"log": 1, "mask": 2, "block": 3}
_CACHED = {"miss": 1, "hit": 2, "semantic": 2}
CALL_DIMENSIONS = ("", "environment", "model", "deployment", "release", "prompt", "service", "kind", "user_id")
MOST_STEPS = 1000
MOST_GROUPS = 50
ROUTE = "route"
"""Kind of the span above several attempts at one call: how it ended is how the call did."""


PASSED = 4
"""In the place of a status: an attempt at a routed call after which another was made, so that no caller met its end."""


class Short(Protocol):
    """What is asked of the short columns of a span, whatever a store writes for an id or a kind."""

    @property
    def span(self) -> Any:
        """The id."""
        ...

    @property
    def parent(self) -> Any:
        """The parent's id, or None."""
        ...

    @property
    def status(self) -> int:
        """Its place in `STATUS`."""
        ...

    @property
    def name(self) -> str:
        """The name."""
        ...

    @property
    def kind(self) -> Any:
        """The kind."""
        ...

    @property
    def input_tokens(self) -> int | None:
        """Tokens in."""
        ...

    @property
    def output_tokens(self) -> int | None:
        """Tokens out."""
        ...


Row = TypeVar("Row", bound=Short)
_REQUESTS = ("POST ", "HTTP POST")
"""How the names of spans begin that instrumentations of HTTP write around a request; some say `POST` alone."""
CARRIED = 2
"""Spans that may lie between a call as its caller saw it and the call itself."""


def root_of(rows: Sequence[Row]) -> Row:
    """Return the first span without a parent, else the first whose parent is not here, else the first."""
    known = {short.span for short in rows}
    return next(
        (short for short in rows if short.parent is None),
        next((short for short in rows if short.parent not in known), rows[0]),
    )


def enclosing(rows: Sequence[Row], calls: Collection[Row], route: Any) -> set[Any]:
    """Return the spans that enclose one of the calls, which lie among the rows: each is that call as its caller saw it.

    Between the two stands nothing, or what carries a call: a span above attempts, or that of an HTTP request. `route`
    is what the store writes for the kind `ROUTE`.
    """
    found = last = {short.parent for short in calls}
    for _ in range(CARRIED):
        last = {
            short.parent
            for short in rows
            if short.span in last and (short.kind == route or short.name == "POST" or short.name.startswith(_REQUESTS))
        }
        if not last:
            break
        found = found | last
    return found


def spenders(rows: Sequence[Row], counted: Collection[Any], route: Any) -> Sequence[Row]:
    """Return the spans whose tokens make up the trace's: model calls that enclose no other model call.

    Where a client and the gateway both report one call, the inner span counts; where no model call says anything,
    every span counts.
    """
    calls = [
        short
        for short in rows
        if short.kind in counted and (short.input_tokens is not None or short.output_tokens is not None)
    ]
    outer = enclosing(rows, calls, route)
    return [short for short in calls if short.span not in outer] or rows


def failed(rows: Sequence[Row], route: Any) -> bool:
    """Tell whether something failed; an attempt after which another one answered did not fail its call.

    `route` is what the store writes for the kind `ROUTE`.
    """
    errors = [short for short in rows if short.status == 2]
    if not errors:
        return False
    answered = {short.span for short in rows if short.kind == route and short.status == 1}
    return any(short.parent not in answered for short in errors)


def passed_on(rows: Sequence[Row], route: Any, counted: Collection[Any]) -> set[Any]:
    """Return the attempts at routed calls after which another one was made; rows come in order of their start.

    `route` is what the store writes for the kind `ROUTE`, `counted` for those of model calls.
    """
    routes = {short.span for short in rows if short.kind == route}
    attempts = [short for short in rows if short.parent in routes and short.kind in counted]
    last = {short.parent: short.span for short in attempts}
    return {short.span for short in attempts if last[short.parent] != short.span}


def bucket(duration_ns: int) -> int:
    """Return the latency bucket of a duration: k for [1.2**k, 1.2**(k+1)) milliseconds, at least -40."""
    return max(-40, math.floor(math.log(max(duration_ns, 1) / 1e6) / _STEP))


def check_calls(by: str, step_ns: int, groups: int, where: SpanFilter) -> None:
    """Raise Invalid where calls cannot be summed so."""
    if by not in CALL_DIMENSIONS:
        known = ", ".join(filter(None, CALL_DIMENSIONS))
        raise Invalid(f"Calls are not grouped by {by!r}.", hint=f"There are {known}.")
    if step_ns < 1 or not 1 <= groups <= MOST_GROUPS:
        raise Invalid("A step is at least a nanosecond, and there are 1 to 50 groups.")
    if where.until_ns and (where.until_ns - where.since_ns) // step_ns > MOST_STEPS:
        raise Invalid(f"The time holds more than {MOST_STEPS} steps.", hint="Take wider steps, or less time.")


class Facts(NamedTuple):
    """What a call's attributes say that boards count."""

    guard: int
    """0 where the guard found nothing or there was none, 1 noted, 2 masked, 3 blocked."""
    cache: int
    """0 where no cache was asked, 1 had no answer, 2 answered."""


def facts(span: Span) -> Facts:
    """Read what boards count from a span's attributes."""
    said = span.attributes
    guard = _GUARDED.get(str(said.get("mainspring.guard.action", "")), 0)
    return Facts(guard, _CACHED.get(str(said.get("mainspring.cache", "")), 0))


def query_words(query: str) -> list[tuple[str, bool]]:
    """Return the words of a query, each with whether it ended in *, which asks for words that begin so.

    Raises Invalid where there is none, or more than 16.
    """
    words = []
    for piece in query.split():
        bare = piece.rstrip("*").replace('"', "").replace("\0", "")
        if any(character.isalnum() for character in bare):
            words.append((bare, piece.endswith("*")))
    if not 1 <= len(words) <= 16:
        raise Invalid("A search takes 1 to 16 words.", hint="Give whole words; a trailing * stands for any ending.")
    return words


def trace_key(trace_id: str) -> bytes:
    """Return the bytes of a trace id. Raises Invalid for what is none."""
    try:
        return bytes.fromhex(trace_id)
    except ValueError:
        raise Invalid(f"{trace_id[:40]!r} is not a trace id.", hint="It has 32 hex digits.") from None


def cursor_parts(cursor: str, parts: int) -> list[str]:
    """Return the parts of a cursor. Raises Invalid where it has not so many."""
    found = cursor.split(":", parts - 1)
    if len(found) != parts:
        raise Invalid("The cursor is not valid.", hint="Use next_cursor of the page before, unchanged.")
    return found


def whole_number(value: str | int) -> int:
    """Return a number of 63 bits from a cursor or a filter. Raises Invalid."""
    try:
        number = int(value)
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 63:
        raise Invalid("The cursor or the time is not valid.", hint="Use next_cursor of the page before, unchanged.")
    return number
