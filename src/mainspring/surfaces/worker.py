"""The worker process: executes runs, delivers events, and says that it is alive."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

from mainspring.backends.runner_dbos import DbosRunner
from mainspring.kernel import events, settings
from mainspring.surfaces.compose import build_platform

_log = logging.getLogger(__name__)


def main() -> None:
    """Work until SIGTERM."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    platform = build_platform(settings.load(), "worker")
    runner = platform.runner
    assert isinstance(runner, DbosRunner)
    runner.start(platform)
    heartbeat = platform.home / "run" / "worker.heartbeat"
    while not stopped.wait(0.2):
        heartbeat.touch()
        try:
            events.deliver_due(platform)
        except Exception:
            _log.exception("events could not be delivered; trying again")
            stopped.wait(1.0)
    runner.stop()


if __name__ == "__main__":
    main()
