"""Prices: the table that a call's cost is computed from. Append-only; the newest row of a model is in force."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, func, insert, select

from mainspring.kernel.tx import Tx
from mainspring.traces.models import Price
from mainspring.traces.tables import prices


def put(tx: Tx, model: str, input_per_million: float, output_per_million: float, cached: float | None) -> Price:
    """Set the price of a model from now on."""
    values: dict[str, Any] = {
        "id": tx.new_id(),
        "project": tx.project,
        "model": model,
        "input_per_million": input_per_million,
        "output_per_million": output_per_million,
        "cached_per_million": cached,
        "created_at": tx.now,
        "created_by": tx.caller.member,
    }
    tx.execute(insert(prices).values(**values))
    return Price(**{name: values[name] for name in Price.model_fields})


def in_force(tx: Tx) -> dict[str, Price]:
    """Return the prices in force, by model."""
    newest = select(func.max(prices.c.id)).where(prices.c.project == tx.project).group_by(prices.c.model)
    rows = tx.execute(select(prices).where(prices.c.id.in_(newest)).order_by(prices.c.model).limit(10_000)).mappings()
    return {row["model"]: as_price(row) for row in rows}


def price_of(table: dict[str, Price], model: str) -> Price | None:
    """Return the price of a model: its own, else that of the longest beginning that ends in *."""
    if model in table:
        return table[model]
    fits = [name for name in table if name.endswith("*") and model.startswith(name[:-1])]
    return table[max(fits, key=len)] if fits else None


def as_price(row: RowMapping) -> Price:
    """Make the record of a row."""
    return Price(**{name: row[name] for name in Price.model_fields})
