"""Stop the server that runs on a home folder, from another process."""

from __future__ import annotations

import os
import signal
import time

from mainspring.kernel.errors import Unavailable
from mainspring.kernel.settings import Settings
from mainspring.surfaces.processes.home import HomeLock
from mainspring.surfaces.processes.supervisor import WORKER_SECONDS


def stop_server(config: Settings, *, force: bool = False) -> bool:
    """Ask the server of the home folder to stop and wait until it has; False where none runs.

    `force` kills it instead; its children end themselves then. Raises Unavailable where it does not stop in time.
    """
    home = config.home
    pid = HomeLock.holder(home)
    if not pid:
        return False
    _send(pid, signal.SIGKILL if force else signal.SIGTERM)
    patience = 2 * float(config["engine.drain_seconds"]) + WORKER_SECONDS + 15
    deadline = time.monotonic() + patience
    while HomeLock.holder(home) == pid:
        if time.monotonic() > deadline:
            raise Unavailable(
                f"The server (process {pid}) has not stopped after {patience:.0f} s.",
                hint="`mainspring down --force` kills it.",
            )
        time.sleep(0.05)  # a process that is not our child cannot be waited for
    return True


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
