"""The one exporter of this process: set up by `init`, asked for by whatever traces."""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from mainspring import __version__
from mainspring.sdk.exporter import Exporter, Target
from mainspring.sdk.live import ids
from mainspring.sdk.wire import Redact

log = logging.getLogger("mainspring.sdk")
_EXIT_SECONDS = 3.0


class Active:
    """What `init` set."""

    exporter: Exporter | None = None
    capture = True
    limit = 65_536
    sample = 1.0
    hooked = False


def init(
    url: str = "",
    api_key: str = "",
    *,
    service: str = "",
    environment: str = "",
    project: str = "",
    release: str = "",
    capture: bool = True,
    max_chars: int = 65_536,
    redact: Redact | None = None,
    sample: float = 1.0,
    opentelemetry: bool = True,
    interval: float = 1.0,
    max_queue: int = 50_000,
    max_queue_bytes: int = 64 << 20,
) -> bool:
    """Begin to record; return whether there is a server and a key to send to.

    `url` and `api_key` default to MAINSPRING_URL and MAINSPRING_API_KEY, then to the credentials that a server on this
    machine wrote; `service` to OTEL_SERVICE_NAME. `capture=False` leaves out inputs and outputs; `max_chars` bounds
    each of them; `redact` is called with every value before it is sent, in the background, and returns what is sent in
    its place. `sample` is the share of traces that is sent; spans that failed always are. Where a tracer provider of
    OpenTelemetry is set, its spans are sent too, unless `opentelemetry=False`. It never raises.
    """
    try:
        where, key, belongs = _credentials(url, api_key, project)
        if not key:
            log.warning("mainspring: nothing is traced: no API key. Give one to init, or set MAINSPRING_API_KEY.")
            return False
        headers = {"Authorization": f"Bearer {key}", "User-Agent": f"mainspring-sdk/{__version__}"}
        headers |= {"X-Mainspring-Project": belongs} if belongs else {}
        headers |= {"X-Mainspring-Environment": environment} if environment else {}
        resource = {
            "service.name": service or os.environ.get("OTEL_SERVICE_NAME", "") or Path(sys.argv[0] or "python").stem,
            "telemetry.sdk.name": "mainspring",
            "telemetry.sdk.language": "python",
            "telemetry.sdk.version": __version__,
            "process.pid": os.getpid(),
        } | ({"service.version": release} if release else {})
        shutdown(1.0)
        target = Target(where, headers, resource, redact, max(0.05, interval), max_queue, max_queue_bytes)
        Active.capture, Active.limit, Active.sample = capture, max(100, max_chars), sample
        Active.exporter = Exporter(target)
        _hook()
        if opentelemetry and "opentelemetry.sdk.trace" in sys.modules:
            from mainspring.sdk.otel import join_provider

            join_provider()
    except Exception as problem:  # tracing is never worth an application that does not start
        log.warning("mainspring: nothing is traced: %s: %s", type(problem).__name__, problem)
        return False
    return True


def exporter() -> Exporter | None:
    """Return the exporter; None before `init` and after `shutdown`."""
    return Active.exporter


def flush(timeout: float = 5.0) -> bool:
    """Send what is queued; return whether all of it was away within `timeout` seconds."""
    sender = Active.exporter
    return sender is None or sender.flush(timeout)


def shutdown(timeout: float = _EXIT_SECONDS) -> bool:
    """Send what is queued within `timeout` seconds, and record nothing more. An ending process does it by itself."""
    sender, Active.exporter = Active.exporter, None
    return sender is None or sender.close(timeout)


def counters() -> dict[str, int]:
    """Return how many spans and scores were sent, dropped and rejected since `init`."""
    sender = Active.exporter
    return dict(vars(sender.stats)) if sender is not None else {"sent": 0, "dropped": 0, "rejected": 0}


def _hook() -> None:
    if Active.hooked:
        return
    Active.hooked = True
    atexit.register(shutdown)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forked)


def _forked() -> None:
    ids.seed()
    if Active.exporter is not None:
        Active.exporter.after_fork()


def _credentials(url: str, api_key: str, project: str) -> tuple[str, str, str]:
    environ = os.environ
    where = url or environ.get("MAINSPRING_URL", "")
    key = api_key or environ.get("MAINSPRING_API_KEY", "")
    belongs = project or environ.get("MAINSPRING_PROJECT", "")
    if not key or not where:
        path = Path(environ.get("MAINSPRING_HOME", "~/.mainspring")).expanduser() / "credentials.json"
        held: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
        where = where or str(held.get("url", "")) or "http://127.0.0.1:7070"
        key = key or str(held.get("api_key", ""))
    if where.partition("://")[0] not in ("http", "https"):
        raise ValueError(f"the URL {where!r} begins with neither http:// nor https://")
    return where, key, belongs
