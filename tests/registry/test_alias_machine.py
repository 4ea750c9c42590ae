"""Aliases against a plain dictionary: however they move, both say the same, now and at every moment before."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mainspring.kernel import aliases, versions
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.platform import Platform

NAMES = st.sampled_from(["production", "staging", "best"])


def machine(platform: Platform) -> type[RuleBasedStateMachine]:
    count = iter(range(10**6))

    class Labels(RuleBasedStateMachine):
        """Every rule is done to both."""

        @initialize()
        def begin(self) -> None:
            self.name = f"thing-{next(count)}"
            self.numbers = 0
            self.pointing: dict[str, int] = {}
            self.moves: list[tuple[str, int | None]] = []
            self.moments: list[tuple[datetime, dict[str, int]]] = []
            self.commit()

        @rule()
        def commit(self) -> None:
            with platform.begin() as tx:
                made = versions.commit(tx, "model", self.name, {"n": self.numbers})
                assert versions.commit(tx, "model", self.name, {"n": self.numbers}).existed
            self.numbers += 1
            assert made.number == self.numbers

        @rule(alias=NAMES, number=st.integers(1, 6))
        def point(self, alias: str, number: int) -> None:
            with platform.begin() as tx:
                if number > self.numbers:
                    with pytest.raises(NotFound):
                        aliases.move(tx, "model", self.name, alias, number)
                    return
                aliases.move(tx, "model", self.name, alias, number, note=f"to {number}")
            self.pointing[alias] = number
            self.moves.append((alias, number))

        @rule(alias=NAMES)
        def take_away(self, alias: str) -> None:
            with platform.begin() as tx:
                aliases.move(tx, "model", self.name, alias, None)
            self.pointing.pop(alias, None)
            self.moves.append((alias, None))

        @rule(alias=st.sampled_from(["latest", "7", "Bad Name", ""]))
        def what_is_no_alias_is_refused(self, alias: str) -> None:
            with platform.begin() as tx, pytest.raises(Invalid):
                aliases.move(tx, "model", self.name, alias, 1)

        @rule()
        def remember(self) -> None:
            with platform.read() as tx:
                self.moments.append((tx.now, dict(self.pointing)))

        @invariant()
        def both_say_the_same(self) -> None:
            with platform.read() as tx:
                assert aliases.current(tx, "model", self.name) == self.pointing
                for alias in ("production", "staging", "best"):
                    if alias in self.pointing:
                        assert versions.resolve(tx, f"model/{self.name}@{alias}").number == self.pointing[alias]
                    else:
                        with pytest.raises(NotFound):
                            versions.resolve(tx, f"model/{self.name}@{alias}")

        @invariant()
        def the_history_is_whole(self) -> None:
            seen, cursor = [], ""
            with platform.read() as tx:
                while True:
                    page, following = aliases.history(tx, "model", self.name, limit=5, cursor=cursor)
                    seen += page
                    if following is None:
                        break
                    cursor = following
            assert [(move.alias, move.number) for move in reversed(seen)] == self.moves

        @invariant()
        def what_was_true_at_a_moment_stays_true(self) -> None:
            with platform.read() as tx:
                for moment, pointing in self.moments[-3:]:
                    for alias in ("production", "staging", "best"):
                        move = aliases.at(tx, "model", self.name, alias, moment)
                        assert (move.number if move else None) == pointing.get(alias)

    return Labels


def test_an_alias_is_what_its_moves_made_it(platform: Platform) -> None:
    limits = settings(max_examples=15, stateful_step_count=15, derandomize=True)
    run_state_machine_as_test(machine(platform), settings=limits)
