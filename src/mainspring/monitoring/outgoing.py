"""Outgoing calls to URLs that people typed in: resolved first, checked, then connected to the checked address.

So a name cannot point inwards, nor change between the check and the call. Redirects are not followed, proxies of the
environment are not used, and what comes back is read only so far.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from mainspring.kernel.errors import Denied, Invalid, Unavailable

_SECONDS = 10.0
_READ = 4096
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_url(url: str) -> SplitResult:
    """Return the parts of a URL that may be called. Raises Invalid."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("The URL is not valid.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise Invalid("The URL is not valid.", hint="Give http://host/path or https://host/path.")
    if parts.username or parts.password:
        raise Invalid(
            "The URL holds a user or a password.", hint="Give a secret to the channel: it signs what is sent."
        )
    if any(ord(character) <= 32 or ord(character) > 126 for character in url):
        raise Invalid("The URL holds characters that a URL may not.", hint="Percent-encode them.")
    return parts


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> int:
    """Send a POST and return the status. Raises Denied for an inner address, Unavailable where nobody answers."""
    parts = check_url(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = resolve(host, port, allow_private=allow_private)
    connection = _Connection(host, port, address, secure=parts.scheme == "https")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body=body, headers={**headers, "user-agent": "mainspring"})
        reply = connection.getresponse()
        reply.read(_READ)
        return reply.status
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{host} did not take the message: {type(error).__name__}.") from error
    finally:
        connection.close()


def resolve(host: str, port: int, *, allow_private: bool) -> str:
    """Return an address of the host that may be called; all of its addresses must be such.

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
                hint="Set webhook.allow_private to let webhooks reach loopback and private addresses.",
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


class _Connection(http.client.HTTPConnection):
    """A connection to an address that was checked, on behalf of a name."""

    def __init__(self, host: str, port: int, address: str, *, secure: bool) -> None:
        super().__init__(host, port, timeout=_SECONDS)
        self._address = address
        self._context = ssl.create_default_context() if secure else None
        if secure:
            self.default_port = 443

    def connect(self) -> None:
        """Connect to the checked address; TLS still verifies the name."""
        plain = socket.create_connection((self._address, self.port), _SECONDS)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host) if self._context else plain
