"""Above: the span of a routed call that took more than its first attempt, so that it is one call in lists and sums."""

from __future__ import annotations

import msgspec

from mainspring.kernel.spans import Span
from mainspring.serving.guarding import Blocked
from mainspring.serving.models import Above, Origin
from mainspring.serving.routing.models import Route
from mainspring.traces import ROUTE

_KEPT = ("mainspring.member", "mainspring.key_id")


def span_above(above: Above, route: Route, origin: Origin, error: BaseException | None) -> Span:
    """Return the span of the whole call from those of its attempts: how it ended is how the call did.

    Its tokens and its cost are those of the attempts, and stand there alone.
    """
    first, last = above.spans[0], above.spans[-1]
    failed = error is not None and not isinstance(error, Blocked)
    said = {
        name: value
        for name, value in last.attributes.items()
        if name in _KEPT or name.startswith("mainspring.metadata.")
    }
    said |= {
        "mainspring.route": route.name,
        "mainspring.route.revision": route.revision,
        "mainspring.route.policy": route.policy,
        "mainspring.route.attempts": above.attempt,
    }
    if not failed:
        said["mainspring.route.candidate"] = last.attributes.get("mainspring.route.candidate", "")
    ttft = last.ttft_ms if last.ttft_ms is None else last.ttft_ms + (last.start_ns - first.start_ns) / 1e6
    return msgspec.structs.replace(
        last,
        span_id=above.span_id,
        parent_id=origin.parent_id,
        name=f"route {route.name}",
        kind=ROUTE,
        start_ns=first.start_ns,
        end_ns=max(span.end_ns for span in above.spans),
        status="error" if failed else last.status,
        status_message=getattr(error, "message", "") or last.status_message,
        input_tokens=None,
        output_tokens=None,
        cached_tokens=None,
        cost=None,
        ttft_ms=ttft,
        attributes=said,
    )
