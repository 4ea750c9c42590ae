"""Budgets against a plain model of them: processes call, write, pause and are killed at random; nothing is ever lost,
and what is spent never exceeds what is allowed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, func, select

from mainspring.kernel.errors import LimitReached
from mainspring.kernel.platform import Platform
from mainspring.serving.metering import Limits, Meter, Need, Payer, Ticket, recover
from mainspring.serving.metering.models import Amounts
from mainspring.serving.metering.tables import allowances, leases, meters, usage_hours, windows

AMOUNT = 1_000
PROCESSES = 3
SIZES = st.integers(1, 300)


@dataclass
class Process:
    """A process as the model sees it."""

    meter: Meter
    flying: list[tuple[Ticket, int]] = field(default_factory=list)


def kill(meter: Meter) -> None:
    """End a process as a signal does: its locks are gone, its memory too, its journal stays as it is."""
    journal, meter._journal = meter._journal, None
    if journal is not None:
        os.close(journal._file)
        os.close(journal._lock)


def machine(platform: Platform) -> type[RuleBasedStateMachine]:
    numbers = iter(range(10**9))
    payer = Payer("default", "production", "k", "ann", "docs", "model/m@1", "mainspring")

    class Books(RuleBasedStateMachine):
        """One limit of tokens, three processes."""

        @initialize()
        def begin(self) -> None:
            with platform.begin() as tx:
                for table in (allowances, windows, meters, leases, usage_hours):
                    tx.execute(delete(table))
            Limits(platform).set(AMOUNT, measure="tokens", per="month")
            self.processes = [Process(Meter(platform, flush_seconds=0)) for _ in range(PROCESSES)]
            self.spent = self.requests = self.estimated = 0

        @rule(which=st.integers(0, PROCESSES - 1), size=SIZES)
        def ask(self, which: int, size: int) -> None:
            process = self.processes[which]
            held = sum(reserved for each in self.processes for _, reserved in each.flying)
            try:
                ticket = process.meter.reserve(
                    str(next(numbers)), payer, Need(requests=1, estimated=1, input_tokens=size)
                )
            except LimitReached as refused:
                assert "1000 tokens a month" in refused.message
                return
            assert self.spent + held + size <= AMOUNT
            process.flying.append((ticket, size))

        @rule(which=st.integers(0, PROCESSES - 1), share=st.floats(0, 1))
        def end(self, which: int, share: float) -> None:
            process = self.processes[which]
            if process.flying:
                ticket, size = process.flying.pop(0)
                used = int(size * share)
                process.meter.settle(ticket, Amounts(requests=1, input_tokens=used))
                process.meter.settle(ticket, Amounts(requests=1, input_tokens=size))
                self.spent += used
                self.requests += 1

        @rule(which=st.integers(0, PROCESSES - 1), release=st.booleans())
        def write(self, which: int, release: bool) -> None:
            self.processes[which].meter.flush(release=release)

        @rule(which=st.integers(0, PROCESSES - 1))
        def killed(self, which: int) -> None:
            process = self.processes[which]
            kill(process.meter)
            self.spent += sum(size for _, size in process.flying)
            self.requests += len(process.flying)
            self.estimated += len(process.flying)
            self.processes[which] = Process(Meter(platform, flush_seconds=0))

        @rule()
        def recovered(self) -> None:
            recover(platform)

        @invariant()
        def never_exceeds(self) -> None:
            with platform.read() as tx:
                row = tx.execute(select(windows)).mappings().one_or_none()
            if row is not None:
                assert row["spent"] <= self.spent <= AMOUNT
                assert row["leased"] >= 0 and row["spent"] + row["leased"] <= AMOUNT

        def teardown(self) -> None:
            if not hasattr(self, "processes"):
                return
            for process in self.processes:
                for ticket, size in process.flying:
                    process.meter.settle(ticket, Amounts(requests=1, input_tokens=size))
                    self.spent += size
                    self.requests += 1
                process.meter.close()
            recover(platform)
            sums = [
                func.coalesce(func.sum(usage_hours.c[name]), 0) for name in ("requests", "estimated", "input_tokens")
            ]
            with platform.read() as tx:
                row = tx.execute(select(windows)).mappings().one_or_none()
                used = tx.execute(select(*sums)).one()
                assert tx.execute(select(func.count()).select_from(leases)).scalar_one() == 0
            assert tuple(used) == (self.requests, self.estimated, self.spent)
            assert row is None or (row["spent"], row["leased"]) == (self.spent, 0)
            assert not list((platform.home / "meters").glob("*"))

    return Books


def test_the_books_are_right_whoever_is_killed(platform: Platform) -> None:
    run_state_machine_as_test(
        machine(platform), settings=settings(max_examples=25, stateful_step_count=30, deadline=None)
    )


def test_after_a_loss_of_power_the_lease_counts_as_spent(platform: Platform) -> None:
    Limits(platform).set(AMOUNT, measure="tokens", per="month")
    meter = Meter(platform, flush_seconds=0)
    payer = Payer("default", "production", "k", "ann")
    meter.settle(meter.reserve("1", payer, Need(requests=1, input_tokens=10)), Amounts(requests=1, input_tokens=10))
    folder = next((platform.home / "meters").iterdir())
    kill(meter)
    (folder / "lock").write_text("another start of the machine")
    (folder / "journal").write_bytes(b'[1,"held"')
    assert recover(platform) == 1
    [limit] = Limits(platform).list_().items
    assert (limit.spent, limit.held) == (AMOUNT // 64, 0)
