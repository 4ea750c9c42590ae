"""A canned server of OpenAI's chat completions: the same answer always, whole or as a stream with usage.

`python upstream.py EVENTS PACE_MS` prints its port. A stream has so many pieces of text, each written by itself.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

WORDS = "The gateway passes this answer on, and counts what it used on the way. "
USAGE = {
    "prompt_tokens": 24,
    "completion_tokens": 40,
    "total_tokens": 64,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
HEAD = {"id": "chatcmpl-canned", "created": 1_760_000_000, "model": "canned", "system_fingerprint": None}


def whole() -> bytes:
    """Return a whole answer with its HTTP head."""
    message = {"role": "assistant", "content": WORDS * 4, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = json.dumps({**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def pieces(count: int) -> list[bytes]:
    """Return the events of a stream, each as a chunk of HTTP's."""
    head = {**HEAD, "object": "chat.completion.chunk"}

    def event(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}

    words = WORDS.split(" ")
    told = [event({"role": "assistant", "content": ""})]
    told += [event({"content": f" {words[index % len(words)]}"}) for index in range(count)]
    told += [event({}, "stop"), {**head, "choices": [], "usage": USAGE}]
    data = [f"data: {json.dumps(one)}\n\n".encode() for one in told] + [b"data: [DONE]\n\n"]
    return [b"%x\r\n%b\r\n" % (len(one), one) for one in data]


class Canned(asyncio.Protocol):
    """One connection."""

    answer = b""
    events: tuple[bytes, ...] = ()
    pace = 0.0
    stream_head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    def connection_made(self, transport: Any) -> None:
        self.transport, self.rest = transport, b""

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while b"\r\n\r\n" in self.rest:
            head, _, body = self.rest.partition(b"\r\n\r\n")
            named = (line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
            size = next((int(parts[1]) for parts in named if parts[0] == b"content-length"), 0)
            if len(body) < size:
                return
            self.rest, asked = body[size:], body[:size].replace(b" ", b"")
            if b'"stream":true' in asked:
                self.transport.write(self.stream_head)
                self.tell(0)
            else:
                self.transport.write(self.answer)

    def tell(self, index: int) -> None:
        """Write the next event, and the one after it a little later."""
        if self.transport.is_closing():
            return
        if index < len(self.events):
            self.transport.write(self.events[index])
            asyncio.get_running_loop().call_later(self.pace, self.tell, index + 1)
        else:
            self.transport.write(b"0\r\n\r\n")


async def main(events: int, pace_ms: float) -> None:
    """Serve until killed."""
    Canned.answer, Canned.events, Canned.pace = whole(), tuple(pieces(events)), pace_ms / 1000
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2])))
