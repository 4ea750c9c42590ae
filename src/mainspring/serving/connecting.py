"""Connecting: where a connection leads, how it comes about, and how it fails."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

P = TypeVar("P", bound=asyncio.Protocol)


class Broken(ConnectionError):
    """The connection ended, or what came over it is no HTTP."""


class NoConnection(TimeoutError):
    """No connection came about in time."""


class Place(NamedTuple):
    """Where a connection leads."""

    secure: bool
    host: str
    port: int


async def connected(
    loop: asyncio.AbstractEventLoop,
    protocol: Callable[[], P],
    resolve: Callable[[str, int], Awaitable[str]],
    place: Place,
    tls: ssl.SSLContext | None,
    seconds: float,
) -> P:
    """Return a new connection. Raises NoConnection where it takes longer, OSError where it is refused."""
    try:
        async with asyncio.timeout(seconds):
            address = await resolve(place.host, place.port)
            name = place.host if tls is not None else None
            _, made = await loop.create_connection(protocol, address, place.port, ssl=tls, server_hostname=name)
    except TimeoutError:
        raise NoConnection(f"no connection within {seconds:g} s") from None
    return made


def place_of(url: str) -> tuple[Place, str]:
    """Return where a URL leads, and its path."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    return Place(secure, parts.hostname or "", parts.port or (443 if secure else 80)), parts.path
