"""The meter of one process: what may be used is leased in blocks, spent in memory and written down now and then.

A call reserves the most that it may use, in every allowance that covers it, before it begins, and settles what it used
when it ends. Leases of all processes and what is spent never exceed an allowance, so that no number of parallel calls
does; a process may refuse early, because others hold what is left.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import insert, select, update

from mainspring.kernel.errors import LimitReached, MainspringError, Unavailable
from mainspring.kernel.platform import Platform
from mainspring.serving.metering import running, store
from mainspring.serving.metering.journal import Journal
from mainspring.serving.metering.leases import Lease, Rules, Ticket, covering, listed
from mainspring.serving.metering.models import (
    Allowance,
    Amounts,
    Need,
    Payer,
    refusal,
)
from mainspring.serving.metering.recovery import folder_of, recover
from mainspring.serving.metering.store import Change
from mainspring.serving.metering.tables import allowances, meters
from mainspring.serving.metering.windows import window_end, window_named, window_start

_RULES_SECONDS = 5.0
_REFUSED_SECONDS = 1.0
_FLUSH_SECONDS = 2.0
_BEAT_SECONDS = 60.0
_TRIES = 50
_BLOCKS = 64
"""A block is this part of an allowance, where a quarter of what is free is not less."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Batch:
    """What one flush writes; tried again unchanged until it is known to be written."""

    since: int
    until: int
    usage: dict[tuple[Payer, str], Amounts]
    changes: list[Change]


@dataclass(slots=True)
class _State:
    """What stands in memory; under the meter's lock."""

    rules: dict[str, tuple[float, Rules]] = field(default_factory=dict)
    leases: dict[tuple[str, datetime], Lease] = field(default_factory=dict)
    refused: dict[tuple[str, datetime], tuple[float, int, int]] = field(default_factory=dict)
    usage: dict[tuple[Payer, str], Amounts] = field(default_factory=dict)
    applied: int = 0
    flying: int = 0


