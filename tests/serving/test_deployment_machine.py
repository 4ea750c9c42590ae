"""Deployments against a plain model of them: whatever is moved, in whatever order, both say the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mainspring.kernel.errors import Conflict, Denied, MainspringError
from mainspring.kernel.platform import Platform
from mainspring.prompts.service import Prompts
from mainspring.registry import releases
from mainspring.registry.service import Releases
from mainspring.serving.deployments import arm_of
from mainspring.serving.service import Deployments
from mainspring.workspace import Projects

WEIGHTS = st.sampled_from([0.0, 0.05, 0.5, 1.0])
APPROVED, WITHDRAWN, DRAFT = 4, 1, 1


@dataclass
class Expected:
    """A deployment as the rules say that it is."""

    baseline: str
    canary: str = ""
    weight: float = 0.0
    previous: str = ""
    state: str = "active"
    moves: list[str] = field(default_factory=lambda: ["create"])


def make_releases(platform: Platform, model: str) -> dict[str, list[str]]:
    """Make releases that may be deployed to production, and some that were withdrawn or never approved."""
    made: dict[str, list[str]] = {"approved": [], "withdrawn": [], "draft": []}
    for number, state in enumerate(["approved"] * APPROVED + ["withdrawn"] * WITHDRAWN + ["draft"] * DRAFT):
        messages: Any = [{"role": "system", "content": f"Voice {number}."}]
        prompt = Prompts(platform).commit("voice", messages)
        release = Releases(platform).create("voice", model=model, prompt=prompt.ref)
        if state != "draft":
            with platform.begin() as tx:
                release = releases.move(tx, releases.move(tx, release, "checked", "in_review"), "approved", "approved")
        if state == "withdrawn":
            with platform.begin() as tx:
                release = releases.move(tx, release, "withdrawn", "withdrawn")
        made[state].append(release.ref)
    return made


def machine(platform: Platform, known: dict[str, list[str]]) -> type[RuleBasedStateMachine]:
    service, count = Deployments(platform), iter(range(10**6))
    approved = st.sampled_from(known["approved"])

    class Moves(RuleBasedStateMachine):
        """Every rule is done to both; what the rules forbid is refused and changes nothing."""

        @initialize(baseline=approved)
        def create(self, baseline: str) -> None:
            self.name = f"docs-{next(count)}"
            service.create(self.name, baseline)
            self.expected = Expected(baseline)

        def moved(self, verb: str, **changes: Any) -> None:
            for name, value in changes.items():
                setattr(self.expected, name, value)
            self.expected.moves.append(verb)

        def refused(self, error: type[MainspringError], verb: str, *given: Any) -> None:
            with pytest.raises(error):
                getattr(service, verb)(self.name, *given)

        @rule(release=approved, weight=WEIGHTS)
        def roll(self, release: str, weight: float) -> None:
            if release == self.expected.baseline:
                self.refused(Conflict, "roll", release)
                return
            service.roll(self.name, release, weight=weight)
            self.moved("roll", canary=release, weight=weight)

        @rule()
        def promote(self) -> None:
            now = self.expected
            if not now.canary:
                self.refused(Conflict, "promote")
                return
            service.promote(self.name)
            self.moved("promote", baseline=now.canary, previous=now.baseline, canary="", weight=0.0)

        @rule()
        def rollback(self) -> None:
            now = self.expected
            if now.canary:
                service.rollback(self.name)
                self.moved("rollback", canary="", weight=0.0)
            elif now.previous:
                service.rollback(self.name)
                self.moved("rollback", baseline=now.previous, previous="")
            else:
                self.refused(Conflict, "rollback")

        @rule(pausing=st.booleans())
        def switch(self, pausing: bool) -> None:
            verb, state = ("pause", "paused") if pausing else ("resume", "active")
            if self.expected.state == state:
                self.refused(Conflict, verb)
                return
            getattr(service, verb)(self.name)
            self.moved(verb, state=state)

        @rule()
        def what_may_not_be_deployed_is_refused(self) -> None:
            self.refused(Conflict, "roll", known["withdrawn"][0])
            self.refused(Denied, "roll", known["draft"][0])
            self.refused(Conflict, "create", known["approved"][0])

        @invariant()
        def both_say_the_same(self) -> None:
            now, expected = service.get(self.name), self.expected
            for name in ("baseline", "canary", "weight", "previous", "state"):
                assert getattr(now, name) == getattr(expected, name), name
            assert now.baseline and now.canary != now.baseline
            assert 0 <= now.weight <= 1 and (now.canary or now.weight == 0)
            arms = {arm_of(now, f"user-{number}") for number in range(40)}
            assert arms <= ({"baseline", "canary"} if now.canary and now.weight else {"baseline"})
            assert now.weight < 1 or arms == {"canary"}

        @invariant()
        def the_history_is_whole(self) -> None:
            seen, cursor = [], ""
            while True:
                page = service.history(self.name, limit=7, cursor=cursor)
                seen += page.items
                if page.next_cursor is None:
                    break
                cursor = page.next_cursor
            assert [move.action for move in reversed(seen)] == self.expected.moves
            assert [move.revision for move in seen] == list(range(len(seen), 0, -1))
            assert seen[0] == service.get(self.name)

    return Moves


def test_a_deployment_is_what_its_moves_made_it(platform: Platform, small_model: str) -> None:
    Projects(platform).create("default")
    known = make_releases(platform, small_model)
    limits = settings(max_examples=12, stateful_step_count=16, derandomize=True)
    run_state_machine_as_test(machine(platform, known), settings=limits)
