"""Operations of the price table."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from mainspring.kernel.errors import NotFound
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Page, paginate
from mainspring.kernel.service import Service
from mainspring.traces import prices as price_table
from mainspring.traces.models import Estimate, Word, aware
from mainspring.traces.pricing import Dollars, Model, Price, Provider, Tiers
from mainspring.traces.tables import prices
from mainspring.traces.tokens import Tokens

Count = Annotated[int, Field(ge=0, lt=1 << 40)]


class Prices(Service):
    """What calls cost."""

    noun = "price"

    @operation("GET /prices", permission="price.read")
    def list_(self, *, at: datetime | None = None) -> list[Price]:
        """List the prices in force, now or at another moment, by model."""
        with self.read() as tx:
            return price_table.book(tx).in_force(aware(at) or tx.now)

    @operation("POST /prices", permission="price.write", status=201)
    def set(
        self,
        model: Model,
        *,
        input_per_million: Dollars,
        output_per_million: Dollars,
        cached_per_million: Dollars | None = None,
        cache_write_per_million: Dollars | None = None,
        cache_write_1h_per_million: Dollars | None = None,
        reasoning_per_million: Dollars | None = None,
        per_request: Dollars = 0.0,
        per_image: Dollars = 0.0,
        tiers: Tiers = [],  # noqa: B006
        provider: Provider = "",
        holds_from: datetime | None = None,
    ) -> Price:
        """Set what a model's calls cost, in US dollars, from now or another moment on; `gpt*` prices every such model.

        Calls that are billed already keep their cost. Rates for a million tokens may have 6 digits behind the point.
        """
        with self.begin() as tx:
            price = Price(
                provider=provider,
                model=model,
                input_per_million=input_per_million,
                output_per_million=output_per_million,
                cached_per_million=cached_per_million,
                cache_write_per_million=cache_write_per_million,
                cache_write_1h_per_million=cache_write_1h_per_million,
                reasoning_per_million=reasoning_per_million,
                per_request=per_request,
                per_image=per_image,
                tiers=tiers,
                holds_from=aware(holds_from) or tx.now,
                created_at=tx.now,
                created_by=tx.caller.member,
            )
            return price_table.put(tx, price)

    @operation("GET /prices/history", permission="price.read")
    def history(self, *, model: Word = "", limit: Limit = 100, cursor: Cursor = "") -> Page[Price]:
        """List every price that was ever set, of one model or of all, newest first."""
        with self.read() as tx:
            query = select(prices).where(prices.c.project == tx.project)
            if model:
                query = query.where(prices.c.model == model)
            rows, following = paginate(tx, query, prices.c.id, limit, cursor)
        return Page[Price](items=[price_table.as_price(row) for row in rows], next_cursor=following)

    @operation("GET /prices/estimate", permission="price.read", mcp=True)
    def estimate(
        self,
        model: Word,
        *,
        provider: Provider = "",
        input_tokens: Count = 0,
        output_tokens: Count = 0,
        cached_tokens: Count = 0,
        cache_write_tokens: Count = 0,
        cache_write_1h_tokens: Count = 0,
        reasoning_tokens: Count = 0,
        images: Count = 0,
        at: datetime | None = None,
    ) -> Estimate:
        """Say what a call would cost; input includes cached and written tokens, output includes reasoning."""
        tokens = Tokens(
            input_tokens,
            output_tokens,
            cached_tokens,
            cache_write_tokens,
            cache_write_1h_tokens,
            reasoning_tokens,
            images,
        )
        with self.read() as tx:
            price = price_table.book(tx).price(model, aware(at) or tx.now, provider=provider)
        if price is None:
            raise NotFound(f"{model} has no price.", hint="`mainspring price set` gives it one.")
        return Estimate(cost=price.cost(tokens), exact=format(price.exact(tokens), "f"), price=price)
