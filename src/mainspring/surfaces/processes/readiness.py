"""What `/readyz` asks: whether everything that a server needs answers."""

from __future__ import annotations

import logging
import time

from mainspring.kernel.platform import Platform
from mainspring.surfaces.processes.child import beat_path

BEAT_SECONDS = 30.0
"""A worker whose last heartbeat is older than this counts as gone; a busy one may be late."""
_log = logging.getLogger(__name__)


def missing(platform: Platform) -> dict[str, str]:
    """Return each part that is not ready, with what is wrong with it in a word; anybody may read it."""
    found = {"records": _records(platform), "spans": _spans(platform)}
    if platform.settings["worker.enabled"]:
        found["worker"] = _worker(platform)
    return {part: problem for part, problem in found.items() if problem}


def _records(platform: Platform) -> str:
    from sqlalchemy import text

    try:
        with platform.records.read() as conn:
            conn.execute(text("SELECT 1"))
    except Exception:
        _log.warning("the database does not answer", exc_info=True)
        return "does not answer"
    return ""


def _spans(platform: Platform) -> str:
    try:
        platform.spans.stats()
    except Exception:
        _log.warning("the span store does not answer", exc_info=True)
        return "does not answer"
    return ""


def _worker(platform: Platform) -> str:
    try:
        age = time.time() - beat_path(platform.home).stat().st_mtime
    except OSError:
        return "has not started"
    return "" if age < BEAT_SECONDS else f"silent for {age:.0f} s"
