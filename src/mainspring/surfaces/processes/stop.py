"""Stop or reload the server that runs on a home folder, from another process."""

from __future__ import annotations

import os
import signal
import time

from mainspring.kernel.errors import Unavailable, Unreachable
from mainspring.kernel.settings import Settings
from mainspring.surfaces.processes.home import HomeLock, ServerState
from mainspring.surfaces.processes.supervisor import WORKER_SECONDS, stop_seconds


def stop_server(config: Settings, *, force: bool = False) -> bool:
    """Ask the server of the home folder to stop and wait until it has; False where none runs.

    `force` kills it instead; its children end themselves then. Raises Unavailable where it does not stop in time.
    """
    home = config.home
    pid = HomeLock.holder(home)
    if not pid:
        return False
    _send(pid, signal.SIGKILL if force else signal.SIGTERM)
    patience = stop_seconds(config) + float(config["engine.drain_seconds"]) + WORKER_SECONDS + 15
    deadline = time.monotonic() + patience
    while HomeLock.holder(home) == pid:
        if time.monotonic() > deadline:
            raise Unavailable(
                f"The server (process {pid}) has not stopped after {patience:.0f} s.",
                hint="`mainspring down --force` kills it.",
            )
        time.sleep(0.05)  # a process that is not our child cannot be waited for
    return True


def reload_server(config: Settings) -> ServerState:
    """Have the API processes of the home folder's server replaced, and wait until they are.

    Raises Unreachable where none runs, Unavailable where a new process does not come up.
    """
    home = config.home
    pid, before = HomeLock.holder(home), ServerState.read(home)
    if not pid or before is None:
        raise Unreachable(f"No server runs on {home}.", hint="Start one with `mainspring up`.")
    if before.state != "ready":
        raise Unavailable(f"The server is {before.state}.", hint="Reload it once it is ready.")
    _send(pid, signal.SIGHUP)
    patience = 60.0 * int(config["api.processes"]) + 60
    deadline = time.monotonic() + patience
    while True:
        now = ServerState.read(home)
        if now is not None and now.pid == pid and now.reloads > before.reloads:
            break
        if HomeLock.holder(home) != pid or time.monotonic() > deadline:
            raise Unavailable("The server did not reload.", hint=f"See {home / 'logs' / 'api.log'}.")
        time.sleep(0.05)  # the state of a process that is not our child is seen only by looking
    if now.problem:
        raise Unavailable(now.problem)
    return now


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
