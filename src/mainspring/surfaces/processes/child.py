"""What a child does in its role, which is setup, api or worker.

The nursery forks it, or it is a program of its own, `python -m mainspring.surfaces.processes.child ROLE`, which reads
its config as a line of JSON from standard input. It ends at once when standard input closes: no child outlives its
supervisor. That loses nothing, since what was acknowledged is on disk.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.kernel import settings
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.settings import Settings

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform

BEAT = 5.0
"""Seconds between two heartbeats of the worker."""
_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
"""Seconds between two looks for events, told of or not: few while there is something to do, then more and more."""
_DEAF_SECONDS = 60.0
_log = logging.getLogger("mainspring")


def main() -> int:
    """Run the role that the command line names."""
    # Nothing of what a start makes is garbage, and looking for some takes a tenth of it.
    gc.disable()
    return run(sys.argv[1], json.loads(sys.stdin.buffer.readline()))


def share() -> None:
    """Import what the API and the worker use from their start on, whatever the settings say."""
    import uvicorn.lifespan.on
    import uvicorn.loops.uvloop  # noqa: F401

    from mainspring.surfaces import access_log, app, compose, door  # noqa: F401
    from mainspring.surfaces.processes import leaving, owner, readiness  # noqa: F401

    compose.import_rooms()


def share_ports(config: Settings) -> None:
    """Import the back ends that the settings name."""
    from mainspring.surfaces import compose

    compose.import_ports(config)


def run(role: str, config: dict[str, Any]) -> int:
    """Run a role, with what the supervisor gives it."""
    # The home folder may have been there before, for others to look into: what is written into it is not for them.
    os.umask(0o077)
    threading.Thread(target=_watch_parent, name="parent", daemon=True).start()
    chosen = settings.load(config["settings"])
    logging.basicConfig(
        level=str(chosen["log.level"]).upper(),
        format="%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
        stream=sys.stderr,
    )
    logging.Formatter.converter = time.gmtime
    roles: dict[str, Callable[[Settings, dict[str, Any]], int]] = {"setup": set_up, "api": api, "worker": worker}
    return roles[role](chosen, config)


def _watch_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def set_up(config: Settings, given: dict[str, Any]) -> int:
    """Bring the schema up to date, make the owner at the first start, and print `{"owner_key"}` or `{"error"}`."""
    from mainspring.surfaces.compose import build_platform
    from mainspring.surfaces.processes.owner import ensure_owner

    try:
        platform = build_platform(config)
        key = ensure_owner(platform, str(given["url"]))
    except MainspringError as error:
        print(json.dumps(error.to_dict()))  # noqa: T201 - the answer to the supervisor
        return 1
    print(json.dumps({"owner_key": key}))  # noqa: T201
    return 0


def api(config: Settings, given: dict[str, Any]) -> int:
    """Serve HTTP on the listening socket that the supervisor passed, until SIGTERM; running requests may finish."""
    import socket

    from mainspring.surfaces.access_log import AccessLog
    from mainspring.surfaces.app import build_app
    from mainspring.surfaces.compose import build_platform
    from mainspring.surfaces.door import Door
    from mainspring.surfaces.processes.heap import Heap
    from mainspring.surfaces.processes.leaving import Leaving
    from mainspring.surfaces.processes.readiness import missing

    platform = build_platform(config, role="api")
    app = build_app(platform, lambda: missing(platform))
    door = Door(app, AccessLog.of(config), app.direct)
    # Spans stay at hand until they are indexed: a smaller number would have them looked through in vain.
    _keep_what_the_start_made(200_000)
    heap = Heap()
    heap.start()
    Leaving(door, config, given.get("listening")).serve_on(socket.socket(fileno=int(given["fd"])))
    heap.close()
    door.close()
    getattr(platform.chat_port, "close", lambda: None)()
    if platform.spans_port is not None:
        platform.spans.close()
    platform.records.close()
    return 0


def worker(config: Settings, given: dict[str, Any]) -> int:
    """Execute runs and deliver events, until SIGTERM; a run that this cuts off goes on at the next start."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    from mainspring.surfaces.compose import build_platform

    platform = build_platform(config, role="worker")
    runner = platform.runner
    start = getattr(runner, "start", None)
    if start is not None:
        start(platform)
    _keep_what_the_start_made(10_000)
    due = threading.Event()
    looks = [due.set, getattr(runner, "look", lambda: None)]
    threading.Thread(target=_beat, args=(config.home, stop), name="beat", daemon=True).start()
    threading.Thread(target=_tick, args=(platform, stop), name="tick", daemon=True).start()
    threading.Thread(target=_listen, args=(platform, stop, looks), name="news", daemon=True).start()
    threading.Thread(target=_deliver, args=(platform, stop, due), name="events", daemon=True).start()
    _log.info("the worker is ready")
    stop.wait()
    getattr(runner, "stop", lambda: None)()
    getattr(platform.chat_port, "close", lambda: None)()
    if platform.spans_port is not None:
        platform.spans.close()
    sys.stdout.flush()
    os._exit(0)  # a run's own threads would hold the process back


def _listen(platform: Platform, stop: threading.Event, looks: Sequence[Callable[[], None]]) -> None:
    """Pass on that there is something to do."""
    while not stop.is_set():
        if platform.records.await_news(_DEAF_SECONDS):
            for look in looks:
                look()
            stop.wait(_PAUSE)  # where news never end, more of it is looked at together


def _deliver(platform: Platform, stop: threading.Event, due: threading.Event) -> None:
    """Deliver events as they come; what is to be tried again, and what nobody told of, is found by looking."""
    from mainspring.kernel import events

    pause = _PAUSE
    while not stop.is_set():
        due.clear()
        pause = min(2 * pause, _LONGEST_PAUSE)
        try:
            while events.deliver_due(platform) and not stop.is_set():
                pause = _PAUSE
        except Exception:
            _log.exception("events could not be delivered; trying again")
            stop.wait(1.0)
        due.wait(pause)


def _keep_what_the_start_made(threshold: int) -> None:
    """Take it out of the search for garbage: looking through it again and again is dear in the middle of work."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(threshold, 20, 20)
    gc.enable()


def _tick(platform: Platform, stop: threading.Event) -> None:
    """Do what rooms want done regularly, beside runs and deliveries, so that long ones do not hold it up."""
    from mainspring.kernel import hooks
    from mainspring.surfaces.processes import errands

    errands.part()
    while not stop.wait(1.0):
        hooks.tick(platform, time.monotonic())


def beat_path(home: Path) -> Path:
    """The file whose time of change is the worker's last heartbeat."""
    return home / "run" / "worker.heartbeat"


def _beat(home: Path, stop: threading.Event) -> None:
    path = beat_path(home)
    while not stop.is_set():
        try:
            path.touch()
        except OSError:
            _log.warning("the heartbeat could not be written")  # it comes back with the space
        stop.wait(BEAT)


if __name__ == "__main__":
    sys.exit(main())
