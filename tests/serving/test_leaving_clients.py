"""Clients that leave at any moment: the gateway goes on, and every call that was begun has an end."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from tests.conftest import make_caller
from tests.serving.conftest import FixedEngine, Upstream
from tests.surfaces.talking import talking

from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import SpanFilter
from mainspring.serving.gateway import Gateway
from mainspring.serving.streaming import Call
from mainspring.surfaces.door import Door

PATH = "/v1/chat/completions"
CLIENTS = 400


def asking(model: str, *, stream: bool, text: str) -> bytes:
    body = json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}).encode()
    return f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def test_the_gateway_outlives_whoever_leaves(
    platform: Platform, fixed_engine: FixedEngine, upstream: Upstream, small_model: str
) -> None:
    """Compiled, a coroutine that was cancelled while it handled an error once took the process with it."""
    chance = random.Random(7)
    upstream.hold_when, upstream.fail_when = "wait", "fail"
    begun, ended = 0, 0
    gateways: list[Gateway] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = writer.get_extra_info("peername")[:2]

        async def leave(number: int) -> None:
            text = chance.choice(["wait", "fail", "go on"])
            stream, steps, pause = chance.random() < 0.5, chance.randrange(8), chance.random() * 0.02
            _, sender = await asyncio.open_connection(host, port)
            sender.write(asking(small_model, stream=stream, text=f"{text} {number}"))
            await sender.drain()
            for _ in range(steps):
                await asyncio.sleep(pause / 8)  # where in its course a call is left is the chance that is tried
            sender.close()

        for first in range(0, CLIENTS, 40):
            await asyncio.gather(*(leave(number) for number in range(first, first + 40)))
        while ended < begun:
            await asyncio.sleep(0.01)  # that all have ended is seen only by looking
        writer.write(asking(small_model, stream=False, text="go on"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        said = json.loads(await reader.readexactly(size))
        assert said["choices"][0]["message"]["content"] == "Hello there."
        await gateways[0].close()

    async def answer(direct: Any) -> None:
        nonlocal begun, ended
        begun += 1
        if not gateways:
            gateways.append(Gateway(platform))
        try:
            direct.caller = make_caller()
            await gateways[0].posts[PATH].answer(Call.of(direct))
        finally:
            ended += 1

    talking(Door(nobody, None, {PATH: answer}), talk)
    platform.spans.flush()
    traced = sum(1 for _ in platform.spans.scan("default", SpanFilter(), limit=2 * CLIENTS))
    # Who left before the model was asked leaves no trace.
    assert CLIENTS // 2 < traced <= begun <= CLIENTS + 1


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    """Answer nothing: every request is a turn."""
