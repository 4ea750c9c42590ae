"""Fleet: the API processes on the one listening socket, and how they are replaced without a request that fails."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mainspring.kernel.errors import Unavailable
from mainspring.surfaces.processes.births import Births
from mainspring.surfaces.processes.home import ChildState
from mainspring.surfaces.processes.keeper import HAND_OVER, Keeper
from mainspring.surfaces.processes.logs import LogFile

_LOOK = 0.05


class Fleet:
    """Keeps so many API processes. Each takes connections from the queue of the one socket."""

    def __init__(
        self,
        births: Births,
        config: Mapping[str, Any],
        listener: socket.socket,
        log: LogFile,
        changed: Callable[[], None],
    ) -> None:
        self._births = births
        self._config = config
        self._fds = {"fd": listener.fileno()}
        self._log = log
        self._changed = changed
        self._keepers: list[Keeper] = []
        self._leaving: list[Keeper] = []

    def start(self, count: int) -> None:
        """Start so many."""
        self._keepers = [self._made(name) for name in names(count)]
        for keeper in self._keepers:
            keeper.start()

    def reload(self, count: int, stop: threading.Event) -> None:
        """Start new processes, one after the other; each takes the place of an old one once it takes connections.

        Raises Unavailable where a new one does not come up: the old ones that are left go on.
        """
        old, self._leaving = self._keepers, [keeper for keeper in self._leaving if not keeper.ended]
        for at, name in enumerate(names(count)):
            fresh = self._made(name)
            self._keepers = [*self._keepers[:at], fresh, *old[at:]]
            fresh.start()
            if not self._is_up(fresh, stop):
                self._keepers = [*self._keepers[:at], *old[at:]]
                self._leaving.append(fresh)
                fresh.ask_to_stop()
                raise Unavailable(
                    f"The new process {name} did not come up (code {fresh.state.last_exit}); the old ones go on.",
                    hint="See api.log in the folder logs, mend it, and reload again.",
                )
            if at < len(old):
                self._hand_over(old[at])
            self._keepers = [*self._keepers[: at + 1], *old[at + 1 :]]
        for surplus in old[count:]:
            self._hand_over(surplus)
        self._keepers = self._keepers[:count]
        self._changed()

    def states(self) -> list[ChildState]:
        """Return what every process does, those that are leaving too."""
        return [keeper.state for keeper in self._all() if not (keeper in self._leaving and keeper.ended)]

    def all_up(self) -> bool:
        """Tell whether every process has taken connections."""
        return all(keeper.listening.is_set() for keeper in self._keepers)

    def await_up(self, seconds: float, stop: threading.Event) -> None:
        """Wait until every process has taken connections; no longer where one dies, or where that takes long."""
        until = time.monotonic() + seconds
        while not self.all_up() and not stop.is_set() and time.monotonic() < until:
            if any(keeper.state.restarts for keeper in self._keepers):
                return
            self._keepers[0].listening.wait(_LOOK)

    def ask_to_stop(self) -> None:
        """Let every process finish its requests and end."""
        for keeper in self._all():
            keeper.ask_to_stop()

    def wait(self, impatient: Callable[[], bool]) -> None:
        """Wait for every process's end, and end them by force once `impatient` says so."""
        for keeper in self._all():
            keeper.wait(impatient)

    def _all(self) -> Iterator[Keeper]:
        yield from self._keepers
        yield from self._leaving

    def _made(self, name: str) -> Keeper:
        return Keeper(self._births, "api", self._config, self._log, self._changed, self._fds, name)

    def _hand_over(self, keeper: Keeper) -> None:
        self._leaving.append(keeper)
        keeper.ask_to_stop(HAND_OVER)

    def _is_up(self, keeper: Keeper, stop: threading.Event) -> bool:
        while not keeper.listening.is_set() and keeper.state.restarts == 0 and not stop.is_set():
            time.sleep(_LOOK)  # both its word and its end are awaited
        return keeper.listening.is_set()


def names(count: int) -> list[str]:
    """Return what the processes are called: `api` where there is one, else `api-1`, `api-2`, …"""
    return ["api"] if count == 1 else [f"api-{number}" for number in range(1, count + 1)]
