"""The board: what this process knows of the servers behind routes, from the calls that went to them."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import EngineSpec
from mainspring.serving.models import Target
from mainspring.serving.routing.breaker import Breaker
from mainspring.serving.routing.models import Breaking
from mainspring.serving.totals import Totals

_FORGETS = 60.0
"""Seconds after which an old latency counts a third: a server that was slow is tried again."""
_NEWEST = 0.3
"""How much the newest latency counts beside those before."""
_FLOOR, _MOST = 10.0, 100.0
"""Retries that a route without traffic has, and that one with traffic saves up."""
_LINES = 2000
_STATES = {"closed": 0, "half-open": 1, "open": 2}
_boards: WeakKeyDictionary[Platform, Board] = WeakKeyDictionary()


@dataclass(slots=True)
class Upstream:
    """What is known of one server's model."""

    name: str
    breaker: Breaker = field(default_factory=Breaker)
    running: int = 0
    resting: float = 0.0
    """Until when its `Retry-After` asks it to be left alone."""
    problem: str = ""
    _seconds: float | None = None
    _at: float = 0.0

    def took(self, seconds: float, now: float) -> None:
        """Note how long an answer, or its first piece, took."""
        held = self._seconds
        self._seconds = seconds if held is None else held + _NEWEST * (seconds - held)
        self._at = now

    def pace(self, now: float) -> float | None:
        """Return the seconds that the next call is to be expected to take; None where nothing is known."""
        if self._seconds is None:
            return None
        return self._seconds * math.exp((self._at - now) / _FORGETS) * (self.running + 1)

    @property
    def milliseconds(self) -> float | None:
        """How long it took lately."""
        return None if self._seconds is None else self._seconds * 1000

    def rests(self, now: float) -> float:
        """Return the seconds until it may be asked; 0 where it may."""
        return max(self.breaker.rests(now), self.resting - now, 0.0)


class Visit:
    """One call at one server; end it once."""

    def __init__(self, board: Board, upstream: Upstream, rules: Breaking, *, tried: bool) -> None:
        self._board, self._upstream, self._rules, self._tried = board, upstream, rules, tried
        self.began = board.now()
        self._ended = False

    def heard(self) -> None:
        """Note that the answer has begun, or is here as a whole."""
        with self._board.lock:
            now = self._board.now()
            self._upstream.took(now - self.began, now)

    def succeeded(self) -> None:
        """Note that it answered."""
        self._end(lambda now: self._upstream.breaker.succeeded(now, tried=self._tried))

    def failed(self, problem: str) -> None:
        """Note that it failed."""

        def note(now: float) -> None:
            self._upstream.problem = problem[:300]
            self._upstream.breaker.failed(now, self._rules, tried=self._tried)

        self._end(note)

    def left(self, rests: float = 0.0) -> None:
        """Note that the call ended without saying whether the server is well; it is left alone for `rests` seconds."""

        def note(now: float) -> None:
            self._upstream.breaker.left(tried=self._tried)
            if rests:
                self._upstream.resting = max(self._upstream.resting, now + rests)

        self._end(note)

    def _end(self, note: Callable[[float], None]) -> None:
        with self._board.lock:
            if not self._ended:
                self._ended = True
                self._upstream.running -= 1
                note(self._board.now())


class Board:
    """What is known of every server, from any thread."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.lock = threading.Lock()
        self._upstreams: dict[tuple[str, str], Upstream] = {}
        self._retries: dict[tuple[str, str, str], float] = {}
        self._counts: Counter[tuple[str, str, str, str]] = Counter()

    def upstream(self, target: Target) -> Upstream:
        """Return what is known of the server behind a target."""
        key = (target.project, upstream_name(target))
        found = self._upstreams.get(key)
        return found if found is not None else self._upstreams.setdefault(key, Upstream(key[1]))

    def enter(self, target: Target, rules: Breaking) -> Visit | None:
        """Begin a call; None where the server is to be left alone."""
        upstream = self.upstream(target)
        with self.lock:
            now = self.now()
            if not upstream.breaker.admits(now) or upstream.resting > now:
                return None
            tried = upstream.breaker.enter(now)
            upstream.running += 1
        return Visit(self, upstream, rules, tried=tried)

    def came(self, route: tuple[str, str, str], share: float) -> None:
        """Note a call of a route: it adds to what its retries may be."""
        with self.lock:
            self._retries[route] = min(_MOST, self._retries.get(route, _FLOOR) + share)

    def may_retry(self, route: tuple[str, str, str]) -> bool:
        """Take one retry of what the route has left; False where there is none."""
        with self.lock:
            left = self._retries.get(route, _FLOOR)
            if left < 1:
                return False
            self._retries[route] = left - 1
            return True

    def count(self, environment: str, route: str, candidate: str, outcome: str) -> None:
        """Count what became of a candidate."""
        with self.lock:
            key = (environment, route, candidate, outcome)
            if key in self._counts or len(self._counts) < _LINES:
                self._counts[key] += 1

    def add_to(self, totals: Totals) -> None:
        """Add counts and states; nothing where no route was asked."""
        with self.lock:
            if not self._counts:
                return
            for (environment, route, candidate, outcome), count in self._counts.items():
                asked = (("environment", environment), ("route", route), ("candidate", candidate), ("outcome", outcome))
                totals.count("route_attempts_total", asked, count)
            now = self.now()
            for (project, name), upstream in list(self._upstreams.items())[:_LINES]:
                state = _STATES[upstream.breaker.state(now)]
                totals.gauge("breaker_state", (("project", project), ("upstream", name)), state)


def board_of(platform: Platform) -> Board:
    """Return the board of this process."""
    return _boards.setdefault(platform, Board())


def upstream_name(target: Target) -> str:
    """Return what tells a target's server and model from others."""
    return target.model if isinstance(target.spec, EngineSpec) else f"{target.spec.provider}/{target.spec.model}"