class Meter:
    """Meters the calls of one process, from any of its threads. Close it when the process ends."""

    def __init__(self, platform: Platform, *, flush_seconds: float = _FLUSH_SECONDS) -> None:
        """`flush_seconds` is how often what was used is written to the records; 0 leaves it to `flush`."""
        self._platform = platform
        self._every = flush_seconds
        self._lock = threading.Lock()
        self._leasing = threading.Lock()
        self._flushing = threading.Lock()
        self._state = _State()
        self._journal: Journal | None = None
        self._batch: _Batch | None = None
        self._stop = threading.Event()
        self._worker: threading.Thread | None = None
        self._beat = 0.0
        self._name = ""
        self._listed = running.enter(platform, self)

    def attempt(self, call: str, payer: Payer, need: Need) -> Ticket | None:
        """Reserve from what this process holds, without waiting; None where the records have to be asked."""
        now = self._platform.clock.now()
        with self._lock:
            known = self._state.rules.get(payer.project)
            if self._journal is None or known is None or known[0] < time.monotonic():
                return None
            takes: list[tuple[Lease, int]] = []
            for allowance in covering(known[1], payer, need):
                if amount := allowance.of(need):
                    lease = self._state.leases.get((allowance.id, window_start(now, allowance.per)))
                    if lease is None or lease.free < amount:
                        return None
                    takes.append((lease, amount))
            ticket = Ticket(call, payer, window_named(now, "hour"), need, takes)
            self._journal.hold(call, payer, ticket.hour, need, listed(takes))
            for lease, amount in takes:
                lease.reserved += amount
                lease.touched = True
            self._state.flying += 1
            return ticket

    def reserve(self, call: str, payer: Payer, need: Need) -> Ticket:
        """Reserve the most that a call may use; blocking.

        Raises BudgetSpent or LimitReached, which name the allowance that has no room and when it begins anew;
        Unavailable where the records or the disk do not answer: what cannot be counted is not done.
        """
        for _ in range(_TRIES):
            ticket = self.attempt(call, payer, need)
            if ticket is not None:
                return ticket
            with self._leasing:
                ticket = self.attempt(call, payer, need)
                if ticket is not None:
                    return ticket
                self._begin()
                self._read_rules(payer.project)
                self._lease(payer, need)
        raise LimitReached("Too many calls ask at the same time.", hint="Ask again in a moment.", retry_after=1)

    def settle(self, ticket: Ticket, used: Amounts) -> None:
        """Count what a call used, in the place of what it had reserved. Settling it again changes nothing."""
        with self._lock:
            if ticket.settled:
                return
            takes = [(lease, lease.allowance.of(used)) for lease, _ in ticket.takes]
            try:
                if self._journal is not None:
                    self._journal.settle(ticket.call, ticket.payer, ticket.hour, used, listed(takes))
            except MainspringError:
                # The books stay right while the process lives; after a crash the call counts at its reservation.
                _log.warning("a settled call could not be noted", exc_info=True)
            ticket.settled = True
            for (lease, amount), (_, reserved) in zip(takes, ticket.takes, strict=True):
                lease.reserved -= reserved
                lease.spent += amount
                lease.touched = True
            key = (ticket.payer, ticket.hour)
            before = self._state.usage.get(key)
            self._state.usage[key] = used if before is None else before.plus(used)
            self._state.flying -= 1

    def forget_rules(self) -> None:
        """Read anew what is allowed: it has changed."""
        with self._lock:
            self._state.rules.clear()
            self._state.refused.clear()

    def flush(self, *, release: bool = False) -> None:
        """Write to the records what was used, and give back what nobody asked for lately; with `release` all of it.

        Raises Unavailable where the records do not answer; nothing is lost, the next flush tries again.
        """
        with self._flushing:
            if self._journal is None:
                return
            self._journal.sync()
            while True:
                if self._batch is None:
                    with self._lock:
                        self._batch = self._gather(release=release)
                    if self._batch is None:
                        return
                    fresh = True
                else:
                    fresh = False
                self._write(self._batch)
                until, self._batch = self._batch.until, None
                with self._lock:
                    if self._journal is not None:
                        self._state.applied = until
                        self._journal.shorten(until)
                if fresh or self._journal is None:
                    return

    def close(self) -> None:
        """Write what was used and give back every lease."""
        self._stop.set()
        if self._worker is not None:
            self._worker.join(30)
        if self._journal is None:
            return
        try:
            self.flush(release=True)
            done = self._state.flying == 0
            if done:
                with self._platform.records.begin() as conn:
                    conn.execute(update(meters).where(meters.c.id == self._name).values(state="closed"))
        except Exception:
            _log.warning("usage was not written; the next start does it", exc_info=True)
            done = False
        with self._lock:
            self._journal.close(remove=done)
            self._journal = None

    def _begin(self) -> None:
        """Register the process, at its first call; what others left behind is brought in order before."""
        if self._journal is not None:
            return
        if self._stop.is_set():
            raise Unavailable("The server is shutting down.", hint="Ask again in a moment.")
        recover(self._platform)
        self._name = self._platform.ids.new()
        journal = Journal(folder_of(self._platform), self._name)
        try:
            with self._platform.records.begin() as conn:
                row = {"id": self._name, "state": "open", "applied": 0, "seen_at": self._platform.clock.now()}
                conn.execute(insert(meters).values(**row))
        except BaseException:
            journal.close(remove=True)
            raise
        with self._lock:
            self._state.applied, self._journal = 0, journal
        if self._every and self._worker is None:
            self._worker = threading.Thread(target=self._work, name="meter", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.flush()
            except Exception:
                _log.warning("usage could not be written; it is tried again", exc_info=True)

    def _read_rules(self, project: str) -> None:
        with self._lock:
            known = self._state.rules.get(project)
            if known is not None and known[0] >= time.monotonic():
                return
        with self._platform.records.read() as conn:
            found = store.of_project(conn, project)
            after = store.rotated(conn, project) if any(one.scope == "key" for one in found) else {}
        rules: Rules = {}
        for allowance in found:
            for name in (allowance.name, *(after.get(allowance.name, ()) if allowance.scope == "key" else ())):
                rules.setdefault((allowance.scope, name), []).append(allowance)
        with self._lock:
            self._state.rules[project] = (time.monotonic() + _RULES_SECONDS, rules)

    def _lease(self, payer: Payer, need: Need) -> None:
        """Lease what a call misses, and a block more where there is enough. Raises LimitReached or BudgetSpent."""
        now = self._platform.clock.now()
        short = self._short(payer, need, now)
        if not short:
            return
        refused: tuple[Allowance, datetime, int, int] | None = None
        blocks: list[tuple[Allowance, datetime, int]] = []
        with self._platform.records.begin() as conn:
            for allowance, starts, missing in sorted(short, key=lambda item: item[0].id):
                row = conn.execute(select(allowances).where(allowances.c.id == allowance.id)).mappings().one_or_none()
                amount = int(row["amount"]) if row is not None else missing
                window = store.window(conn, allowance.id, starts)
                spent, free = int(window["spent"]), amount - int(window["spent"]) - int(window["leased"])
                if row is not None and free < missing:
                    spent += self._unwritten(allowance.id, starts)
                    refused = (store.as_allowance(row), starts, missing, spent)
                    if missing <= amount < spent + missing:
                        store.tell(self._platform, conn, allowance.id, starts, refused=True)
                    break
                blocks.append((allowance, starts, max(missing, min(amount // _BLOCKS, free // 4))))
            for allowance, starts, block in blocks if refused is None else ():
                store.grant(conn, self._name, allowance.id, starts, block)
        with self._lock:
            if refused is not None:
                allowance, starts, missing, spent = refused
                self._state.refused[allowance.id, starts] = (time.monotonic() + _REFUSED_SECONDS, missing, spent)
                raise refusal(allowance, allowance.of(need), spent, starts, now)
            for allowance, starts, block in blocks:
                lease = self._state.leases.setdefault((allowance.id, starts), Lease(allowance, starts))
                lease.granted += block
                lease.touched = True

    def _unwritten(self, allowance: str, starts: datetime) -> int:
        """Return what this process spent and the records do not know yet."""
        with self._lock:
            own = self._state.leases.get((allowance, starts))
            return own.spent - own.written if own else 0

    def _short(self, payer: Payer, need: Need, now: datetime) -> list[tuple[Allowance, datetime, int]]:
        """Return which leases lack how much for a call. Raises what was raised for one like it a moment ago."""
        short = []
        with self._lock:
            known = self._state.rules.get(payer.project)
            for allowance in covering(known[1], payer, need) if known else ():
                starts, amount = window_start(now, allowance.per), allowance.of(need)
                held = self._state.leases.get((allowance.id, starts))
                missing = amount - (held.free if held else 0)
                if amount and missing > 0:
                    past = self._state.refused.get((allowance.id, starts))
                    if past is not None and past[0] > time.monotonic() and missing >= past[1]:
                        raise refusal(allowance, amount, past[2], starts, now)
                    short.append((allowance, starts, missing))
        return short

    def _gather(self, *, release: bool) -> _Batch | None:
        """Take what is to be written out of memory; None where there is nothing. Under the lock."""
        assert self._journal is not None
        now, state = self._platform.clock.now(), self._state
        changes: list[Change] = []
        for lease in list(state.leases.values()):
            over = window_end(lease.starts, lease.allowance.per) <= now
            beyond = max(0, lease.spent + lease.reserved - lease.granted)
            back = max(0, lease.free) if release or over or not lease.touched else 0
            fresh = lease.spent - lease.written
            lease.granted += beyond - back
            lease.written, lease.touched = lease.spent, False
            ends = lease.reserved == 0 and (over or release)
            if ends:
                del state.leases[lease.key]
            if fresh or beyond or back or ends:
                changes.append(Change(*lease.key, fresh, beyond - back, ends))
        state.refused = {key: known for key, known in state.refused.items() if known[0] > time.monotonic()}
        usage, state.usage = state.usage, {}
        if not usage and not changes and time.monotonic() - self._beat < _BEAT_SECONDS:
            return None
        # A number of its own, so that a batch whose commit was answered by silence is recognised.
        self._journal.number += 1
        return _Batch(state.applied, self._journal.number, usage, changes)

    def _write(self, batch: _Batch) -> None:
        """Write a batch, unless it is written already."""
        with self._platform.records.begin() as conn:
            mine = meters.c.id == self._name
            row = conn.execute(select(meters).where(mine).with_for_update()).mappings().one_or_none()
            applied = int(row["applied"]) if row is not None else batch.since
            if batch.until <= applied:
                return
            ours = row is not None and row["state"] == "open"
            if ours:
                store.apply(self._platform, conn, self._name, batch.changes)
            store.add_usage(conn, batch.usage)
            values = {"applied": batch.until, "seen_at": self._platform.clock.now()}
            conn.execute(update(meters).where(mine).values(**values))
        self._beat = time.monotonic()
        if not ours:
            self._start_anew()

    def _start_anew(self) -> None:
        """Go on under another name: this process was taken for dead, and its leases were billed whole."""
        with self._lock:
            if self._journal is not None:
                self._journal.close(remove=self._state.flying == 0)
            self._journal = None
            self._state.leases.clear()
