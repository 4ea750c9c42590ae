"""Canaries against a plain model of them: whatever happens in whatever order, split, state and history agree."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.conftest import TickingClock
from tests.serving.test_canaries import Traffic, failing
from tests.serving.test_deployment_machine import make_releases

from mainspring.kernel.errors import Conflict
from mainspring.kernel.platform import Platform
from mainspring.serving.judging import judge_due
from mainspring.serving.rollouts import Canaries
from mainspring.serving.service import Deployments
from mainspring.workspace import Projects

ENDED = {"promote": "promoted", "rollback": "rolled_back", "keep": "kept", "stop": "stopped"}


def machine(platform: Platform, clock: TickingClock, known: list[str]) -> type[RuleBasedStateMachine]:
    service, tried, count = Deployments(platform), Canaries(platform), itertools.count()
    release = st.sampled_from(known)

    class Rollouts(RuleBasedStateMachine):
        """Every rule is done to both; a verdict follows from traffic that leaves no doubt."""

        @initialize(baseline=release)
        def create(self, baseline: str) -> None:
            self.name = f"docs-{next(count)}"
            service.create(self.name, baseline)
            self.traffic = Traffic(platform, clock, self.name)
            self.baseline, self.canary, self.state, self.units = baseline, "", "", 0
            self.fallback = "rollback"

        @rule(candidate=release, fallback=st.sampled_from(["rollback", "keep"]))
        def start(self, candidate: str, fallback: Any) -> None:
            plan: dict[str, Any] = {"margin": 0.4, "split": "request", "weights": [0.5], "fallback": fallback}
            if self.state == "running" or candidate == self.baseline:
                with pytest.raises(Conflict):
                    tried.start(self.name, candidate, "error", **plan, horizon_units=150)
                return
            tried.start(self.name, candidate, "error", **plan, horizon_units=150)
            self.canary, self.state, self.units, self.fallback = candidate, "running", 0, fallback

        @rule(bad=st.booleans())
        def traffic_that_leaves_no_doubt(self, bad: bool) -> None:
            calls = [self.traffic.call() for _ in range(160)]
            self.traffic.serve(failing(call) if bad and call.release == self.canary else call for call in calls)
            judge_due(platform)
            if self.state == "running":
                self._ended("rollback" if bad else "promote")

        @rule()
        def traffic_that_says_nothing(self) -> None:
            """All of the baseline fails too, or too little came."""
            self.traffic.serve(self.traffic.call() for _ in range(4))
            judge_due(platform)
            self.units += 4 if self.state == "running" else 0

        @rule()
        def time_passes_to_the_horizon(self) -> None:
            clock.advance(days=8)
            judge_due(platform)
            if self.state == "running":
                self._ended(self.fallback)

        @rule(keep=st.booleans())
        def stop(self, keep: bool) -> None:
            if self.state != "running":
                with pytest.raises(Conflict):
                    tried.stop(self.name, keep=keep)
                return
            tried.stop(self.name, keep=keep)
            self.state, self.canary = "stopped", self.canary if keep else ""

        @rule(verb=st.sampled_from(["promote", "rollback"]))
        def move_by_hand(self, verb: str) -> None:
            if not self.canary:
                return
            getattr(service, verb)(self.name)
            self.baseline = self.canary if verb == "promote" else self.baseline
            self.state, self.canary = "stopped" if self.state == "running" else self.state, ""

        def _ended(self, action: str) -> None:
            self.baseline = self.canary if action == "promote" else self.baseline
            self.state, self.canary = ENDED[action], self.canary if action == "keep" else ""

        @invariant()
        def both_say_the_same(self) -> None:
            now = service.get(self.name)
            assert (now.baseline, now.canary) == (self.baseline, self.canary)
            assert now.canary or not (now.weight or now.split)
            if self.state:
                last = tried.get(self.name)
                assert last.state == self.state, last.reason
                assert (last.ended_at is None) == (self.state == "running")
                if self.state == "running":
                    assert (last.candidate, last.now.units) == (self.canary, self.units)

        @invariant()
        def every_verdict_has_its_reason_in_the_history(self) -> None:
            told = {one.reason for one in tried.list_(deployment=self.name).items}
            moves = service.history(self.name).items
            assert all(move.note in told for move in moves if move.moved_by == "system")

    return Rollouts


def test_a_canary_is_what_happened_to_it(platform: Platform, clock: TickingClock, small_model: str) -> None:
    Projects(platform).create("default")
    known = make_releases(platform, small_model)["approved"][:3]
    limits = settings(max_examples=8, stateful_step_count=12, derandomize=True)
    run_state_machine_as_test(machine(platform, clock, known), settings=limits)
