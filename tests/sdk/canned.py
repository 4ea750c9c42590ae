"""A server of canned answers: OpenAI's and Anthropic's dialects, and a sink for OTLP. Standard library alone.

`scripts/golden` runs real instrumentation packages against it; the tests of the SDK run the SDK against it.
"""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 9,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
MODEL = "gpt-canned-2026"
WORDS = ["Fine", " weather", "."]
TOOL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bern"}'}}


class Canned(ThreadingHTTPServer):
    """The server. `answers` are statuses that OTLP is answered with, one after the other, then 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.reply = b"{}"
        self.arrived = threading.Condition()
        self.gate = threading.Event()
        self.gate.set()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def keep(self, path: str, headers: dict[str, str], body: bytes) -> None:
        """Keep what came."""
        with self.arrived:
            self.received.append((path, headers, body))
            self.arrived.notify_all()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Canned

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer what nobody needs."""
        self.answer(200, {})

    def do_POST(self) -> None:
        """Answer a call of a model, or take spans."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().strip() or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        coding = self.headers.get("Content-Encoding", "")
        body = gzip.decompress(body) if coding == "gzip" else zlib.decompress(body) if coding == "deflate" else body
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        models = {
            "/v1/chat/completions": self.answer_chat,
            "/v1/responses": self.answer_responses,
            "/v1/embeddings": self.answer_embeddings,
            "/v1/messages": self.answer_messages,
        }
        if path not in models:
            return self.take(path, headers, body)
        asked = json.loads(body)
        self.server.asked.append((path, headers, asked))
        if asked["model"] == "broken":
            problem = {"message": "the model is broken", "type": "server_error", "param": None, "code": "broken"}
            return self.answer(500, {"error": problem})
        return models[path](asked)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        """Take spans, scores and whatever else comes."""
        self.server.gate.wait(30)
        status, more = self.server.answers.pop(0) if self.server.answers else (200, {})
        if status == 200:
            self.server.keep(path, headers, body)
        if "protobuf" in headers.get("content-type", ""):
            return self.answer(status, b"", more, "application/x-protobuf")
        return self.answer(status, self.server.reply, more)

    def answer(self, status: int, body: Any, headers: dict[str, str] | None = None, kind: str = "") -> None:
        """Send one answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind or "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def events(self, events: Iterator[tuple[str, Any]]) -> None:
        """Send a stream of events."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for name, data in events:
            text = data if isinstance(data, str) else json.dumps(data)
            self.wfile.write((f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode())
            self.wfile.flush()

    def answer_chat(self, asked: dict[str, Any]) -> None:
        """Answer a chat completion."""
        about = {"id": "chatcmpl-canned", "created": 1_790_000_000, "model": MODEL}
        tools = bool(asked.get("tools"))
        if asked.get("stream"):
            return self.events(
                _chat_events(about, tools, bool((asked.get("stream_options") or {}).get("include_usage")))
            )
        message: dict[str, Any] = {"role": "assistant", "content": None if tools else "".join(WORDS), "refusal": None}
        if tools:
            message["tool_calls"] = [TOOL]
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if tools else "stop", "logprobs": None}
        return self.answer(200, {**about, "object": "chat.completion", "choices": [choice], "usage": USAGE})

    def answer_responses(self, asked: dict[str, Any]) -> None:
        """Answer a response."""
        whole = {
            "id": "resp-canned",
            "object": "response",
            "created_at": 1_790_000_000,
            "model": MODEL,
            "status": "completed",
            "output": [
                {
                    "id": "msg-1",
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": "".join(WORDS), "annotations": []}],
                }
            ],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "error": None,
            "incomplete_details": None,
            "instructions": asked.get("instructions"),
            "metadata": {},
            "temperature": 1.0,
            "top_p": 1.0,
            "usage": {
                "input_tokens": 20,
                "output_tokens": 9,
                "total_tokens": 29,
                "input_tokens_details": {"cached_tokens": 8},
                "output_tokens_details": {"reasoning_tokens": 4},
            },
        }
        if not asked.get("stream"):
            return self.answer(200, whole)
        place = {"item_id": "msg-1", "output_index": 0, "content_index": 0, "logprobs": []}
        deltas = [
            ("response.output_text.delta", {"type": "response.output_text.delta", "delta": word, **place})
            for word in WORDS
        ]
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        told = [
            ("response.created", {"type": "response.created", "response": begun}),
            *deltas,
            ("response.completed", {"type": "response.completed", "response": whole}),
        ]
        return self.events((name, {**event, "sequence_number": n}) for n, (name, event) in enumerate(told))

    def answer_embeddings(self, asked: dict[str, Any]) -> None:
        """Answer with vectors."""
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        rows = [{"object": "embedding", "index": n, "embedding": [0.1, 0.2]} for n in range(len(texts))]
        usage = {"prompt_tokens": 6, "total_tokens": 6}
        return self.answer(200, {"object": "list", "data": rows, "model": "embed-canned", "usage": usage})

    def answer_messages(self, asked: dict[str, Any]) -> None:
        """Answer a message of Anthropic's dialect."""
        usage = {
            "input_tokens": 10,
            "output_tokens": 9,
            "cache_read_input_tokens": 8,
            "cache_creation_input_tokens": 2,
        }
        tools = bool(asked.get("tools"))
        block: dict[str, Any] = {"type": "text", "text": "".join(WORDS)}
        if tools:
            block = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern"}}
        whole = {
            "id": "msg_canned",
            "type": "message",
            "role": "assistant",
            "model": "claude-canned",
            "content": [block],
            "stop_reason": "tool_use" if tools else "end_turn",
            "stop_sequence": None,
            "usage": usage,
        }
        if not asked.get("stream"):
            return self.answer(200, whole)
        return self.events(_message_events(whole, tools))


def _chat_events(about: dict[str, Any], tools: bool, with_usage: bool) -> Iterator[tuple[str, Any]]:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> tuple[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return "", {**about, "object": "chat.completion.chunk", "choices": [choice]}

    yield chunk({"role": "assistant", "content": "" if not tools else None})
    if tools:
        call = {"index": 0, **TOOL, "function": {"name": "weather", "arguments": ""}}
        yield chunk({"tool_calls": [call]})
        for piece in ('{"city":', ' "Bern"}'):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    else:
        for word in WORDS:
            yield chunk({"content": word})
    yield chunk({}, "tool_calls" if tools else "stop")
    if with_usage:
        yield "", {**about, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}
    yield "", "[DONE]"


def _message_events(whole: dict[str, Any], tools: bool) -> Iterator[tuple[str, Any]]:
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    yield "message_start", {"type": "message_start", "message": begun}
    block = {**whole["content"][0]} | ({"input": {}} if tools else {"text": ""})
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": block}
    pieces: list[dict[str, Any]] = [{"type": "text_delta", "text": word} for word in WORDS]
    if tools:
        pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in ('{"city":', ' "Bern"}')]
    for piece in pieces:
        yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": piece}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 9}}
    yield "message_stop", {"type": "message_stop"}
