"""Keeper: one child process, started, watched, started again when it dies, and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from mainspring.surfaces.processes.births import Births, Born
from mainspring.surfaces.processes.home import ChildState
from mainspring.surfaces.processes.logs import LogFile, pump

HAND_OVER = signal.SIGUSR1
"""Tells an API process that another one listens in its place."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
"""Seconds before a child that died is started again: doubled each time, up to the longest."""
STEADY = 30.0
"""Seconds after which a child that ran that long starts from the first pause again."""


class Keeper:
    """Keeps one child alive until it is told to stop. `changed` is called at each change of its state.

    A role may have several: `name` tells them apart.
    """

    def __init__(
        self,
        births: Births,
        role: str,
        config: Mapping[str, Any],
        log: LogFile,
        changed: Callable[[], None],
        fds: Mapping[str, int] | None = None,
        name: str = "",
    ) -> None:
        self.state = ChildState(name or role)
        self.listening = threading.Event()
        """Whether the child has said that it takes connections, once at least."""
        self._role = role
        self._config = config
        self._log = log
        self._changed = changed
        self._births = births
        self._fds = fds or {}
        self._stop = threading.Event()
        self._guard = threading.Lock()
        self._process: Born | None = None
        self._thread = threading.Thread(target=self._keep, name=f"keep-{role}", daemon=True)

    def start(self) -> None:
        """Start the child."""
        self._thread.start()

    def _keep(self) -> None:
        quick = 0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                code = self._run_once()
            except OSError as error:  # no process or no memory to be had now
                self._log.write(f"{self.state.name} could not be started: {error}")
                code = None
            self.state.last_exit = code
            if self._stop.is_set():
                break
            quick = 0 if time.monotonic() - began > STEADY else quick + 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** max(0, quick - 1))
            self._log.write(f"{self.state.name} ended with code {code}; it is started again in {pause:g} s")
            self.state.restarts += 1
            self._set("waiting", 0)
            self._stop.wait(pause)
        self._set("stopped", 0)

    def _run_once(self) -> int | None:
        """Run the child to its end and return its exit code; None where we are to stop instead."""
        told, telling = os.pipe()
        try:
            with self._guard:
                if self._stop.is_set():
                    os.close(told)
                    return None
                fds = {**self._fds, "listening": telling}
                process = self._process = self._births.bear(self._role, self._config, fds=fds)
        except OSError:
            os.close(told)
            raise
        finally:
            os.close(telling)
        assert process.stdout is not None
        assert process.stdin is not None
        copying = pump(process.stdout, self._log, self.state.name)
        threading.Thread(target=self._hear, args=(told,), name=f"hear-{self.state.name}", daemon=True).start()
        self._set("running", process.pid)
        code = process.wait()
        copying.join(1.0)
        process.stdin.close()
        return code

    def _hear(self, told: int) -> None:
        """Wait for the child's word that it takes connections, or for its end."""
        if os.read(told, 1):
            self.listening.set()
        os.close(told)

    def _set(self, state: Any, pid: int) -> None:
        self.state.state, self.state.pid = state, pid
        self._changed()

    def ask_to_stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Let the child finish what it does; it is not started again."""
        with self._guard:
            self._stop.set()
            process = self._process
        if process is not None and process.poll() is None:
            if number is not signal.SIGTERM:
                self._set("leaving", process.pid)
            process.send_signal(number)

    @property
    def ended(self) -> bool:
        """Whether the child is gone for good."""
        return self._stop.is_set() and not self._thread.is_alive()

    def wait(self, impatient: Callable[[], bool]) -> None:
        """Wait for the child's end, and end it by force once `impatient` says so."""
        process = self._process
        while process is not None and process.poll() is None:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                if impatient():
                    self._log.write(f"{self.state.name} did not end in time; it is killed")
                    process.kill()
        if self._thread.is_alive():
            self._thread.join(5.0)
