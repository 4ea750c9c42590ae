"""Addresses: which hosts a URL that somebody typed in may lead to.

A name is resolved first and its addresses are checked, so that it cannot point inwards; whoever calls connects to the
checked address, so that it cannot change between the check and the call.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from mainspring.kernel.errors import Denied, Invalid, Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_url(url: str, *, secrets: str = "Keep secrets out of URLs.") -> SplitResult:
    """Return the parts of a URL that may be called; `secrets` says where a password belongs. Raises Invalid."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("The URL is not valid.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise Invalid("The URL is not valid.", hint="Give http://host/path or https://host/path.")
    if parts.username or parts.password:
        raise Invalid("The URL holds a user or a password.", hint=secrets)
    if any(ord(character) <= 32 or ord(character) > 126 for character in url):
        raise Invalid("The URL holds characters that a URL may not.", hint="Percent-encode them.")
    return parts


def resolve(host: str, port: int, *, allow_private: bool, setting: str) -> str:
    """Return an address of the host that may be called; all of its addresses must be such.

    `setting` is the one that lets inner addresses be called, for the hint.

    Raises Denied for an inner address, Unavailable for a name that no address belongs to.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unavailable(f"The name {host} has no address.") from None
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not permitted(address, allow_private=allow_private):
            raise Denied(
                f"{host} is an inner address.",
                hint=f"An administrator can set {setting} to let such calls reach loopback and private addresses.",
            )
    return addresses[0]


def permitted(address: str, *, allow_private: bool) -> bool:
    """Tell whether an address may be called: a public one; with `allow_private` also a private one or loopback.

    Link-local addresses, where clouds serve credentials, are never permitted, nor is what is no single host.
    """
    ip: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or _nat64(ip)
        if inner is not None:
            return permitted(str(inner), allow_private=allow_private)
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return False
    if ip.is_loopback or ip.is_private:
        return allow_private
    return ip.is_global and not ip.is_reserved


def _nat64(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    inside = ip in ipaddress.ip_network("64:ff9b::/96")
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if inside else None
