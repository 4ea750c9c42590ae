"""Pricing: what a call costs, exactly.

Rates are decimal numbers, kept as whole picodollars (1e-12 of a dollar), so that no sum ever rounds. A call's cost is
rounded once, up, to whole nanodollars (a billionth of a dollar).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Annotated

from pydantic import Field, StringConstraints

from mainspring.kernel.errors import Invalid
from mainspring.kernel.records import Record
from mainspring.traces import counting
from mainspring.traces.tokens import Tokens

Dollars = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Model = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\s*]+\*?$")]
"""A model's name as spans give it; a trailing * stands for any ending."""
Provider = Annotated[str, StringConstraints(max_length=128, pattern=r"^\S*$")]
"""A provider's name as spans give it; empty for any."""
_MILLION, _ONE = 6, 12
"""Digits behind the point of a rate for a million tokens, and of one for a request or an image."""


class Rates(Record):
    """What tokens cost, in US dollars for a million."""

    input_per_million: Dollars
    output_per_million: Dollars
    cached_per_million: Dollars | None = None
    """For input tokens read from a cache; null: as other input tokens."""
    cache_write_per_million: Dollars | None = None
    """For input tokens written to a cache that lasts 5 minutes; null: as other input tokens."""
    cache_write_1h_per_million: Dollars | None = None
    """For input tokens written to a cache that lasts an hour; null: as those of 5 minutes."""
    reasoning_per_million: Dollars | None = None
    """For output tokens of reasoning; null: as other output tokens."""

    def pico(self, tokens: Tokens) -> int:
        """Return the picodollars of the tokens."""
        return counting.pico(tokens, self._each)

    @cached_property
    def _each(self) -> counting.Each:
        fresh, said = _whole(self.input_per_million, _MILLION), _whole(self.output_per_million, _MILLION)
        short = _whole(self.cache_write_per_million, _MILLION, fresh)
        long = _whole(self.cache_write_1h_per_million, _MILLION, short)
        read = _whole(self.cached_per_million, _MILLION, fresh)
        return fresh, read, short, long, said, _whole(self.reasoning_per_million, _MILLION, said)

    @cached_property
    def _dearest(self) -> tuple[int, int]:
        """Picodollars for one token at most: of the input, and of the output."""
        return max(self._each[:4]), max(self._each[4:])


class Tier(Rates):
    """Rates of calls with a long input: all tokens of such a call cost these."""

    above: Annotated[int, Field(ge=1, le=1 << 40)]
    """More input tokens than these, cached ones included."""


Tiers = Annotated[list[Tier], Field(max_length=16)]


class Price(Rates):
    """What calls of a model cost, from a moment on."""

    provider: str = ""
    """Only calls of this provider; empty: of any."""
    model: str
    per_request: Dollars = 0.0
    """US dollars for each call."""
    per_image: Dollars = 0.0
    """US dollars for each image that is sent."""
    tiers: Tiers = []
    holds_from: datetime
    created_at: datetime
    created_by: str

    def check(self) -> Price:
        """Return the price itself. Raises Invalid for more digits than are kept, and for a tier that is named twice."""
        for rates in (self, *self.tiers):
            _ = rates._each
        _whole(self.per_request, _ONE), _whole(self.per_image, _ONE)
        if len({tier.above for tier in self.tiers}) < len(self.tiers):
            raise Invalid("Two tiers begin above the same number of tokens.", hint="Leave one of them out.")
        return self

    def nano(self, tokens: Tokens) -> int:
        """Return the nanodollars of a call, rounded up."""
        return -(-self.pico(tokens) // 1000)

    def most(self, input_tokens: int, output_tokens: int, images: int = 0) -> int:
        """Return the most nanodollars that a call with at most so much can cost, whatever its tokens turn out to be."""
        each, image = self._once
        sent, made = self._dearest
        for tier in self._rising:
            if tier.above < input_tokens:
                sent, made = max(sent, tier._dearest[0]), max(made, tier._dearest[1])
        return -(-(each + image * images + sent * input_tokens + made * output_tokens) // 1000)

    def cost(self, tokens: Tokens) -> float:
        """Return the US dollars of a call, rounded up to a billionth."""
        return self.nano(tokens) / 1e9

    def exact(self, tokens: Tokens) -> Decimal:
        """Return the US dollars of a call, not rounded at all."""
        return Decimal(self.pico(tokens)).scaleb(-_ONE)

    def pico(self, tokens: Tokens) -> int:
        """Return the picodollars of a call."""
        rates: Rates = self
        for tier in self._rising:
            if tokens.input_tokens > tier.above:
                rates = tier
        each, image = self._once
        return each + image * tokens.images + counting.pico(tokens, rates._each)

    @cached_property
    def _rising(self) -> list[Tier]:
        return sorted(self.tiers, key=lambda tier: tier.above)

    @cached_property
    def _once(self) -> tuple[int, int]:
        return _whole(self.per_request, _ONE), _whole(self.per_image, _ONE)


class PriceBook:
    """The prices of a project, past ones and coming ones too: a call is billed at the price of its moment."""

    def __init__(self, prices: Iterable[Price]) -> None:
        """Of two prices that hold from the same moment the later in `prices` counts."""
        self._held: dict[tuple[str, str], list[Price]] = {}
        for price in prices:
            self._held.setdefault((price.provider, price.model), []).append(price)
        for held in self._held.values():
            held.sort(key=lambda price: price.holds_from)
        self._patterns = sorted((key for key in self._held if key[1].endswith("*")), key=lambda key: -len(key[1]))

    def __bool__(self) -> bool:
        return bool(self._held)

    def price(self, model: str, at: datetime, *, provider: str = "") -> Price | None:
        """Return the price of a model's call at a moment; None where it has none.

        A price of the provider wins over one of any; then the model's own over the longest beginning that ends in *.
        """
        for owner in dict.fromkeys((provider, "")):
            found = self._at((owner, model), at)
            if found is not None:
                return found
            for key in self._patterns:
                if key[0] == owner and model.startswith(key[1][:-1]):
                    found = self._at(key, at)
                    if found is not None:
                        return found
        return None

    def in_force(self, at: datetime) -> list[Price]:
        """Return what holds at a moment, by model and provider."""
        found = [price for key in self._held if (price := self._at(key, at)) is not None]
        return sorted(found, key=lambda price: (price.model, price.provider))

    def _at(self, key: tuple[str, str], at: datetime) -> Price | None:
        held = self._held.get(key, ())
        return next((price for price in reversed(held) if price.holds_from <= at), None)


def _whole(rate: float | None, digits: int, otherwise: int = 0) -> int:
    """Return a rate in units of its last digit. Raises Invalid for a rate with more digits."""
    if rate is None:
        return otherwise
    # The shortest text of a float is what was written: 0.0375 means just that.
    scaled = Decimal(str(rate)).scaleb(digits)
    if scaled != int(scaled):
        raise Invalid(f"A price of {rate} has too many digits.", hint=f"Give at most {digits} behind the point.")
    return int(scaled)
