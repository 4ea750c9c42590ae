"""A server that speaks the OpenAI dialect and counts what it answered."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Counting:
    """Answers the last message by `answer`; holds every call from number `hold_at` on until it is let go."""

    def __init__(self, answer=lambda text: f"echo {text}", hold_at=None):
        self.answer, self.hold_at = answer, hold_at
        self.answered = Counter()
        self.headers, self.bodies = [], []
        self.status, self.problem = 200, ""
        self.held, self.go = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.reply(self, body)

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reply(self, handler, body):
        text = body["messages"][-1]["content"]
        with self._lock:
            self.headers.append(dict(handler.headers))
            self.bodies.append(body)
            waits = self.hold_at is not None and len(self.bodies) > self.hold_at
        if waits:
            self.held.set()
            self.go.wait(60)
            if handler.connection.fileno() < 0:
                return
        if self.status != 200:
            found = {"error": {"message": self.problem}}
        else:
            message = {"role": "assistant", "content": self.answer(text)}
            usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
            found = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
        data = json.dumps(found).encode()
        with self._lock:
            self.answered[text] += 1
        handler.send_response(self.status)
        handler.send_header("content-length", str(len(data)))
        handler.send_header("retry-after", "0")
        handler.end_headers()
        handler.wfile.write(data)

    def close(self):
        self.go.set()
        self.server.shutdown()
        self.server.server_close()
