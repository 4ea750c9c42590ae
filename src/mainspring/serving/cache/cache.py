"""The cache of one process: asked before a call reserves, told of its answer afterwards.

What is found is read from the records at each call, so that what another process keeps, clears or erases counts at
once. What is kept, and what was found, is written by a thread of its own, behind the answers.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import msgspec

from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import JSON
from mainspring.serving.cache import entries
from mainspring.serving.cache.entries import Place
from mainspring.serving.cache.index import Index
from mainspring.serving.cache.keys import asked, key_of, may_share, space_of
from mainspring.serving.cache.models import HEADER, CachePolicy, Hit, Lookup, NotCached
from mainspring.serving.exchange import Exchange
from mainspring.serving.totals import Totals
from mainspring.traces.capture_service import masks

_WAITING = 1000
"""Answers that wait to be written; more are not kept."""
_SECONDS = 0.5
_LARGEST = 1 << 20
"""Bytes of an answer that is kept at most."""
_KEPT = ("stop", "tool_calls")
"""Finish reasons of whole answers: neither cut off nor filtered."""
_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
_running: WeakKeyDictionary[Platform, WeakSet[Cache]] = WeakKeyDictionary()
_log = logging.getLogger(__name__)


class Cache:
    """Finds and keeps answers for one event loop. Close it when the loop ends."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._index = Index(platform)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="cache")
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._rows: list[tuple[CachePolicy, dict[str, Any]]] = []
        self._used: set[str] = set()
        self._counts: dict[Place, Counter[str]] = defaultdict(Counter)
        self._totals: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        settings = platform.settings
        self._keeps = bool(settings["capture.content"]) and not settings["capture.redact"]
        """Whether what is answered may be stored as it is."""
        _running.setdefault(platform, WeakSet()).add(self)

    async def find(self, exchange: Exchange, body: JSON) -> None:
        """Put what is kept for a call into its exchange. Raises NotCached where the client wants nothing else."""
        policy, wish = exchange.target.cache, exchange.question.headers.get(HEADER, "").strip().lower()
        if policy is None or not may_share(exchange, body, policy):
            if wish == "only":
                raise NotCached("This call is not answered from the cache.", hint="Ask without the header.")
            return
        lookup = Lookup(policy, key_of(exchange, body, policy), stores=wish != "no-store" and self._keeps)
        exchange.lookup = lookup
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._look, exchange, lookup, wish != "no-cache")
        place = (exchange.target.project, policy.environment, policy.name)
        if lookup.hit is not None and exchange.target.price is not None:
            self._count(place, "saved", exchange.target.price.nano(lookup.hit.usage))
        outcome = "misses" if lookup.hit is None else "hits" if lookup.hit.kind == "hit" else "semantic"
        self._count(place, outcome)
        if exchange.question.told is not None:
            exchange.question.told.headers[HEADER] = _said(lookup)
        if lookup.hit is None and wish == "only":
            raise NotCached("No answer to this is kept.", hint="Ask without the header.")

    def offer(self, exchange: Exchange) -> None:
        """Keep the answer of a call that ended well, where its policy has room for such."""
        lookup = exchange.lookup
        if lookup is None or lookup.hit is not None or not lookup.stores or exchange.estimated:
            return
        if exchange.finish_reason not in _KEPT or not (exchange.text or exchange.tool_calls):
            return
        if exchange.findings.action not in ("allow", "log") or len(self._rows) >= _WAITING:
            return
        content = {
            "text": exchange.text,
            "tool_calls": [dict(call) for call in exchange.tool_calls],
            "finish_reason": exchange.finish_reason,
            "stop_sequence": exchange.stop_sequence,
            "usage": {name: getattr(exchange.usage, name) for name in _TOKENS},
        }
        size = len(msgspec.json.encode(content))
        if size > min(_LARGEST, lookup.policy.max_bytes):
            return
        row = self._row(exchange, lookup, content, size)
        with self._lock:
            self._rows.append((lookup.policy, row))
        self._count((row["project"], row["environment"], row["name"]), "stored")

    def flush(self) -> None:
        """Write what is kept and what was found; blocking, also while another thread writes what came before."""
        with self._writing:
            self._write()

    def _write(self) -> None:
        with self._lock:
            rows, self._rows = self._rows, []
            ids, self._used = self._used, set()
            counts, self._counts = self._counts, defaultdict(Counter)
        if not (rows or ids or counts):
            return
        with self._platform.records.begin() as conn:
            policies: dict[Place, CachePolicy] = {}
            for policy, row in rows:
                row["vector"] = entries.packed(row["vector"]) if row["vector"] is not None else ""
                entries.put(conn, row)
                policies[row["project"], row["environment"], row["name"]] = policy
            entries.used(conn, ids, self._platform.clock.now())
            for place, policy in sorted(policies.items(), key=lambda item: item[0]):
                entries.trim(conn, place, policy.max_entries, policy.max_bytes)
            for place in sorted(counts):
                entries.add(conn, place, dict(counts[place]))

    async def close(self) -> None:
        """Write what is left, and end the threads."""
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.get_running_loop().run_in_executor(self._threads, self._written)
        self._threads.shutdown(wait=False)

    def add_to(self, totals: Totals) -> None:
        """Add what was looked up to totals."""
        with self._lock:
            for outcome in ("hits", "semantic", "misses"):
                if self._totals[outcome]:
                    totals.count("cache_lookups_total", (("outcome", outcome),), self._totals[outcome])

    def _look(self, exchange: Exchange, lookup: Lookup, reads: bool) -> None:
        project, policy = exchange.target.project, lookup.policy
        if policy.mode == "semantic":
            lookup.space = space_of(exchange, policy)
        if lookup.stores:
            with self._platform.records.read() as conn:
                lookup.stores = not masks(conn, project, "output")
        if reads:
            with self._platform.records.read() as conn:
                row = entries.by_key(conn, project, lookup.key, self._platform.clock.now())
            if row is not None and self._is_fresh(lookup, row):
                self._take(lookup, row, 1.0, "hit")
                return
        if lookup.space and self._platform.embed_port is not None:
            lookup.vector = self._platform.embed.embed([asked(exchange)])[0]
            if reads:
                self._look_near(project, lookup)

    def _look_near(self, project: str, lookup: Lookup) -> None:
        for id, cosine in self._index.nearest(project, lookup.space, lookup.vector):
            if lookup.nearest is None:
                lookup.nearest = cosine
            if cosine < lookup.policy.threshold:
                return
            with self._platform.records.read() as conn:
                row = entries.by_id(conn, project, id, self._platform.clock.now())
            if row is None:
                self._index.drop(project, lookup.space, id)
            elif self._is_fresh(lookup, row):
                self._take(lookup, row, cosine, "semantic")
                return

    def _is_fresh(self, lookup: Lookup, row: Any) -> bool:
        """Tell whether the policy, which may be stricter than when the answer was kept, still gives it."""
        oldest = self._platform.clock.now() - timedelta(seconds=lookup.policy.ttl_seconds)
        return bool(row["created_at"] >= oldest)

    def _take(self, lookup: Lookup, row: Any, similarity: float, kind: Any) -> None:
        age = max(0.0, (self._platform.clock.now() - row["created_at"]).total_seconds())
        lookup.hit = Hit(
            id=row["id"],
            kind=kind,
            age_seconds=age,
            similarity=similarity,
            content=row["content"],
            trace_id=row["trace_id"],
        )
        with self._lock:
            self._used.add(row["id"])

    def _row(self, exchange: Exchange, lookup: Lookup, content: dict[str, Any], size: int) -> dict[str, Any]:
        now, policy, origin = self._platform.clock.now(), lookup.policy, exchange.question.origin
        return {
            "id": self._platform.ids.new(),
            "project": exchange.target.project,
            "environment": policy.environment,
            "name": policy.name,
            "key": lookup.key,
            "space": lookup.space,
            "vector": lookup.vector,
            "content": content,
            "bytes": size,
            "trace_id": exchange.trace_id,
            "user_id": origin.user_id[:256],
            "session_id": origin.session_id[:256],
            "created_at": now,
            "expires_at": now + timedelta(seconds=policy.ttl_seconds),
            "used_at": now,
        }

    def _count(self, place: Place, name: str, amount: int = 1) -> None:
        with self._lock:
            self._counts[place][name] += amount
            self._totals[name] += amount
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SECONDS, self._later)

    def _later(self) -> None:
        self._timer = None
        self._threads.submit(self._written)

    def _written(self) -> None:
        try:
            self.flush()
        except Exception:
            # What is not kept is asked again: nobody misses it.
            _log.warning("the cache could not be written", exc_info=True)


def running(platform: Platform) -> list[Cache]:
    """Return the caches of this process."""
    return list(_running.get(platform, ()))


def _said(lookup: Lookup) -> str:
    if lookup.hit is not None:
        return lookup.hit.said()
    return "miss" if lookup.nearest is None else f"miss; similarity={lookup.nearest:.4f}"
