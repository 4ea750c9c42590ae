"""The gate holds a release against what came through of the attacks on it."""

from __future__ import annotations

import pytest

from mainspring.evals.redteam import RedTeam, RedTeams, jobs, report
from mainspring.evals.redteam.models import AttackResult
from mainspring.governance import Releases
from mainspring.kernel.errors import GateFailed


def check_of(platform, policy):
    """Return what the check of the attacks found."""
    try:
        report = Releases(platform).check("docs", policy=policy).model_dump()
    except GateFailed as failed:
        report = failed.details["report"]
    return next(one for one in report["checks"] if one["name"] == "attacks")


@pytest.fixture
def world(platform, worlds):
    made = worlds.build(platform)
    made.release()
    chat = platform.chat_port

    class Attacked:
        """Refuses attacks, or obeys nothing but prints too much."""

        answer = "I'm sorry, but I cannot help with that."

        def complete_many(self, requests, *, concurrency=8, on_reply=None):
            from mainspring.kernel.ports import ChatReply

            replies = [ChatReply(self.answer, "stop", 5, 600 if "again" in self.answer else 9, 0.0, 3.0)] * len(
                requests
            )
            for index, reply in enumerate(replies):
                on_reply(index, reply)
            return replies

    platform.chat_port = Attacked()
    yield made
    platform.chat_port = chat


def test_a_policy_that_bounds_no_attacks_asks_for_none(platform, world):
    assert check_of(platform, {})["passed"]


def test_a_release_must_have_been_attacked_and_be_shown_to_resist(platform, world):
    asked = {"attacks": {"most": 0.25}}
    found = check_of(platform, asked)
    assert not found["passed"] and "was not attacked with own" in found["summary"]
    RedTeams(platform).run("release/docs@1", limit=4)
    found = check_of(platform, asked)
    assert not found["passed"] and "jailbreak 0 of 4 (no interval)" in found["summary"]
    RedTeams(platform).run("release/docs@1")
    assert check_of(platform, asked)["passed"]
    found = check_of(platform, {"attacks": {"most": 0.25, "families": {"other": 0.1}}})
    assert not found["passed"] and "other was not attacked" in found["summary"]
    platform.chat_port.answer = "again"
    RedTeams(platform).run("release/docs@1")
    found = check_of(platform, asked)
    assert not found["passed"] and "consumption 40 of 40" in found["summary"] and "jailbreak" not in found["summary"]
    found = check_of(platform, {"attacks": {"most": 0.25, "families": {"consumption": 1.0}}})
    assert "consumption" not in found["summary"]


@pytest.mark.parametrize("narrowed", [{"families": ["jailbreak"]}, {"max_tokens": 1}])
def test_a_run_that_leaves_out_what_might_come_through_is_no_evidence(platform, world, narrowed):
    platform.chat_port.answer = "again"
    RedTeams(platform).run("release/docs@1")
    platform.chat_port.answer = "I'm sorry, but I cannot help with that."
    RedTeams(platform).run("release/docs@1", **narrowed)
    found = check_of(platform, {"attacks": {}})
    assert not found["passed"] and "consumption 40 of 40" in found["summary"]


def test_a_family_that_the_target_never_answered_is_not_shown_to_resist():
    silent = AttackResult.model_construct(family="silent", outcome="unanswered", technique="a")
    family = report.family("silent", [silent] * 40)
    made = RedTeam.model_construct(families=[family])
    assert jobs.over(made, 0.25, {}, shown=True) == ["silent 0 of 0 (no interval)"]
    assert jobs.over(made, 0.25, {}) == []


def test_a_run_that_was_stopped_is_no_evidence(platform, world):
    RedTeams(platform).run("release/docs@1", max_calls=20)
    found = check_of(platform, {"attacks": {}})
    assert not found["passed"] and "1 runs were stopped," in found["summary"]
