"""ClickHouse in a process: the in-process build behind as much of the HTTP interface as the real driver asks.

`python clickhouse_server.py FOLDER PORT` keeps its data in the folder and prints the port that it listens on.
"""

from __future__ import annotations

import re
import sys
import tempfile
import threading
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ONE_AT_A_TIME = threading.Lock()
INSERT = re.compile(rb"^\s*(INSERT INTO .+?) FORMAT (\w+)\s*?\n", re.DOTALL)
OUTPUT = re.compile(r"\sFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
NOT_SETTINGS = {
    *("query", "database", "session_id", "query_id", "default_format", "compress", "decompress"),
    *("wait_end_of_query", "buffer_size", "client_protocol_version", "role", "quota_key"),
}


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Answer a ping or a query in the address."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a query, or take what is inserted."""
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        address = urlsplit(self.path)
        body = self._body()
        if address.path == "/ping":
            self._send(200, b"Ok.\n")
            return
        options = dict(parse_qsl(address.query, keep_blank_values=True))
        if (kind := self.headers.get("Content-Type") or "").startswith("multipart/form-data"):
            form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=policy.HTTP)
            for part in form.iter_parts():
                options[str(part.get_param("name", header="content-disposition"))] = str(
                    part.get_payload(decode=True), "utf-8"
                )
            body = b""
        try:
            with ONE_AT_A_TIME:
                self._send(200, self.server.run(options, body))
        except Exception as error:
            self._send(500, str(error).encode())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Summary", "{}")
        self.send_header("X-ClickHouse-Format", "Native")
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """The session, and where it listens."""

    daemon_threads = True

    def __init__(self, folder: str, port: int) -> None:
        from chdb.session import Session

        super().__init__(("127.0.0.1", port), Handler)
        self._session = Session(folder)

    def run(self, options: dict[str, str], body: bytes) -> bytes:
        """Run one statement and return what it prints."""
        sql = options.get("query", "")
        with tempfile.NamedTemporaryFile() as sent:
            if inserted := INSERT.match(body):
                sent.write(body[inserted.end() :])
                sent.flush()
                sql = f"{inserted[1].decode()} SELECT * FROM file('{sent.name}', '{inserted[2].decode()}')"
            else:
                sql += body.decode()
            settings = {name: value for name, value in options.items() if name not in NOT_SETTINGS}
            params = {name[6:]: settings.pop(name) for name in list(settings) if name.startswith("param_")}
            printed = OUTPUT.search(sql)
            if printed:
                sql = sql[: printed.start()]
            if options.get("database"):
                self._session.query(f"USE `{options['database']}`")
            for name, value in settings.items():
                self._session.query(f"SET {name} = '{value}'")
            output = self._session.query(sql, printed[1] if printed else "TabSeparated", params=params)
            return bytes(output.bytes()) if output is not None else b""


if __name__ == "__main__":
    server = Server(str(Path(sys.argv[1])), int(sys.argv[2]))
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
