"""Listing: what a key may name in `model`."""

from __future__ import annotations

from mainspring.kernel import versions
from mainspring.kernel.access import Caller
from mainspring.kernel.errors import NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.tx import Tx
from mainspring.serving import deployments
from mainspring.serving.routing.plans import routes
from mainspring.workspace import within

_MOST = 1000
Named = tuple[str, int]
"""A name, and when it was made, in Unix seconds."""


def models(platform: Platform, caller: Caller) -> list[Named]:
    """Return deployments and routes of the caller's environment, then releases and models, as the key may use them."""
    with platform.read() as tx:
        found: list[Named] = []
        if caller.may("deployment.use"):
            moves, _ = deployments.page(tx, caller.environment, _MOST)
            found += [(move.name, int(move.moved_at.timestamp())) for move in moves if move.state == "active"]
            named = routes.known(tx, caller.environment).values()
            found += [(route.name, int(route.moved_at.timestamp())) for route in named]
        for kind in ("release", "model"):
            if caller.may(f"{kind}.use"):
                found += _latest(tx, kind)
    allowed = [named for named in found if within(caller.models, named[0])]
    embeds = platform.embed_port is not None and caller.may("model.use")
    if embeds and within(caller.models, f"model/{platform.embed.name}"):
        allowed.append((platform.embed.name, 0))
    return allowed


def model(platform: Platform, caller: Caller, name: str) -> Named:
    """Return one of them. Raises NotFound."""
    for found in models(platform, caller):
        if found[0] == name:
            return found
    raise NotFound(f"There is no model {name[:200]}.", hint="GET /v1/models lists what there is.", param="model")


def _latest(tx: Tx, kind: str) -> list[Named]:
    return [(version.ref, int(version.created_at.timestamp())) for version in versions.names(tx, kind, _MOST)[0]]
