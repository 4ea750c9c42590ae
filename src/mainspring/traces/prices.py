"""Prices: the table that a call's cost is computed from. Append-only: a price holds from a moment until the next."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, insert, select

from mainspring.kernel.tx import Tx
from mainspring.traces.pricing import Price, PriceBook
from mainspring.traces.tables import prices

_KEPT = 10_000
_OWN = {"provider", "model", "holds_from", "created_at", "created_by"}


def put(tx: Tx, price: Price) -> Price:
    """Add a price to the project's table. Raises Invalid."""
    terms = price.check().model_dump(mode="json", exclude=_OWN)
    own = {name: getattr(price, name) for name in _OWN}
    tx.execute(insert(prices).values(id=tx.new_id(), project=tx.project, terms=terms, **own))
    return price


def book(tx: Tx) -> PriceBook:
    """Return the project's prices: the last 10,000 that were set."""
    mine = select(prices).where(prices.c.project == tx.project).order_by(prices.c.id.desc()).limit(_KEPT)
    return PriceBook(as_price(row) for row in reversed(tx.execute(mine).mappings().all()))


def as_price(row: RowMapping) -> Price:
    """Make the record of a row."""
    own: dict[str, Any] = {name: row[name] for name in _OWN}
    return Price(**row["terms"], **own)
