"""Prices: golden invoices worked by hand, moments, providers, and what the operations refuse."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.spans import Span
from mainspring.traces import Intake, Price, Prices, Tokens, anthropic_tokens, book, openai_tokens
from mainspring.traces.counting import span_attributes, span_tokens
from mainspring.traces.pricing import Tier

INVOICES = sorted((Path(__file__).parent / "invoices").glob("*.json"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("path", INVOICES, ids=lambda path: path.stem)
def test_a_vendors_usage_costs_what_was_worked_out_by_hand(path: Path) -> None:
    invoice = json.loads(path.read_text())
    tokens = {"openai": openai_tokens, "anthropic": anthropic_tokens}[invoice["format"]](invoice["usage"])
    tokens = replace(tokens, images=invoice.get("images", 0))
    price = Price(**invoice["price"], model="m", holds_from=NOW, created_at=NOW, created_by="ann").check()
    assert price.exact(tokens) == Decimal(invoice["total"])
    assert 0 <= Decimal(price.nano(tokens)).scaleb(-9) - Decimal(invoice["total"]) < Decimal("1e-9")


RATES = st.decimals(min_value=0, max_value=1000, places=6).map(float)
COUNTS = st.integers(0, 10**9)


@given(rates=st.tuples(RATES, RATES, RATES, RATES), counts=st.tuples(COUNTS, COUNTS, COUNTS, COUNTS))
def test_parts_never_exceed_their_whole_and_the_sum_is_that_of_decimals(rates, counts) -> None:
    fresh, said, read, thought = rates
    price = Price(
        model="m",
        input_per_million=fresh,
        output_per_million=said,
        cached_per_million=read,
        reasoning_per_million=thought,
        holds_from=NOW,
        created_at=NOW,
        created_by="ann",
    )
    total, cached, out, reasoning = counts
    tokens = Tokens(input_tokens=total, cached_tokens=cached, output_tokens=out, reasoning_tokens=reasoning)
    cached, reasoning = min(cached, total), min(reasoning, out)
    wanted = sum(
        Decimal(str(rate)) * count
        for rate, count in ((fresh, total - cached), (read, cached), (said, out - reasoning), (thought, reasoning))
    )
    assert price.exact(tokens) == wanted / 1_000_000


def test_a_call_is_billed_at_the_price_of_its_moment(platform, clock) -> None:
    prices, start = Prices(platform), clock.now()
    prices.set("m", input_per_million=1.0, output_per_million=0.0, holds_from=start - timedelta(days=2))
    prices.set("m", input_per_million=2.0, output_per_million=0.0)
    prices.set("m", input_per_million=4.0, output_per_million=0.0, holds_from=start + timedelta(days=2))
    prices.set("m", input_per_million=9.0, output_per_million=0.0, provider="acme", holds_from=start)
    prices.set("m*", input_per_million=7.0, output_per_million=0.0, holds_from=start)
    intake, costs = Intake(platform), []
    for days, model, provider in (
        (-3, "m", ""),
        (-1, "m", ""),
        (1, "m", ""),
        (3, "m", ""),
        (1, "m", "acme"),
        (1, "mm", ""),
    ):
        at = int((start + timedelta(days=days)).timestamp() * 1e9)
        own = {"trace_id": "1" * 32, "span_id": "1" * 16, "project": "default", "start_ns": at, "end_ns": at}
        costs.append(intake.cost(Span(**own, model=model, provider=provider, input_tokens=10**6)))
    assert costs == [None, 1.0, 2.0, 4.0, 9.0, 7.0]
    assert [(one.model, one.provider, one.input_per_million) for one in prices.list_()] == [
        ("m", "", 2.0),
        ("m", "acme", 9.0),
        ("m*", "", 7.0),
    ]
    assert [one.input_per_million for one in prices.list_(at=start + timedelta(days=3)) if not one.provider] == [
        4.0,
        7.0,
    ]
    assert [one.input_per_million for one in prices.history(model="m", limit=2).items] == [9.0, 4.0]


def test_an_estimate_says_what_it_was_computed_from(platform) -> None:
    prices = Prices(platform)
    prices.set("m", input_per_million=0.0375, output_per_million=1.0)
    found = prices.estimate("m", input_tokens=3)
    assert (found.exact, found.cost, found.price.model) == ("0.000000112500", 1.13e-07, "m")
    with pytest.raises(NotFound, match="has no price"):
        prices.estimate("other")
    with pytest.raises(Invalid, match="digits"):
        prices.set("m", input_per_million=0.00000001, output_per_million=1.0)
    tier = Tier(above=5, input_per_million=1.0, output_per_million=1.0)
    with pytest.raises(Invalid, match="Two tiers"):
        prices.set("m", input_per_million=1.0, output_per_million=1.0, tiers=[tier, tier])
    with platform.read() as tx:
        assert len(book(tx).in_force(tx.now)) == 1


def test_a_span_carries_what_its_fields_have_no_room_for() -> None:
    tokens = Tokens(90, 20, 10, 30, 40, 5, 2)
    span = Span(
        trace_id="1" * 32,
        span_id="1" * 16,
        project="p",
        start_ns=1,
        end_ns=1,
        input_tokens=90,
        output_tokens=20,
        cached_tokens=10,
        attributes=span_attributes(tokens),
    )
    assert span_tokens(span) == tokens
