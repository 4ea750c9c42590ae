"""Mail: an alert as a message over SMTP, to a server whose address was checked."""

from __future__ import annotations

import smtplib
import socket
import ssl
from email.message import EmailMessage
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from mainspring.kernel.errors import Invalid, Unavailable
from mainspring.monitoring.outgoing import cut_off, reachable

_PORTS = {"smtp": 587, "smtps": 465}
_SECONDS = 10.0
_HINT = "smtp://user:password@mail.example:587/?from=alerts@example.org&to=ops@example.org"


def check_place(url: str) -> SplitResult:
    """Return the parts of a mail server's URL. Raises Invalid for one that is none, or names no sender or receiver."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Invalid("That is no mail server.", hint=f"Give {_HINT}, or smtps://….", param="url")
    senders, receivers = _people(parts)
    if len(senders) != 1 or not 1 <= len(receivers) <= 20:
        raise Invalid("A mail has one sender and 1 to 20 receivers.", hint=f"Give {_HINT}.", param="url")
    for address in [*senders, *receivers]:
        if address.count("@") != 1 or any(char.isspace() or ord(char) < 32 for char in address):
            raise Invalid(f"'{address[:200]}' is no mail address.", hint=f"Give {_HINT}.", param="url")
    return parts


def send(url: str, message: dict[str, Any], *, allow_private: bool) -> int:
    """Send a message; return 200. Raises Denied for an inner address, Unavailable where the server does not take it.

    A login goes over TLS alone.
    """
    parts = check_place(url)
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    address = reachable(host, port, allow_private=allow_private)
    senders, receivers = _people(parts)
    mail = _mail(message, senders[0], receivers)
    server = _server(parts.scheme, host, port, address)
    try:
        with cut_off(lambda: server.sock), server:
            code, said = server.connect(host, port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, said)
            server.ehlo_or_helo_if_needed()
            if parts.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            if parts.username:
                if not isinstance(server.sock, ssl.SSLSocket):
                    raise Unavailable(
                        f"{host} offers no TLS, and the login is not sent without.", hint="Use smtps://…."
                    )
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        raise Unavailable(f"{host} did not take the mail: {type(error).__name__}.") from error
    return 200


def _mail(message: dict[str, Any], sender: str, receivers: list[str]) -> EmailMessage:
    alert = message["alert"]
    state = {"alert.resolved": "over", "alert.acknowledged": "acknowledged"}.get(message["type"], alert["severity"])
    mail = EmailMessage()
    # A line break in a title must not become a header.
    mail["Subject"] = " ".join(f"[{state}] {alert['title']}".split())[:200]
    mail["From"], mail["To"] = sender, ", ".join(receivers)
    mail["Message-ID"] = f"<{message['id']}@mainspring>"
    lines = [alert["summary"], ""]
    lines += [f"trace/{trace_id}" for trace_id in alert.get("trace_ids", [])]
    lines += [f"Project: {message['project']}", f"Alert: {alert.get('id', '')}"]
    mail.set_content("\n".join(lines))
    return mail


def _people(parts: SplitResult) -> tuple[list[str], list[str]]:
    asked = parse_qs(parts.query)
    split = [[one.strip() for text in asked.get(name, []) for one in text.split(",")] for name in ("from", "to")]
    return split[0], split[1]


def _server(scheme: str, host: str, port: int, address: str) -> smtplib.SMTP:
    context = ssl.create_default_context()

    class Checked(smtplib.SMTP):
        """Connects to the address that was checked; TLS still verifies the name."""

        def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
            plain = socket.create_connection((address, port), timeout)
            if scheme != "smtps":
                return plain
            secure = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
            self.sock = secure
            secure.do_handshake()
            return secure

    server = Checked(timeout=_SECONDS)
    # What `starttls` checks the certificate against: the library knows it where it connects at once alone.
    server._host = host  # type: ignore[attr-defined]
    return server
