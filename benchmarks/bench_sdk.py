"""What tracing costs the thread that calls: microseconds of CPU for each decorated call, beside others' decorators.

`langfuse` and `openinference-instrumentation` are measured where they are installed. All export to a server in another
process that answers at once; each is measured in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CALLS = 5_000
ROUNDS = 7
MESSAGES = [{"role": "user", "content": "What is sold by weight? " * 20}] * 4


def work(messages: list[dict[str, str]], temperature: float = 0.0) -> dict[str, str]:
    """Do next to nothing."""
    return {"role": "assistant", "content": messages[0]["content"]}


def mainspring_decorator(url: str) -> Callable[..., object]:
    """Return `work`, traced by the SDK."""
    import mainspring

    mainspring.init(url, "key", service="bench")
    return mainspring.trace(work)


def langfuse_decorator(url: str) -> Callable[..., object]:
    """Return `work`, traced by Langfuse's decorator."""
    from langfuse import Langfuse, observe

    Langfuse(public_key="pk", secret_key="sk", host=url)
    return observe()(work)


def openinference_decorator(url: str) -> Callable[..., object]:
    """Return `work`, traced by OpenInference's decorator over OpenTelemetry."""
    from openinference.instrumentation import TracerProvider
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url + "/v1/traces")))
    return provider.get_tracer("bench").chain(work)


TRACED = {
    "nothing": lambda url: work,
    "mainspring": mainspring_decorator,
    "langfuse": langfuse_decorator,
    "openinference": openinference_decorator,
}


def measure(name: str, url: str) -> None:
    """Print the CPU of the calling thread and of the process, in microseconds a call: the best of the rounds."""
    traced = TRACED[name](url)
    mine, whole = [], []
    for _ in range(ROUNDS):
        begun, begun_all = time.thread_time(), time.process_time()
        for _ in range(CALLS):
            traced(MESSAGES, temperature=0.5)
        mine.append((time.thread_time() - begun) / CALLS * 1e6)
        time.sleep(1.5)
        whole.append((time.process_time() - begun_all) / CALLS * 1e6)
    print(json.dumps({"decorator": name, "caller_us": round(min(mine), 1), "process_us": round(min(whole), 1)}))


class Sink(BaseHTTPRequestHandler):
    """Answers everything with 200."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take it."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> int:
    """Serve the sink here and measure each decorator in a process of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    for name in TRACED:
        done = subprocess.run([sys.executable, __file__, name, url], capture_output=True, text=True, check=False)
        print(done.stdout.strip() or f'{{"decorator": "{name}", "missing": true}}')
    return 0


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(sys.argv[1], sys.argv[2])
    else:
        raise SystemExit(main())
