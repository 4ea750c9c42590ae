"""Billing: the gateway's two calls into metering. A call reserves before a model is asked, and settles at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from mainspring.kernel.errors import LimitReached
from mainspring.kernel.ports import JSON
from mainspring.serving.exchange import Exchange
from mainspring.serving.metering.leases import Ticket
from mainspring.serving.metering.meter import Meter
from mainspring.serving.metering.models import Amounts, Need, Payer
from mainspring.serving.metering.reckoning import LOCAL, amounts, bounded, need_of, payer_of, used_by
from mainspring.traces import Tokens

_PATIENCE = 120.0
"""Seconds that a call of a batch waits, in all, for an allowance that has room again within a minute."""
_SOON = 60.0


class Billing:
    """Reserves and settles calls of one event loop."""

    def __init__(self, meter: Meter, *, batch: bool = False) -> None:
        """With `batch` the calls are those of runs: what costs nothing goes uncounted, and limits are waited out."""
        self._meter = meter
        self._batch = batch
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="billing")

    def at_once(self, exchange: Exchange, body: Mapping[str, JSON]) -> Mapping[str, JSON] | None:
        """Do what `reserve` does where this process holds enough, without waiting; None where it does not."""
        if self._batch:
            return None
        ticket = exchange.ticket = self._meter.attempt(exchange.call, payer_of(exchange), need_of(exchange, body))
        if ticket is None:
            return None
        return body if exchange.hit is not None else bounded(exchange, ticket, body)

    async def reserve(self, exchange: Exchange, body: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """Reserve the most that a call may use; `body` is what the model is to be asked, and what is returned is asked.

        Raises LimitReached, BudgetSpent, Conflict (a budget over a model without a price) or Unavailable.
        """
        if self._batch:
            target = exchange.target
            return body if target.price is None and target.provider == LOCAL else await self._patient(exchange, body)
        ticket = exchange.ticket = await self.hold(exchange.call, payer_of(exchange), need_of(exchange, body))
        return body if exchange.hit is not None else bounded(exchange, ticket, body)

    async def _patient(self, exchange: Exchange, body: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """Reserve what a call of a batch may use, and wait where there is room again soon."""
        call, payer, need, waited = exchange.call, payer_of(exchange), need_of(exchange, body), 0.0
        while True:
            try:
                exchange.ticket = await self.hold(call, payer, need)
                return bounded(exchange, exchange.ticket, body)
            except LimitReached as error:
                pause = float(error.details.get("retry_after", 0))
                if not error.details.get("fits", True) or not 0 < pause <= _SOON or waited + pause > _PATIENCE:
                    raise
            waited += pause
            await asyncio.sleep(pause)

    async def admit(self, exchange: Exchange) -> None:
        """Count a request that uses no tokens, whatever comes of it. Raises LimitReached or Unavailable."""
        ticket = await self.hold(exchange.call, payer_of(exchange), Need(requests=1))
        self._meter.settle(ticket, Amounts(requests=1))

    async def hold(self, call: str, payer: Payer, need: Need) -> Ticket:
        """Reserve what a call needs, off the event loop where the records have to be asked."""
        return self._meter.attempt(call, payer, need) or await self._leased(call, payer, need)

    async def _leased(self, call: str, payer: Payer, need: Need) -> Ticket:
        asked: Future[Ticket] = self._threads.submit(self._meter.reserve, call, payer, need)
        try:
            return await asyncio.shield(asyncio.wrap_future(asked))
        except asyncio.CancelledError:
            asked.add_done_callback(self._undo)
            raise

    def settle(self, exchange: Exchange, *, given_up: bool = False) -> None:
        """Count what a call used; `given_up` says that nobody waited for its end. Settling it again changes nothing."""
        ticket = exchange.ticket
        if ticket is None or ticket.settled:
            return
        self._meter.settle(ticket, used_by(exchange, ticket.need, given_up=given_up))

    def count(self, ticket: Ticket, used: Tokens) -> None:
        """Settle a call to a local model that no exchange stands for."""
        self._meter.settle(ticket, amounts(used, None, ticket.payer.provider))

    def close(self) -> None:
        """End the threads, and write what was used."""
        self._threads.shutdown()
        self._meter.close()

    def _undo(self, asked: Future[Ticket]) -> None:
        if asked.exception() is None:
            self._meter.settle(asked.result(), Amounts())
