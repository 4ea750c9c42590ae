"""An engine that answers in words of its own: enough of llama.cpp's protocol for a page to stream from."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mainspring.kernel.ports import Endpoint, EngineSpec, EngineState

WORDS = ("You", " asked: ")
STATES: tuple[dict[str, Any], ...] = (
    {
        "state": "ready",
        "pid": 4711,
        "restarts": 0,
        "rss_bytes": 209_000_000,
        "idle_seconds": 12.0,
        "keep_alive": 300.0,
        "memory_bytes": 260_000_000,
        "running": 3,
        "waiting": 1,
        "prompt_tokens": 41_200,
        "cached_tokens": 96_800,
        "generated_tokens": 18_340,
        "generation_seconds": 212.0,
        "cache_usage": 0.31,
    },
    {
        "state": "failed",
        "pid": 0,
        "restarts": 3,
        "rss_bytes": 0,
        "idle_seconds": 3600.0,
        "error": "It ended with status 1: the adapter does not fit its base.",
    },
)


class Talker(BaseHTTPRequestHandler):
    """Sends back the last message of what it is asked, as a stream where one is asked for."""

    def do_POST(self) -> None:
        """Answer one call."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        if not body.get("stream"):
            said = f"The package reads {body['messages'][-1]['content']}"
            choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
            whole = {"choices": [choice], "usage": {"prompt_tokens": 12, "completion_tokens": 3}}
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(whole).encode())
            return
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for event in events(body["messages"]):
            self.wfile.write(f"data: {event}\n\n".encode())

    def do_GET(self) -> None:
        """List the models, as a provider does."""
        ids = ["org/assistant-large", "org/assistant-small"]
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"data": [{"id": one} for one in ids]}).encode())

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
        self.loaded: list[tuple[str, str]] = []
        """Hashes of weights and adapters that it says it serves."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Talker)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def ensure(self, spec: EngineSpec) -> Endpoint:
        """Return the server, whatever is asked for."""
        return Endpoint(self.url, "engine-key", (spec.adapter,) if spec.adapter else ())

    def keep(self, spec: EngineSpec, seconds: float | None) -> None:
        """Do nothing."""

    def stop(self, spec: EngineSpec) -> bool:
        """Do nothing."""
        return False

    def list(self) -> list[EngineState]:
        """Show the engines of the models that the site has, in two states."""
        return [
            EngineState(spec=EngineSpec(base, adapter), url=self.url, **found)
            for (base, adapter), found in zip(self.loaded, STATES, strict=False)
        ]

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
