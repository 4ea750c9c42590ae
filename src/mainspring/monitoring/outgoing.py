"""Outgoing calls to URLs that people typed in: resolved first, checked, then connected to the checked address.

Redirects are not followed, proxies of the environment are not used, and what comes back is read only so far.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from mainspring.kernel.errors import Unavailable
from mainspring.safety.addresses import check_url, permitted, resolve

__all__ = ["SECRETS", "check_url", "permitted", "post", "reachable"]

SECRETS = "Give a secret to the channel: it signs what is sent."
_SECONDS = 10.0
_WHOLE = 30.0
"""Seconds for all of a call: each byte may come in time, and the last one never."""
_READ = 4096


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> int:
    """Send a POST and return the status. Raises Denied for an inner address, Unavailable where nobody answers."""
    parts = check_url(url, secrets=SECRETS)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = reachable(host, port, allow_private=allow_private)
    connection = _Connection(host, port, address, secure=parts.scheme == "https")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with cut_off(lambda: connection.sock):
            connection.request("POST", path, body=body, headers={**headers, "user-agent": "mainspring"})
            reply = connection.getresponse()
            reply.read(_READ)
            return reply.status
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{host} did not take the message: {type(error).__name__}.") from error
    finally:
        connection.close()


def reachable(host: str, port: int, *, allow_private: bool) -> str:
    """Return an address that messages may be sent to. Raises Denied for an inner one, Unavailable for none."""
    return resolve(host, port, allow_private=allow_private, setting="webhook.allow_private")


@contextmanager
def cut_off(connection: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Cut a connection off after a while, however much the other side goes on sending. Raises TimeoutError then."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        held = connection()
        if held is not None:
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(_WHOLE, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError("it took too long in all")


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
        if self._context is None:
            self.sock = plain
            return
        secure = self._context.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock = secure
        secure.do_handshake()
