"""The breaker against a model of it: whatever calls begin and end in whatever order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mainspring.serving.routing.breaker import Breaker
from mainspring.serving.routing.models import Breaking

RULES = Breaking(failures=3, rate=0.5, least=6, window_seconds=100, open_seconds=10)


class BreakerMachine(RuleBasedStateMachine):
    """Calls begin where the breaker admits them, and end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0.0
        self.running: list[bool] = []
        """Of each call that runs, whether it is the one that tries."""
        self.in_a_row = 0
        self.opened = -100.0
        self.ends: list[tuple[float, bool]] = []

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_call_comes(self) -> None:
        before = self.breaker.state(self.now)
        if self.breaker.admits(self.now):
            tries = self.breaker.enter(self.now)
            assert before != "open"
            assert tries == (before == "half-open")
            self.running.append(tries)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def a_call_is_answered(self, data: st.DataObject) -> None:
        tries = self.ended(data)
        self.breaker.succeeded(self.now, tried=tries)
        self.in_a_row = 0
        self.ends = [] if tries else self.ends
        self.ends.append((self.now, True))
        if tries:
            assert self.breaker.state(self.now) == "closed"

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def a_call_fails(self, data: st.DataObject) -> None:
        was = self.breaker.state(self.now)
        tries = self.ended(data)
        self.breaker.failed(self.now, RULES, tried=tries)
        self.in_a_row += 1
        self.ends.append((self.now, False))
        recent = [ok for at, ok in self.ends if at > self.now - RULES.window_seconds]
        many = len(recent) >= RULES.least and recent.count(False) * 2 >= len(recent)
        if tries or (was == "closed" and (self.in_a_row >= RULES.failures or many)):
            self.opened = self.now
            assert self.breaker.state(self.now) == "open"
        else:
            assert self.breaker.state(self.now) == was

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def a_client_leaves(self, data: st.DataObject) -> None:
        was = self.breaker.state(self.now)
        self.breaker.left(tried=self.ended(data))
        assert self.breaker.state(self.now) == was

    def ended(self, data: st.DataObject) -> bool:
        return self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))

    @invariant()
    def at_most_one_call_tries(self) -> None:
        assert sum(self.running) <= 1

    @invariant()
    def open_lasts_as_long_as_it_should_and_then_a_call_may_try(self) -> None:
        rests = self.breaker.rests(self.now)
        assert rests <= RULES.open_seconds + 1e-9
        assert (self.breaker.state(self.now) == "open") == (rests > 0)
        if self.breaker.state(self.now) == "open":
            assert self.now - self.opened < RULES.open_seconds + 1e-9
            assert not self.breaker.admits(self.now)
        if self.breaker.state(self.now) == "half-open":
            assert self.breaker.admits(self.now) == (not any(self.running))


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=60, stateful_step_count=40)
