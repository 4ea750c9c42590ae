"""Messages as channels take them: PagerDuty's events, Slack's text, and mail to a real SMTP server."""

from __future__ import annotations

import socket
import socketserver
import threading
from email import message_from_string

import pytest

from mainspring.kernel.errors import Invalid, Unavailable
from mainspring.monitoring import Channels, mail, outgoing
from mainspring.monitoring.messages import pager_duty, slack

MESSAGE = {
    "id": "m-1",
    "type": "alert.opened",
    "project": "default",
    "alert": {
        "id": "a-1", "title": "failures: error rate of docs\r\nBcc: eve@example.org", "summary": "5 of <9> failed.",
        "severity": "critical", "trace_ids": ["ab" * 16], "target": "docs",
    },
}  # fmt: skip


class Postbox(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as one mail takes."""

    def handle(self):
        self.wfile.write(b"220 post\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while (line := self.rfile.readline()) != b".\r\n":
                    text += line
                self.server.mails.append(text.decode())
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def postbox():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Postbox) as server:
        server.mails = []
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_mail_arrives_with_one_subject_and_no_header_of_strangers(postbox):
    url = f"smtp://127.0.0.1:{postbox.server_address[1]}/?from=alerts@example.org&to=ops@example.org,night@example.org"
    assert mail.send(url, MESSAGE, allow_private=True) == 200
    [text] = postbox.mails
    found = message_from_string(text)
    assert found["Subject"] == "[critical] failures: error rate of docs Bcc: eve@example.org"
    assert (found["Bcc"], found["To"]) == (None, "ops@example.org, night@example.org")
    assert f"trace/{'ab' * 16}" in found.get_payload()


def test_a_login_does_not_travel_in_the_clear(postbox):
    url = f"smtp://ann:secret@127.0.0.1:{postbox.server_address[1]}/?from=a@example.org&to=b@example.org"
    with pytest.raises(Unavailable, match="no TLS"):
        mail.send(url, MESSAGE, allow_private=True)
    assert postbox.mails == []


def test_a_server_that_is_not_there_is_said(platform):
    with socket.socket() as silent, pytest.raises(Unavailable, match="did not take the mail"):
        silent.bind(("127.0.0.1", 0))  # held, so that nobody else listens there meanwhile
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}/?from=a@example.org&to=b@example.org"
        mail.send(url, MESSAGE, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://mail.example",
        "smtp://mail.example/",
        "smtp://mail.example/?from=a@example.org",
        "smtp://mail.example/?from=a@example.org&to=nobody",
        "smtp://mail.example/?from=a@example.org&to=b@example.org%0d%0aBcc:c@example.org",
    ],
)
def test_a_mail_server_that_is_none_is_refused(platform, url):
    with pytest.raises(Invalid):
        Channels(platform).create("mail", url, kind="email")


def test_a_mail_channel_shows_its_host_alone(platform):
    url = "smtp://ann:secret@mail.example:587/?from=a@example.org&to=b@example.org"
    made = Channels(platform).create("mail", url, kind="email", min_severity="warning")
    assert (made.host, made.min_severity, made.signed) == ("mail.example", "warning", False)
    assert "secret" not in made.model_dump_json()


def test_pager_duty_is_told_by_one_key_from_the_beginning_to_the_end():
    opened = pager_duty(MESSAGE, "R0UT1NG")
    assert (opened["event_action"], opened["dedup_key"], opened["routing_key"]) == ("trigger", "a-1", "R0UT1NG")
    assert opened["payload"]["severity"] == "critical"
    for kind, action in (("alert.acknowledged", "acknowledge"), ("alert.resolved", "resolve")):
        told = pager_duty({**MESSAGE, "type": kind}, "R0UT1NG")
        assert (told["event_action"], told["dedup_key"], "payload" in told) == (action, "a-1", False)
    assert (
        pager_duty({**MESSAGE, "alert": {"title": "t", "summary": "s", "severity": "info"}}, "k")["dedup_key"] == "m-1"
    )


def test_slack_gets_no_markup_of_strangers():
    assert "5 of &lt;9&gt; failed." in slack(MESSAGE)["text"]


def test_pager_duty_without_a_routing_key_is_refused(platform):
    with pytest.raises(Invalid, match="routing key"):
        Channels(platform).create("pd", "https://events.example.org/v2/enqueue", kind="pagerduty")


@pytest.mark.parametrize("scheme", ["http", "https", "smtp", "smtps"])
def test_a_server_that_never_comes_to_an_end_holds_nobody_up(monkeypatch, scheme):
    monkeypatch.setattr(outgoing, "_WHOLE", 0.3)
    done = threading.Event()

    class Drip(socketserver.BaseRequestHandler):
        def handle(self):
            tls = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"
            begun = {"http": b"HTTP/1.1 200 OK\r\nx: ", "smtp": b"220-"}.get(scheme, tls)
            try:
                self.request.sendall(begun)
                while not done.wait(0.02):
                    self.request.sendall(b"y")
            except OSError:
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"{scheme}://127.0.0.1:{server.server_address[1]}/"
        with pytest.raises(Unavailable, match="did not take"):
            if scheme.startswith("smtp"):
                mail.send(f"{url}?from=a@example.org&to=b@example.org", MESSAGE, allow_private=True)
            else:
                outgoing.post(url, b"{}", {}, allow_private=True)
        done.set()
        server.shutdown()
