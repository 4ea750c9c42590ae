"""An engine that answers in words of its own: enough of llama.cpp's protocol for a page to stream from."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mainspring.kernel.ports import Endpoint, EngineSpec, EngineState

WORDS = ("You", " asked: ")


class Talker(BaseHTTPRequestHandler):
    """Streams back the last message of what it is asked."""

    def do_POST(self) -> None:
        """Answer one call."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for event in events(body["messages"]):
            self.wfile.write(f"data: {event}\n\n".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


def events(messages: list[dict[str, str]]) -> Iterator[str]:
    """Yield the events of an answer."""
    words = [*WORDS, *messages[-1]["content"].split(" ")]
    for word in words:
        yield json.dumps({"choices": [{"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}]})
    yield json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield json.dumps({"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": len(words)}})
    yield "[DONE]"


class TalkingEngine:
    """The Engine port over one such server."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Talker)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def ensure(self, spec: EngineSpec) -> Endpoint:
        """Return the server, whatever is asked for."""
        return Endpoint(f"http://127.0.0.1:{self._server.server_address[1]}", "engine-key")

    def stop(self, spec: EngineSpec) -> bool:
        """Do nothing."""
        return False

    def list(self) -> list[EngineState]:
        """Show no engine."""
        return []

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
