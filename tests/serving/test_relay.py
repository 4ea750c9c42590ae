"""The short way of a stream: nothing is lost, doubled or out of order where the client reads too slowly for it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from mainspring.registry import Patience, Remote
from mainspring.serving.models import Piece, Relay, Usage
from mainspring.serving.protocols.base import Ask, Head
from mainspring.serving.protocols.openai import Chat
from mainspring.serving.remote import Remotes
from mainspring.serving.streaming import Call

WORDS = [f" word{number}" for number in range(12)]
HEAD = Head(trace_id="a" * 32, model="ours", created=5)


def event(text: str | None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": None, **more}
    return b"data: " + json.dumps({"id": "theirs", "created": 1, "model": "m", "choices": [choice]}).encode() + b"\n\n"


class Slow:
    """A client's connection that takes a piece only now and then, and everything once it was waited for."""

    def __init__(self) -> None:
        self.body, self.named, self.task = b"", {}, None
        self.disconnected, self.gone = False, None
        self.chance, self.waits, self.ready = random.Random(3), 0, False
        self.written = b""

    def whole(self, status: int, headers: Any, body: bytes) -> None:
        self.written += body

    def begin(self, status: int, headers: Any) -> None:
        pass

    def piece(self, data: bytes) -> bool:
        if self.chance.random() < 0.5 and not self.ready:
            return False
        self.ready = False
        self.written += data
        return True

    def end(self, data: bytes) -> None:
        self.written += data

    async def room(self) -> None:
        self.waits, self.ready = self.waits + 1, True


def said(stream: bytes) -> list[str]:
    """Return the texts that a stream of OpenAI's events told, in order, which all have our labels."""
    texts = []
    for line in stream.split(b"\n\n"):
        if line.startswith(b"data: {"):
            told = json.loads(line[6:])
            assert (told["id"], told["model"], told["created"]) == (f"chatcmpl-{HEAD.trace_id}", "ours", 5)
            texts += [choice["delta"].get("content", "") for choice in told["choices"]]
    return [text for text in texts if text]


def test_a_relay_without_both_ends_passes_nothing_on() -> None:
    heard: list[Piece] = []
    relay = Relay()
    assert not relay(Piece(text="x"))
    relay.hear = heard.append
    assert not relay(Piece(text="x"))
    relay.tell = lambda piece: False
    assert not relay(Piece(text="x")) and not heard
    relay.tell = lambda piece: True
    assert relay(Piece(text="x")) and heard == [Piece(text="x")]


@pytest.mark.parametrize("direct", [True, False])
def test_what_a_slow_client_does_not_take_at_once_goes_the_long_way(direct: bool) -> None:
    slow, relay, heard = Slow(), Relay(), []
    relay.hear = lambda piece: heard.append(piece.text)

    async def send(message: Any) -> None:
        while not slow.piece(message.get("body", b"")):
            await asyncio.sleep(0)
            await slow.room()

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def pieces() -> AsyncGenerator[Piece, None]:
        for word in WORDS:
            made = Piece(text=word, raw=event(word))
            if not relay(made):
                yield made
        yield Piece(finish_reason="stop", usage=Usage(input_tokens=1, output_tokens=2))

    async def run() -> None:
        scope: dict[str, Any] = {"type": "http", "headers": []}
        ask = Ask(model="ours", messages=[], stream=True, wants_usage=True)
        rest = pieces()
        first = await anext(rest)
        call = Call.of(slow) if direct else Call(scope, receive, send)
        await call.stream(Chat().telling(ask, HEAD), first, rest, {}, relay)

    asyncio.run(asyncio.wait_for(run(), 120))
    assert said(slow.written) == WORDS
    assert slow.waits and heard and set(heard) < set(WORDS)
    assert slow.written.endswith(b"data: [DONE]\n\n") and relay.tell is None


def test_events_of_a_provider_come_once_and_in_order_whichever_way() -> None:
    told: list[str] = []
    relay = Relay()
    relay.hear = lambda piece: None
    turns = iter([True, True, False, True, False, False] * len(WORDS))

    def tell(piece: Piece) -> bool:
        if next(turns):
            told.append(piece.text)
            return True
        return False

    relay.tell = tell

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for word in WORDS:
            writer.write(event(word))
            await writer.drain()
            await asyncio.sleep(0.002)  # a piece by itself is what may go the short way
        writer.write(event(None, finish_reason="stop") + b"data: [DONE]\n\n")
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        remote = Remote("p", "openai", url, "m", Patience(), "")
        remotes = Remotes(allow_private=True)
        async for piece in remotes.stream(remote, "chat", {"messages": []}, joined=True, relay=relay):
            if isinstance(piece, Piece):
                told.append(piece.text)
        await remotes.close()
        server.close()

    asyncio.run(asyncio.wait_for(run(), 120))
    assert "".join(told) == "".join(WORDS)
