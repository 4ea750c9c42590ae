"""Limits and budgets on every database: parallel calls never exceed, and a kill leaves the books right."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from mainspring.kernel.errors import LimitReached
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import events
from mainspring.serving.metering import Budgets, BudgetSpent, Limits, Meter, Need, Payer, Usages, recover
from mainspring.serving.metering.models import Amounts
from mainspring.workspace import Members, first_start

PAYER = Payer("default", "production", "key-of-ann", "ann", "docs", "model/m@1", "mainspring")
CALL = Need(requests=1, estimated=1, input_tokens=60, output_tokens=40, cost=1_000_000)
USED = Amounts(requests=1, input_tokens=50, output_tokens=30, cost=700_000)


@pytest.fixture
def staffed(platform: Platform) -> Platform:
    """A platform with a project, its environments and its member ann."""
    first_start(platform)
    Members(platform).add("ann", "admin")
    return platform


def meters(platform: Platform, count: int) -> list[Meter]:
    """Return meters that write when they are told to: each stands for a process."""
    return [Meter(platform, flush_seconds=0) for _ in range(count)]


def storm(processes: list[Meter], calls: int, used: Amounts = USED) -> int:
    """Make so many calls at the same time, spread over the processes; return how many were let through."""
    start = threading.Barrier(calls)

    def one(index: int) -> int:
        meter = processes[index % len(processes)]
        start.wait()
        try:
            ticket = meter.reserve(f"{index}", PAYER, CALL)
        except LimitReached:
            return 0
        meter.settle(ticket, used)
        return 1

    with ThreadPoolExecutor(calls) as pool:
        return sum(pool.map(one, range(calls)))


def test_a_hundred_calls_at_once_in_three_processes_never_exceed(staffed: Platform) -> None:
    Limits(staffed).set(40, measure="requests", per="month")
    budget = Budgets(staffed).set(0.02, per="month", member="ann")
    processes = meters(staffed, 3)
    passed = storm(processes, 100)
    for meter in processes:
        meter.flush(release=True)
    spent = Budgets(staffed).get(budget.id)
    assert 10 <= passed <= 28, "20 fit if all are held at once, 28 if each is settled before the next"
    assert spent.spent == pytest.approx(passed * 0.0007) and spent.held == 0 and spent.spent <= 0.02
    [limit] = Limits(staffed).list_().items
    assert (limit.spent, limit.held) == (passed, 0)
    [row] = Usages(staffed).report(by="member,model")
    assert (row.requests, row.nanodollars, row.estimated, row.member) == (passed, passed * 700_000, 0, "ann")
    for meter in processes:
        meter.close()
    assert not list((staffed.home / "meters").iterdir())


def test_every_level_must_allow_and_the_refusal_names_it(staffed: Platform, clock) -> None:
    Limits(staffed).set(1_000, measure="tokens", per="hour")
    budget = Budgets(staffed).set(0.0025, per="day", environment="production")
    [meter] = meters(staffed, 1)
    for index in range(3):
        meter.settle(meter.reserve(str(index), PAYER, CALL), USED)
    with pytest.raises(BudgetSpent, match=r"budget of \$0.0025 a day of the environment production") as refused:
        meter.reserve("4", PAYER, CALL)
    assert refused.value.details["resets_at"] == "2026-01-03T00:00:00Z"
    assert 75_000 < refused.value.details["retry_after"] <= 75_355
    with pytest.raises(LimitReached, match="up to 2000 tokens, which is over the limit of 1000 tokens"):
        meter.reserve("5", PAYER, Need(requests=1, input_tokens=1_000, output_tokens=1_000))
    clock.advance(days=1)
    meter.settle(meter.reserve("6", PAYER, CALL), USED)
    meter.flush()
    assert Budgets(staffed).get(budget.id).spent == pytest.approx(0.0007)
    with staffed.read() as tx:
        told = tx.execute(select(events.c.payload).where(events.c.topic == "budget.reached")).scalars().all()
    assert [(event["percent"], event["name"]) for event in told] == [(100, "production")]
    meter.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.contract.test_metering_contract import CALL, PAYER, USED, opened
from mainspring.serving.metering import Meter
platform = opened(Path(sys.argv[1]), sys.argv[2])
meter = Meter(platform, flush_seconds=0)
for index in range(30):
    ticket = meter.reserve(f"{index}", PAYER, CALL)
    if index % 10 < 8:
        meter.settle(ticket, USED)
    if index == 12:
        meter.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def opened(home: Path, url: str) -> Platform:
    """Open the same home in another process."""
    from tests.conftest import CountingIds, TickingClock

    from mainspring.backends.records_postgres import open_records as open_postgres
    from mainspring.backends.records_sqlite import open_records as open_sqlite
    from mainspring.kernel import settings
    from mainspring.kernel.keyring import Keyring

    config = settings.load({"home": str(home), "records.url": url}, environ={}, folder=home)
    clock, ids = TickingClock(), CountingIds()
    ids.count = 5_000_000
    records = (open_postgres if url else open_sqlite)(url, home, config)
    return Platform(home, config, clock, ids, Keyring(b"k" * 32), records, None)  # type: ignore[arg-type]


def test_a_kill_leaves_settled_calls_exact_and_bills_those_in_flight(staffed: Platform, records_url: str) -> None:
    budget = Budgets(staffed).set(1.0, per="month")
    root = Path(__file__).resolve().parents[2]
    environ = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}
    command = [sys.executable, "-c", KILLED, str(staffed.home), records_url]
    done = subprocess.run(command, env=environ, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert recover(staffed) == 1
    assert recover(staffed) == 0
    [row] = Usages(staffed).report(by="")
    assert (row.requests, row.estimated) == (30, 6)
    assert row.nanodollars == 24 * USED.cost + 6 * CALL.cost
    shown = Budgets(staffed).get(budget.id)
    assert (shown.spent, shown.held) == (row.cost, 0)
