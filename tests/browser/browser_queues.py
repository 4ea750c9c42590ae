"""Queues for the pages: one whose reviewers agree on most, with a dispute, and a link for a guest."""

from __future__ import annotations

from mainspring.kernel import access
from mainspring.kernel.access import ROLES, Caller
from mainspring.kernel.platform import Platform


def make_queues(platform: Platform) -> dict[str, str]:
    """Put the latest traces into the queue `answers`, judged twice each for the most part; return a link's path."""
    from mainspring.monitoring import Queues
    from mainspring.monitoring.annotation import Question

    queues = Queues(platform)
    asked = [
        Question(name="helpful", kind="thumbs", text="Does it answer the question?"),
        Question(name="tone", kind="label", labels=["rude", "plain", "kind"], ordered=True),
        Question(name="better", kind="correction", text="What should it have said?", required=False),
    ]
    queues.create("answers", asked, rubric_text="Judge the answer alone, not the question.", reviewers=2)
    queues.fill("answers", deployment="docs", limit=50)
    for member, odd in (("bea", 11), ("carl", 13)):
        reviewer = Caller(member, f"key-of-{member}", "default", "production", "annotator", ROLES["annotator"])
        with access.acting_as(reviewer):
            for at in range(45):
                work = queues.next("answers")
                tone = "rude" if at % odd == 1 else ("plain", "kind")[at % 2]
                queues.submit("answers", work.item.id, answers={"helpful": float(at % 5 > 0), "tone": tone})
    queues.create("few", [Question(name="why", kind="text")])
    queues.fill("few", deployment="docs", limit=2)
    return {"guest": queues.share("few", "pat").path}
