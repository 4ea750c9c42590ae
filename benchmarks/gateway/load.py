"""The load: so many connections, each asking again as soon as it was answered. Every answer is checked to its end.

`python load.py '{"url", "body", "headers", "connections", "seconds" or "requests", "events"}'` prints what it counted.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import httptools


class Asker(asyncio.Protocol):
    """One connection that asks one question after the other until the plan says that it is enough."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.parser = httptools.HttpResponseParser(self)
        self.body: list[bytes] = []
        self.begun = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        if not self.plan.more():
            self.transport.close()
            return
        self.begun = time.perf_counter()
        self.transport.write(self.plan.request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.body.clear()

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.plan.took.append(time.perf_counter() - self.begun)
        self.plan.check(self.parser.get_status_code(), b"".join(self.body))
        asyncio.get_running_loop().call_soon(self.again)

    def again(self) -> None:
        # A parser of its own for each answer: one that upgraded or closed would not read the next.
        self.parser = httptools.HttpResponseParser(self)
        self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        self.plan.left(self)


class Plan:
    """What is asked, how often, and what came back."""

    def __init__(self, given: dict[str, Any]) -> None:
        parts = urlsplit(given["url"])
        self.host, self.port = parts.hostname or "", parts.port or 80
        body = json.dumps(given["body"]).encode()
        head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in given["headers"].items())
        self.request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
        self.streams, self.events = bool(given["body"].get("stream")), int(given.get("events", 0))
        self.until = time.perf_counter() + float(given.get("seconds", 3600))
        self.limit = int(given.get("requests", 1 << 60))
        self.connections = int(given["connections"])
        self.asked = 0
        self.took: list[float] = []
        self.problems: list[str] = []
        self.open = self.connections
        self.done = asyncio.get_running_loop().create_future()

    def more(self) -> bool:
        """Whether another question is to be asked; count it."""
        if self.asked >= self.limit or time.perf_counter() >= self.until or len(self.problems) > 5:
            return False
        self.asked += 1
        return True

    def check(self, status: int, body: bytes) -> None:
        """Note what is wrong with an answer: its status, its usage, its length."""
        if status != 200:
            self.problems.append(f"status {status}: {body[:300]!r}")
        elif b'"completion_tokens":40' not in body.replace(b" ", b""):
            self.problems.append(f"no usage: {body[-300:]!r}")
        elif self.streams and not body.rstrip().endswith(b"data: [DONE]"):
            self.problems.append(f"no end: {body[-300:]!r}")
        elif self.streams and body.count(b'"content":') < self.events:
            self.problems.append(f"a stream with less than {self.events} pieces")

    def left(self, asker: Asker) -> None:
        """Note that a connection is closed; one that was closed on us is a problem."""
        self.open -= 1
        if len(self.took) + self.open < self.asked and not self.problems:
            self.problems.append("a connection was closed in mid-answer")
        if self.open == 0 and not self.done.done():
            self.done.set_result(None)


async def main(given: dict[str, Any]) -> None:
    """Ask, and print what was counted."""
    plan = Plan(given)
    begun = time.perf_counter()
    for _ in range(plan.connections):
        await asyncio.get_running_loop().create_connection(lambda: Asker(plan), plan.host, plan.port)
    await asyncio.wait_for(plan.done, 600)
    took = sorted(plan.took)
    seconds = time.perf_counter() - begun
    found = {"answers": len(took), "seconds": seconds, "problems": plan.problems}
    print(json.dumps({**found, "p50_ms": 1000 * took[len(took) // 2], "p99_ms": 1000 * took[len(took) * 99 // 100]}))


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(json.loads(sys.argv[1])))
