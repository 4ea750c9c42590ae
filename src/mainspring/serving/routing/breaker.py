"""The breaker of one server: closed while it answers, open once it failed too often, half-open while one call tries."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from mainspring.serving.routing.models import Breaking

State = Literal["closed", "open", "half-open"]
_REMEMBERED = 1000


@dataclass(slots=True)
class Breaker:
    """Told of every call's end; times are in seconds of any steady clock. Its user sees to it that one thread tells."""

    consecutive: int = 0
    """Failures since the last success."""
    _opened_until: float | None = None
    _trying: bool = False
    _ends: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def state(self, now: float) -> State:
        """Return the state at a moment."""
        if self._opened_until is None:
            return "closed"
        return "open" if now < self._opened_until else "half-open"

    def rests(self, now: float) -> float:
        """Return the seconds until a call may try; 0 where it may."""
        return max(0.0, self._opened_until - now) if self._opened_until is not None else 0.0

    def admits(self, now: float) -> bool:
        """Tell whether a call may be sent: half-open, one at a time."""
        state = self.state(now)
        return state == "closed" or (state == "half-open" and not self._trying)

    def enter(self, now: float) -> bool:
        """Note that a call that was admitted begins; True where it is the one that tries."""
        if self.state(now) == "half-open":
            self._trying = True
            return True
        return False

    def succeeded(self, now: float, *, tried: bool) -> None:
        """Note an answer; that of the call which tried closes the breaker."""
        self.consecutive = 0
        if tried:
            self._opened_until, self._trying = None, False
            self._ends.clear()
        self._ends.append((now, True))

    def failed(self, now: float, rules: Breaking, *, tried: bool) -> None:
        """Note a failure; it opens the breaker where there were too many, or where it was the call that tried."""
        self.consecutive += 1
        self._ends.append((now, False))
        if tried:
            self._trying = False
            self._opened_until = now + rules.open_seconds
        elif self._opened_until is None and self._is_too_much(now, rules):
            self._opened_until = now + rules.open_seconds

    def left(self, *, tried: bool) -> None:
        """Note that a call ended without saying anything about the server."""
        if tried:
            self._trying = False

    def counts(self) -> tuple[int, int]:
        """Return the calls that are remembered, and how many of them failed."""
        return len(self._ends), sum(not ok for _, ok in self._ends)

    def _is_too_much(self, now: float, rules: Breaking) -> bool:
        if self.consecutive >= rules.failures:
            return True
        recent = [ok for at, ok in self._ends if at > now - rules.window_seconds]
        return len(recent) >= rules.least and recent.count(False) >= rules.rate * len(recent)
