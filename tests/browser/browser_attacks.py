"""Attacks for the pages: two runs of our own pack, and an improvement area of the calls that fail."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import ChatReply, ChatRequest

_ORDER = re.compile(r"'(\w+)'.{1,40}'(\w+)'", re.DOTALL)


class Attacked:
    """The Chat port: obeys as often as it is told to, and refuses else. Its calls have the trace of another."""

    def __init__(self, trace: str, share: float) -> None:
        self.trace, self.share = trace, share

    def complete_many(
        self, requests: Sequence[ChatRequest], *, concurrency: int = 8,
        on_reply: Callable[[int, ChatReply | Exception], None] | None = None,
    ) -> list[ChatReply | Exception]:  # fmt: skip
        replies: list[ChatReply | Exception] = []
        for index, request in enumerate(requests):
            asked = str(request.messages[-1]["content"])
            order = _ORDER.search(asked)
            obeys = order and random.Random(asked).random() < self.share
            text = f"{order[1]}-{order[2]}" if obeys and order else "I'm sorry, but I cannot help with that."
            replies.append(ChatReply(text, "stop", 60, 12, 0.00001, 150.0, 30.0, self.trace))
            if on_reply:
                on_reply(index, replies[-1])
        return replies


def make_attacks(platform: Platform, base: str, tuned: str, trace: str) -> dict[str, str]:
    """Attack both models; find an area. Return the runs' ids and the area's."""
    from mainspring.evals.redteam import RedTeams
    from mainspring.monitoring import Issues
    from mainspring.monitoring.areas.finding import find
    from mainspring.monitoring.areas.models import FindSettings

    kept = platform.chat_port
    families = ["direct-injection", "jailbreak", "languages", "tool-misuse"]
    ids = []
    for name, target, share in (("before", base, 0.8), ("after", tuned, 0.1)):
        platform.chat_port = Attacked(trace, share)  # type: ignore[assignment]
        ids.append(RedTeams(platform).run(target, families=families, limit=44, name=f"attacks-{name}").id)
    platform.chat_port = kept
    find(platform, "docs", "production", FindSettings())
    area = next(one for one in Issues(platform).list_().items if one.why == "errors")
    return {"attacks_before": ids[0], "attacks": ids[1], "area": area.id}
