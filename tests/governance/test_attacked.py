"""The gate holds a release against what came through of the attacks on it."""

from __future__ import annotations

import pytest

from mainspring.evals.redteam import RedTeams
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
    RedTeams(platform).run("release/docs@1", families=["jailbreak", "consumption"])
    assert check_of(platform, asked)["passed"]
    found = check_of(platform, {"attacks": {"most": 0.25, "families": {"tool-misuse": 0.1}}})
    assert not found["passed"] and "tool-misuse was not attacked" in found["summary"]
    platform.chat_port.answer = "again"
    RedTeams(platform).run("release/docs@1", families=["jailbreak", "consumption"])
    found = check_of(platform, asked)
    assert not found["passed"] and "consumption 40 of 40" in found["summary"] and "jailbreak" not in found["summary"]
    assert check_of(platform, {"attacks": {"most": 0.25, "families": {"consumption": 1.0}}})["passed"]


def test_a_run_that_was_stopped_is_no_evidence(platform, world):
    RedTeams(platform).run("release/docs@1", families=["jailbreak"], max_calls=20)
    found = check_of(platform, {"attacks": {}})
    assert not found["passed"] and "1 runs were stopped" in found["summary"]
