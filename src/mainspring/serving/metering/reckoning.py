"""Reckoning: the most that a call may use, and what it has used."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mainspring.kernel.ports import JSON, EngineSpec
from mainspring.serving.cache.models import Hit
from mainspring.serving.exchange import Exchange
from mainspring.serving.metering.leases import Ticket
from mainspring.serving.metering.models import Amounts, Need, Payer
from mainspring.serving.models import Target
from mainspring.traces import Price, Tokens

_encode = msgspec.json.Encoder().encode
LOCAL = "mainspring"
"""The provider of local models: they cost nothing unless a price says otherwise."""
MAX_TOKENS = 4096
"""Tokens of an answer that a model elsewhere is asked for where nobody says how many."""
_FRAME = 256
"""Tokens that a chat template adds at most: a system message of the model's own, and marks."""
_EACH = 16
"""Tokens that a chat template adds at most for one message."""
_IMAGE = 20_000
"""Tokens of an image at most, beside its bytes."""
_TOKENS = 1 << 31
"""Tokens of one call that are counted at most."""
_NANO = 10**14
"""Nanodollars of one call that are counted at most: a hundred thousand dollars."""
_GUESS = 3
"""Bytes of text for one token, where nobody counted them."""


def payer_of(exchange: Exchange) -> Payer:
    """Return whose allowances cover a call."""
    target, origin = exchange.target, exchange.question.origin
    return Payer(
        target.project,
        target.environment,
        origin.key_id,
        origin.member,
        target.deployment,
        target.model,
        target.provider,
    )


def need_of(exchange: Exchange, body: Mapping[str, JSON]) -> Need:
    """Return the most that a call may use, and note in it how much the model is asked."""
    exchange.asked, exchange.images = len(_encode(body)), _images(body)
    if exchange.hit is not None:
        return Need(requests=1, hits=1)
    sent = exchange.asked + _FRAME + _EACH * len(body.get("messages") or ()) + _IMAGE * exchange.images
    return _most(exchange.target, sent, _asked(body), exchange.images)


def bounded(exchange: Exchange, ticket: Ticket, body: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """Return what is asked, with an end to the answer where nobody named one and something counts its tokens."""
    if _asked(body) is None and exchange.target.provider != LOCAL:
        for lease, _ in ticket.takes:
            if lease.allowance.measure != "requests":
                return {**body, "max_tokens": MAX_TOKENS}
    return body


def used_by(exchange: Exchange, need: Need, *, given_up: bool) -> Amounts:
    """Return what a call used, estimated and noted in it where nobody counted its tokens."""
    if exchange.hit is not None:
        return _spared(exchange.hit, exchange.target.price)
    if exchange.usage.total == 0:
        exchange.usage = _estimate(exchange, need, given_up=given_up)
        exchange.estimated = exchange.usage.total > 0
    if exchange.images:
        exchange.usage = msgspec.structs.replace(exchange.usage, images=exchange.images)
    price, provider = exchange.target.price, exchange.target.provider
    unpriced = price is None and provider != LOCAL
    return _used(exchange.usage, exchange.nano, unpriced, exchange.estimated)


def amounts(used: Tokens, price: Price | None, provider: str) -> Amounts:
    """Return what one call used, with its cost."""
    return _used(used, price.nano(used) if price else 0, price is None and provider != LOCAL, False)


def _used(used: Tokens, nano: int, unpriced: bool, estimated: bool) -> Amounts:
    # Whatever a server claims: a sum that no database holds would keep every project's usage from being written.
    return Amounts(
        requests=1,
        estimated=int(estimated),
        unpriced=int(unpriced),
        input_tokens=min(used.input_tokens, _TOKENS),
        output_tokens=min(used.output_tokens, _TOKENS),
        cached_tokens=min(used.cached_tokens, _TOKENS),
        cost=min(nano, _NANO),
    )


def _spared(hit: Hit, price: Price | None) -> Amounts:
    """Return what a call used that the cache answered: nothing, and what it would have cost."""
    return Amounts(requests=1, hits=1, saved=min(price.nano(hit.usage), _NANO) if price else 0)


def _asked(body: Mapping[str, JSON]) -> int | None:
    """Return how many tokens the answer may have at most, as the request says."""
    tokens, completion = int(body.get("max_tokens") or 0), int(body.get("max_completion_tokens") or 0)
    return (min(tokens, completion) if tokens and completion else tokens or completion) or None


def _images(body: Mapping[str, JSON]) -> int:
    """Return how many images a request holds."""
    found = 0
    for message in body.get("messages") or ():
        content = message.get("content")
        if isinstance(content, list):
            found += sum(part.get("type") == "image_url" for part in content)
    return found


def _most(target: Target, sent: int, made: int | None, images: int) -> Need:
    """Return the most that a call may use, with `sent` tokens at most and `made` of them in its answer.

    No token is shorter than a byte, and the answer's length is bounded.
    """
    if isinstance(target.spec, EngineSpec):
        # A local model reads and writes no more than its context.
        context = target.spec.context
        sent = min(sent, context)
        made = min(made or context, context)
    price = target.price
    return Need(
        requests=1,
        estimated=1,
        unpriced=int(price is None and target.provider != LOCAL),
        input_tokens=sent,
        output_tokens=made or MAX_TOKENS,
        cost=price.most(sent, made or MAX_TOKENS, images) if price else 0,
    )


def _estimate(exchange: Exchange, need: Need, *, given_up: bool) -> Tokens:
    """Return what a call used whose tokens nobody counted.

    From the text where an answer was heard, or where one that streams was given up before; all that was reserved where
    a whole answer was given up, which the model may have written in the meantime; nothing where the model refused.
    """
    sent = min(need.input_tokens, -(-exchange.asked // _GUESS))
    if exchange.heard or exchange.answered or (given_up and exchange.streams):
        return Tokens(input_tokens=sent, output_tokens=min(need.output_tokens, -(-exchange.heard // _GUESS)))
    if given_up:
        return Tokens(input_tokens=need.input_tokens, output_tokens=need.output_tokens)
    return Tokens()
