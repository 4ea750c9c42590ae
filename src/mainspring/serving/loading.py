"""Loading: requests sent as a plan of arrivals says, streamed, and timed from when they were due.

Timing from the moment when a request was due, and not from when it could be sent, keeps a slow server from hiding the
waiting that it causes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mainspring.kernel.errors import MainspringError
from mainspring.serving.loads import Sample

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

MAX_OPEN = 2000
"""Requests under way at most; what is due beyond is counted as an error of its own."""
MAX_REQUESTS = 200_000
_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Shots:
    """One level of load."""

    arrivals: Literal["open", "closed"]
    load: float
    seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class Aim:
    """Where requests go, and what they ask."""

    url: str
    """Of chat completions."""
    model: str
    prompts: Sequence[str]
    max_tokens: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Loader:
    """Sends the requests of one level through an open session."""

    def __init__(self, session: ClientSession, aim: Aim, tick: Callable[[int], None]) -> None:
        """`tick` is called about every half second with how many were sent; what it raises ends the level."""
        self._session = session
        self._aim = aim
        self._tick = tick
        self._samples: list[Sample] = []
        self._sent = 0

    async def warm(self, times: int) -> None:
        """Send some requests that do not count. Raises the error of the last where none was answered."""
        last = ""
        for number in range(times):
            found = await self._one(number, time.perf_counter(), 0.0)
            if not found.error:
                return
            last = found.error
        raise MainspringError(f"No request was answered: {last}.", hint="Ask it once by hand.")

    async def level(self, shots: Shots) -> list[Sample]:
        """Send one level and return every request in order of when it was due."""
        self._samples, self._sent = [], 0
        began = time.perf_counter()
        work = self._open(shots, began) if shots.arrivals == "open" else self._closed(shots, began)
        sending = asyncio.ensure_future(work)
        try:
            while not sending.done():
                await asyncio.wait({sending}, timeout=0.5)
                await asyncio.to_thread(self._tick, self._sent)
            sending.result()
        finally:
            sending.cancel()
        return sorted(self._samples)

    async def _open(self, shots: Shots, began: float) -> None:
        """Poisson arrivals: the gaps between them are exponential."""
        import numpy as np

        draw = np.random.default_rng(shots.seed)
        under_way: set[asyncio.Task[None]] = set()
        due = float(draw.exponential(1 / shots.load))
        try:
            while due < shots.seconds and self._sent < MAX_REQUESTS:
                await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
                if len(under_way) >= MAX_OPEN:
                    self._samples.append(Sample(due * 1000, None, None, None, 0, "not sent: too many under way"))
                else:
                    task = asyncio.ensure_future(self._counted(self._sent, began, due))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                self._sent += 1
                due += float(draw.exponential(1 / shots.load))
            while under_way:
                await asyncio.wait(under_way)
        finally:
            for task in under_way:
                task.cancel()

    async def _closed(self, shots: Shots, began: float) -> None:
        """Clients of which each asks again as soon as it was answered."""

        async def client() -> None:
            while (due := time.perf_counter() - began) < shots.seconds and self._sent < MAX_REQUESTS:
                self._sent += 1
                await self._counted(self._sent, began, due)
                if self._samples[-1].error:
                    await asyncio.sleep(0.05)  # a server that refuses at once is not hammered

        await asyncio.gather(*(client() for _ in range(int(shots.load))))

    async def _counted(self, number: int, began: float, due: float) -> None:
        self._samples.append(await self._one(number, began, due))

    async def _one(self, number: int, began: float, due: float) -> Sample:
        """Send one request and time it."""
        import aiohttp

        aim = self._aim
        body = {
            "model": aim.model,
            "messages": [{"role": "user", "content": aim.prompts[number % len(aim.prompts)]}],
            "max_tokens": aim.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        sample = Sample(due * 1000, None, None, None, 0, "")
        try:
            async with self._session.post(aim.url, json=body, headers=aim.headers, allow_redirects=False) as response:
                if response.status != 200:
                    return sample._replace(error=f"status {response.status}")
                return await _timed(response, sample, began + due)
        except TimeoutError:
            return sample._replace(error="timeout")
        except (aiohttp.ClientError, ConnectionError) as error:
            return sample._replace(error=type(error).__name__)


async def _timed(response: ClientResponse, sample: Sample, due: float) -> Sample:
    """Read a stream of server-sent events to its end."""
    first: float | None = None
    last, pieces, tokens, error, rest, done = due, 0, 0, "", b"", False
    async for chunk in response.content.iter_any():
        now = time.perf_counter()
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LINE:
            return sample._replace(error="a line without an end")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            if line[5:].strip() == b"[DONE]":
                done = True
                continue
            text, counted, problem = _event(line[5:])
            error, tokens = problem or error, counted or tokens
            if text:
                first, last, pieces = first or now, now, pieces + 1
    if error or not done:
        return sample._replace(error=error or "the stream broke off")
    if first is None:
        return sample._replace(error="an empty answer")
    tokens = tokens or pieces
    between = (last - first) * 1000 / (tokens - 1) if tokens > 1 else None
    return sample._replace(ttft=(first - due) * 1000, itl=between, e2e=(last - due) * 1000, tokens=tokens)


def _event(data: bytes) -> tuple[bool, int, str]:
    """Return whether an event brings something to read, how many tokens the answer had, and what went wrong."""
    try:
        found: Any = json.loads(data)
        if "error" in found:
            return False, 0, f"error in the stream: {found['error'].get('code') or found['error'].get('type')}"[:100]
        usage = found.get("usage") or {}
        delta = found["choices"][0].get("delta") or {} if found.get("choices") else {}
        heard = any(delta.get(name) for name in ("content", "tool_calls", "reasoning_content"))
        return heard, int(usage.get("completion_tokens") or 0), ""
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return False, 0, "not the OpenAI dialect"
