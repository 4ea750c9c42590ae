"""The outbox: what happened, written in the transaction in which it happened, delivered at least once by the worker.

This is how a lower room acts upwards: it emits, and the rooms above have registered a handler.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import insert, select, update

from mainspring.kernel import access
from mainspring.kernel.tables import event_deliveries, events
from mainspring.kernel.tx import Tx

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform

    Handler = Callable[[Platform, dict[str, Any]], None]

H = TypeVar("H", bound=Callable[..., None])
MAX_ATTEMPTS = 12
_log = logging.getLogger(__name__)
_handlers: dict[str, dict[str, Handler]] = defaultdict(dict)


def on(topic: str, *, consumer: str) -> Callable[[H], H]:
    """Register a handler `(platform, payload) -> None` for a topic; it must bear being called twice."""

    def register(handler: H) -> H:
        _handlers[topic][consumer] = handler
        return handler

    return register


def emit(tx: Tx, topic: str, payload: dict[str, Any]) -> str:
    """Write an event and what is to be delivered of it within `tx`; return its id."""
    event_id = tx.new_id()
    row = {"id": event_id, "project": tx.project, "topic": topic, "payload": payload, "at": tx.now}
    tx.execute(insert(events).values(**row))
    for consumer in _handlers[topic]:
        tx.execute(
            insert(event_deliveries).values(
                event_id=event_id, consumer=consumer, state="pending", attempts=0, not_before=tx.now, error=""
            )
        )
    tx.platform.records.announce(tx.conn)
    return event_id


def deliver_due(platform: Platform, limit: int = 100) -> int:
    """Deliver what is due, oldest first; return how many deliveries were tried.

    A handler that fails is tried again after 1, 2, 4, … seconds (at most an hour), 12 times in all, then set aside.
    """
    d = event_deliveries.c
    with access.acting_as(access.system()), platform.read() as tx:
        query = select(event_deliveries, events).join(events, events.c.id == d.event_id)
        query = query.where(d.state == "pending", d.not_before <= tx.now).order_by(d.event_id).limit(limit)
        due = tx.execute(query).mappings().all()
    for row in due:
        handler = _handlers[row["topic"]].get(row["consumer"])
        with access.acting_as(access.system(row["project"])):
            attempts, error = row["attempts"] + 1, ""
            try:
                if handler is not None:
                    handler(platform, row["payload"])
            except Exception as problem:
                _log.warning("delivery of %s to %s failed", row["topic"], row["consumer"], exc_info=True)
                error = f"{type(problem).__name__}: {problem}"[:2000]
            state = "done" if not error else "dead" if attempts >= MAX_ATTEMPTS else "pending"
            with platform.begin() as tx:
                wait = timedelta(seconds=min(3600, 2 ** (attempts - 1)))
                change = update(event_deliveries).where(d.event_id == row["event_id"], d.consumer == row["consumer"])
                tx.execute(change.values(state=state, attempts=attempts, error=error, not_before=tx.now + wait))
    return len(due)
