"""Recovery: the books of processes that ended without closing them.

What such a process settled stands in its journal and counts exactly. A call that was in flight counts at what it had
reserved, and is marked as estimated. What it had leased beyond is free again. Where the machine lost power, the end of
the journal may be missing: then the whole lease counts as spent, so that an allowance is never exceeded.
"""

from __future__ import annotations

import logging
import shutil
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, select, update

from mainspring.kernel import hooks
from mainspring.kernel.platform import Platform
from mainspring.serving.metering import store
from mainspring.serving.metering.journal import Abandoned, abandoned
from mainspring.serving.metering.models import Amounts, Payer
from mainspring.serving.metering.store import Change
from mainspring.serving.metering.tables import allowances, leases, meters, windows

_LOST = timedelta(hours=1)
"""A process elsewhere that wrote nothing for so long is taken for dead; while it lives, it writes every minute."""
_KEEP_SHORT, _KEEP_LONG = timedelta(days=2), timedelta(days=400)
_log = logging.getLogger(__name__)


def folder_of(platform: Platform) -> Path:
    """Return where the journals of this home lie."""
    return platform.home / "meters"


def recover(platform: Platform) -> int:
    """Close the books of every process that is gone, and remove what is long past; return how many were closed."""
    closed = 0
    root = folder_of(platform)
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.name.startswith("."):
            continue
        with abandoned(folder) as found:
            if found is not None:
                closed += _close(platform, found)
                shutil.rmtree(folder, ignore_errors=True)
    with platform.records.read() as conn:
        silent = select(meters.c.id).where(meters.c.state == "open", meters.c.seen_at < platform.clock.now() - _LOST)
        lost = [name for name in conn.execute(silent).scalars() if not (root / name).exists()]
    for name in lost:
        closed += _close(platform, Abandoned(name, root / name, [], whole=False))
    _tidy(platform)
    return closed


def _close(platform: Platform, found: Abandoned) -> bool:
    """Apply what stands in a journal and not in the records; False where that was done before."""
    with platform.records.begin() as conn:
        mine = select(meters).where(meters.c.id == found.name).with_for_update()
        row = conn.execute(mine).mappings().one_or_none()
        if row is None or row["state"] != "open":
            return False
        ended = {entry.call for entry in found.entries if entry.kind == "settled"}
        late = [
            entry
            for entry in found.entries
            if (entry.number > row["applied"] if entry.kind == "settled" else entry.call not in ended)
        ]
        usage: dict[tuple[Payer, str], Amounts] = defaultdict(Amounts)
        spent: dict[tuple[str, datetime], int] = defaultdict(int)
        for entry in late:
            usage[entry.payer, entry.hour] = usage[entry.payer, entry.hour].plus(entry.amounts)
            for allowance, starts, amount in entry.takes:
                spent[allowance, datetime.fromisoformat(starts)] += amount
        changes = []
        for held in conn.execute(select(leases).where(leases.c.meter == found.name)).mappings():
            key, left = (held["allowance"], held["starts"]), int(held["granted"]) - int(held["spent"])
            used = spent[key] if found.whole else max(spent[key], left)
            changes.append(Change(*key, used, used - left, ends=True))
        store.apply(platform, conn, found.name, changes)
        store.add_usage(conn, usage)
        conn.execute(update(meters).where(meters.c.id == found.name).values(state="closed"))
    _log.info("closed the books of a process that ended without: %d calls, %d leases", len(late), len(changes))
    return True


def _tidy(platform: Platform) -> None:
    """Remove windows and meters that are long past."""
    now = platform.clock.now()
    brief = select(allowances.c.id).where(allowances.c.per.in_(("minute", "hour")))
    past = (windows.c.starts < now - _KEEP_SHORT) & windows.c.allowance.in_(brief)
    with platform.records.begin() as conn:
        conn.execute(delete(windows).where((past | (windows.c.starts < now - _KEEP_LONG)) & (windows.c.leased <= 0)))
        conn.execute(delete(meters).where(meters.c.state == "closed", meters.c.seen_at < now - _KEEP_SHORT))


hooks.periodic("metering", 30.0, recover)
