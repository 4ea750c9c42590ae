"""The directory: what names lead to, remembered for a moment, so that most calls ask no records.

A write in this process counts at once. One of another process, the worker's or another API's, counts within
`SECONDS`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime

from mainspring.kernel.access import Caller, acting_as
from mainspring.kernel.platform import Platform
from mainspring.serving.models import Target
from mainspring.serving.routing.plans import Lead, lookup

SECONDS = 2.0
_MOST = 4096
_Key = tuple[Caller, str]


class Directory:
    """Looks names up for callers, from one event loop."""

    def __init__(
        self, platform: Platform, threads: Executor, priced: Callable[[Target, datetime], Target] | None = None
    ) -> None:
        """`priced` returns a target with its price at a moment."""
        self._platform = platform
        self._threads = threads
        self._priced = priced
        self._known: dict[_Key, tuple[float, int, Lead]] = {}
        self._asked: dict[tuple[_Key, int], asyncio.Future[Lead]] = {}

    def known(self, caller: Caller, name: str) -> Lead | None:
        """Return what a name leads to for a caller, where that was found out a moment ago."""
        known = self._known.get((caller, name))
        if known is not None and known[0] > time.monotonic() and known[1] == self._platform.writes:
            return known[2]
        return None

    async def find(self, caller: Caller, name: str) -> Lead:
        """Return what a name leads to for a caller. Raises as `lookup` does."""
        if (known := self.known(caller, name)) is not None:
            return known
        key = (caller, name)
        now = (key, self._platform.writes)
        asked = self._asked.get(now)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = self._asked[now] = loop.run_in_executor(self._threads, self._look, key)
            asked.add_done_callback(lambda _: self._asked.pop(now, None))
        return await asyncio.shield(asked)

    def _look(self, key: _Key) -> Lead:
        caller, name = key
        # Counted before the records are read, so that a write in between is noticed.
        writes, until = self._platform.writes, time.monotonic() + SECONDS
        with acting_as(caller), self._platform.read() as tx:
            choice, now = lookup(tx, name, caller.environment), tx.now
        if (priced := self._priced) is not None:
            choice = choice.each(lambda target: priced(target, now))
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = (until, writes, choice)
        return choice
