"""Outgoing: an HTTP client for URLs that people typed in, which connects to checked addresses alone.

Redirects are the caller's to refuse; proxies of the environment are not used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import SplitResult

from mainspring.kernel.errors import Denied, MainspringError
from mainspring.safety.addresses import permitted, resolve

if TYPE_CHECKING:
    from aiohttp import ClientSession, ClientTimeout


def check_place(parts: SplitResult, *, keyed: bool, allow_private: bool, setting: str) -> None:
    """Refuse a URL whose host is an inner address, and one to which a key would travel unencrypted.

    Names are resolved only when they are called, so that one which comes to point inwards is refused then. `setting`
    is the one that lets inner addresses be called, for the hint. Raises Denied.
    """
    host = parts.hostname or ""
    if _is_address(host) and not permitted(host, allow_private=allow_private):
        resolve(host, parts.port or 443, allow_private=allow_private, setting=setting)
    if keyed and parts.scheme != "https" and not _is_loopback(host):
        raise Denied(f"The key of {host} would travel unencrypted.", hint="Use https.")


def session(*, allow_private: bool, setting: str, timeout: ClientTimeout, connections: int = 0) -> ClientSession:
    """Return a client of at most `connections` connections, 0 for any number; close it in its own event loop.

    A literal address is not looked up, and so not checked here: `check_place` does that.
    """
    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Checked(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            try:
                address = await asyncio.to_thread(resolve, host, port, allow_private=allow_private, setting=setting)
            except MainspringError as error:
                raise OSError(error.message) from error
            kind = socket.AF_INET6 if ":" in address else socket.AF_INET
            return [{"hostname": host, "host": address, "port": port, "family": kind, "proto": 0, "flags": 0}]

        async def close(self) -> None:
            return None

    connector = aiohttp.TCPConnector(limit=connections, resolver=Checked())
    headers = {"user-agent": "mainspring"}
    return aiohttp.ClientSession(timeout=timeout, connector=connector, headers=headers, trust_env=False)


def resolver(*, allow_private: bool, setting: str) -> Callable[[str, int], Awaitable[str]]:
    """Return what finds the address that a host is called at, for a client that connects by itself.

    A literal address is returned as it is: `check_place` has checked it. Raises Denied or Unavailable.
    """

    async def found(host: str, port: int) -> str:
        if _is_address(host):
            return host
        return await asyncio.to_thread(resolve, host, port, allow_private=allow_private, setting=setting)

    return found


def refusal(error: BaseException) -> MainspringError | None:
    """Return the refusal of an address that a client's error stands for, or None."""
    cause = getattr(getattr(error, "os_error", None), "__cause__", None)
    return cause if isinstance(cause, MainspringError) else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host.partition("%")[0]).is_loopback)
