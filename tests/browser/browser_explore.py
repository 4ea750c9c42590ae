"""Traces to explore: a shop whose answers got worse, with users and sessions, and one trace of 50,000 spans."""

from __future__ import annotations

from typing import Any

from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span

SPANS = 50_000
SHOP: dict[str, Any] = {"project": "default", "environment": "production", "service": "shop"}


def _said(role: str, *texts: str) -> list[dict[str, Any]]:
    return [{"role": role, "parts": [{"type": "text", "content": text}]} for text in texts]


def _span(trace: int, number: int, start: int, ms: int, **more: Any) -> Span:
    end = start + ms * 1_000_000
    base = {"trace_id": f"{trace:032x}", "span_id": f"{number:016x}", "start_ns": start, "end_ns": end}
    return Span(**{"kind": "span", "status": "ok", **SHOP, **base, **more})


def make_explored(platform: Platform) -> dict[str, str]:
    """Append the traces and return the names of those that tests open."""
    now = int(platform.clock.now().timestamp() * 1e9) - 60_000_000_000
    spans = [*_visits(now), *_agent(77_000_001, now, "shop@1", False), *_agent(77_000_002, now, "shop@2", True)]
    spans += [_span(77_000_003, 1, now + 59_000_000_000, 0, name="checkout", kind="invoke_agent", status="running")]
    platform.spans.append([*spans, *_large(77_000_009, now - 3_600_000_000_000)])
    platform.spans.flush()
    from mainspring.monitoring import Queues
    from mainspring.monitoring.annotation import Question
    from mainspring.traces.service import Scores

    Queues(platform).create("shop-checks", [Question(name="right", kind="thumbs")])

    for trace, number in ((77_000_001, 1.0), (77_000_002, 0.0)):
        Scores(platform).create("shop-thumb", trace_id=f"{trace:032x}", number=number)
    found = {"good": 77_000_001, "bad": 77_000_002, "running": 77_000_003, "large": 77_000_009}
    return {name: f"{trace:032x}" for name, trace in found.items()}


def _visits(now: int) -> list[Span]:
    """Three visits of two users; each turn repeats what was said before it."""
    found: list[Span] = []
    for visit, user in ((1, "kim"), (2, "lee"), (3, "kim")):
        told: list[dict[str, Any]] = []
        for turn, (asked, answered) in enumerate(
            (("Do you have size 42?", "Yes, in red."), ("And in blue?", "Not this week."), ("When, then?", ""))
        ):
            start = now - (4 - visit) * 600_000_000_000 + turn * 30_000_000_000
            told += _said("user", asked)
            failed = not answered
            found.append(
                _span(
                    77_000_100 + visit * 10 + turn, visit * 10 + turn, start, 400 + 200 * turn, name="chat shop-model",
                    kind="chat", model="shop-model", session_id=f"visit-{visit}", user_id=f"shopper/{user}",
                    status="error" if failed else "ok", status_message="The stock system is away." if failed else "",
                    input=list(told), output=None if failed else _said("assistant", answered), input_tokens=20 + turn,
                    output_tokens=8, cost=0.0002, attributes={"shop.tier": "gold" if user == "kim" else "basic",
                                                              "shop.basket": turn + visit},
                )
            )  # fmt: skip
            told += _said("assistant", answered) if answered else []
    return found


def _agent(trace: int, now: int, version: str, worse: bool) -> list[Span]:
    root, start = trace * 100, now - 5_000_000_000 + trace % 10
    common: dict[str, Any] = {"parent_id": f"{root:016x}", "release": f"release/{version}"}
    asked = _said("user", "Where is my parcel?")
    answer = "I do not know." if worse else "It arrives on Tuesday."
    spans = [
        _span(trace, root, start, 3000 if worse else 900, name="invoke_agent parcels", kind="invoke_agent", input=asked,
              output=_said("assistant", answer)),
        _span(trace, root + 1, start + 10, 300, name="chat shop-model", kind="chat", model="shop-model", input=asked,
              output=_said("assistant", answer), input_tokens=90, output_tokens=12, cost=0.0004, **common),
    ]  # fmt: skip
    if worse:
        tool = {"name": "execute_tool parcels", "kind": "execute_tool", "status": "error", "status_message": "late"}
        spans.append(_span(trace, root + 2, start + 20, 2500, **tool, **common))
    else:
        spans.append(_span(trace, root + 2, start + 20, 200, name="retrieval faq", kind="retrieval", **common))
    return spans


def _large(trace: int, start: int) -> list[Span]:
    """One run of many steps: a root, 499 steps below it, and the calls of each."""
    spans = [_span(trace, 1, start, 600_000, name="batch of the night", kind="chain")]
    for number in range(2, SPANS + 1):
        step = (number - 2) % 499 + 2
        leaf = number > 500
        at = start + number * 10_000_000
        spans.append(
            _span(trace, number, at, 5 if leaf else 1000, name=f"call {number}" if leaf else f"step {number}",
                  kind="execute_tool" if leaf else "chain", parent_id=f"{step if leaf else 1:016x}",
                  input={"row": number} if leaf else None)
        )  # fmt: skip
    return spans
