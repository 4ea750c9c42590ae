"""Remote: any server that speaks the OpenAI dialect as the target of an experiment, by its URL.

Written `https://host/v1#model`. A key is bound to its host by the setting `targets.keys`, read from the server's own
environment when it is needed, and kept nowhere else.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from mainspring.kernel.errors import Denied, Invalid, LimitReached, Unavailable
from mainspring.kernel.ports import ChatReply, ChatRequest
from mainspring.kernel.settings import Settings
from mainspring.safety import outgoing
from mainspring.safety.addresses import check_url
from mainspring.traces import Price, openai_tokens

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

_LARGEST = 8 << 20
_PATIENCE = 4
"""How often a server that is busy is asked."""
_LONGEST_WAIT = 30.0
_SETTING = "targets.allow_private"
Arrived = SimpleQueue[tuple[int, "ChatReply | Exception"]]


class Filtered(Invalid):
    """A filter in front of the model refused what was sent."""

    code, status = "content_filter", 400


@dataclass(frozen=True, slots=True)
class Server:
    """Where a URL target is asked."""

    url: str
    model: str
    """What the server calls the model."""
    api_key: str = field(repr=False)
    allow_private: bool
    timeout: float
    price: Price | None = None


def is_url(target: str) -> bool:
    """Tell whether a target is a URL."""
    return target.lower().startswith(("http://", "https://"))


def find(target: str, settings: Settings, environ: Mapping[str, str] | None = None) -> Server:
    """Return the server that a target names, with the key that its host has. Raises Invalid, Denied.

    Names are resolved only when they are called, so that a name which comes to point inwards is refused then.
    """
    base, _, model = target.partition("#")
    parts = check_url(base, secrets="Bind a key to the host with the setting targets.keys.")
    if not model or len(model) > 200:
        raise Invalid(f"'{target[:200]}' does not name a model.", hint="Write https://host/v1#model.")
    if parts.query:
        raise Invalid("A target's URL takes no query.", hint="Write https://host/v1#model.")
    allowed = bool(settings[_SETTING])
    key = _key(str(settings["targets.keys"]), parts.netloc.lower(), environ)
    outgoing.check_place(parts, keyed=bool(key), allow_private=allowed, setting=_SETTING)
    url = base.rstrip("/")
    url = url if url.endswith("/chat/completions") else f"{url}/chat/completions"
    return Server(url, model, key, allowed, float(settings["gateway.timeout_seconds"]))


class RemoteChat:
    """Asks a server by HTTP, from a thread of its own for each batch."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def complete(self, request: ChatRequest) -> ChatReply:
        """Answer one request. Raises Invalid, Denied, LimitReached or Unavailable."""
        reply = self.complete_many([request], concurrency=1)[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    def complete_many(
        self,
        requests: Sequence[ChatRequest],
        *,
        concurrency: int = 8,
        on_reply: Callable[[int, ChatReply | Exception], None] | None = None,
    ) -> list[ChatReply | Exception]:
        """Answer many, in the order given; `on_reply(index, reply)` is called, in this thread, as each arrives."""
        arrived: Arrived = SimpleQueue()
        stop = threading.Event()
        work = self._ask_all(requests, concurrency, arrived, stop)
        thread = threading.Thread(target=lambda: asyncio.run(work), name="remote-chat", daemon=True)
        thread.start()
        replies: dict[int, ChatReply | Exception] = {}
        try:
            for _ in requests:
                index, reply = arrived.get()
                replies[index] = reply
                if on_reply is not None:
                    on_reply(index, reply)
        finally:
            stop.set()
            thread.join()
        return [replies[index] for index in range(len(requests))]

    async def _ask_all(
        self, requests: Sequence[ChatRequest], concurrency: int, arrived: Arrived, stop: threading.Event
    ) -> None:
        turns = iter(enumerate(requests))
        try:
            async with open_session(self._server, concurrency) as session:
                several = min(max(1, concurrency), len(requests))
                await asyncio.gather(*(self._ask_some(session, turns, arrived, stop) for _ in range(several)))
        except Exception as error:  # nobody may wait for ever
            for index, _ in turns:
                arrived.put((index, error))

    async def _ask_some(
        self,
        session: ClientSession,
        turns: Iterator[tuple[int, ChatRequest]],
        arrived: Arrived,
        stop: threading.Event,
    ) -> None:
        for index, request in turns:
            if stop.is_set():
                return
            try:
                arrived.put((index, await self._ask(session, request)))
            except Exception as error:  # each request has its own fate
                arrived.put((index, error))

    async def _ask(self, session: ClientSession, request: ChatRequest) -> ChatReply:
        import aiohttp

        body = _body(self._server.model, request)
        headers = {"content-type": "application/json"}
        if self._server.api_key:
            headers["authorization"] = f"Bearer {self._server.api_key}"
        for attempt in range(_PATIENCE):
            started = time.perf_counter()
            try:
                async with session.post(
                    self._server.url, data=body, headers=headers, allow_redirects=False
                ) as response:
                    if response.status in (429, 503) and attempt + 1 < _PATIENCE:
                        await asyncio.sleep(_wait(response, attempt))
                        continue
                    found = await _read(response, self._server.api_key)
                return self._reply(found, (time.perf_counter() - started) * 1000)
            except TimeoutError:
                raise Unavailable(f"{self._server.url} did not answer in {self._server.timeout:g} s.") from None
            except (aiohttp.ClientError, ConnectionError) as error:
                if refusal := outgoing.refusal(error):
                    raise refusal from None
                raise Unavailable(f"{self._server.url} does not answer ({type(error).__name__}).") from None
        raise LimitReached(f"{self._server.url} stays busy.", hint="Lower the concurrency.")

    def _reply(self, found: Mapping[str, Any], latency_ms: float) -> ChatReply:
        try:
            choice = found["choices"][0]
            message, usage = choice["message"], found.get("usage") or {}
            text, calls = message.get("content") or "", _calls(message)
            if not text and calls:
                text = json.dumps(calls, ensure_ascii=False)
            tokens = openai_tokens(usage)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise Unavailable(
                f"{self._server.url} answered in another dialect than OpenAI's.", hint="Is the URL that of its /v1?"
            ) from None
        price = self._server.price
        cost = price.cost(tokens) if price else 0.0
        reason = str(choice.get("finish_reason") or "")
        counted = tokens.input_tokens, tokens.output_tokens
        return ChatReply(str(text), reason, *counted, cost, latency_ms, tool_calls=calls)


def _calls(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tools that a message calls."""
    held = message.get("tool_calls")
    return [call for call in held if isinstance(call, dict)] if isinstance(held, list) else []


def open_session(server: Server, concurrency: int) -> ClientSession:
    """Return a client that connects to checked addresses alone."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=server.timeout, sock_connect=10)
    return outgoing.session(
        allow_private=server.allow_private, setting=_SETTING, timeout=timeout, connections=max(1, concurrency)
    )


def _body(model: str, request: ChatRequest) -> bytes:
    body = {"model": model, "messages": [dict(message) for message in request.messages], **request.options()}
    return json.dumps(body, ensure_ascii=False).encode()


async def _read(response: ClientResponse, key: str) -> dict[str, Any]:
    """Return the answer's JSON. Raises the error that its status tells."""
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > _LARGEST:
            raise Unavailable(f"{response.url} sent more than {_LARGEST >> 20} MiB.")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if response.status == 200 and isinstance(found, dict):
        return found
    error = found.get("error") if isinstance(found, dict) else None
    said = str(error.get("message", "") if isinstance(error, dict) else error or "")
    said = (said.replace(key, "[secret]") if key else said)[:300]
    text = f"{response.url.host} answered {response.status}" + (f": {said}" if said else ".")
    if response.status in (401, 403):
        raise Denied(text, hint="Bind a key to the host with the setting targets.keys.")
    if response.status == 429:
        raise LimitReached(text, hint="Lower the concurrency.")
    if isinstance(error, dict) and error.get("code") == Filtered.code:
        raise Filtered(text)
    if 400 <= response.status < 500:
        raise Invalid(text)
    raise Unavailable(text)


def _wait(response: ClientResponse, attempt: int) -> float:
    """Return the seconds to wait: what the server asks for, else twice as long each time."""
    asked = response.headers.get("retry-after", "")
    try:
        return min(max(float(asked), 0.0), _LONGEST_WAIT)
    except ValueError:
        return min(0.5 * 2.0**attempt, _LONGEST_WAIT)


def _key(pairs: str, place: str, environ: Mapping[str, str] | None) -> str:
    """Return the key that the settings bind to `host` or `host:port`; empty where they bind none. Raises Invalid."""
    for pair in filter(None, (pair.strip() for pair in pairs.split(","))):
        name, _, variable = (part.strip() for part in pair.partition("="))
        if name.lower() == place:
            found = (os.environ if environ is None else environ).get(variable, "")
            if not found:
                raise Invalid(
                    f"The key of {place} is not set.", hint=f"Set {variable} in the server's environment and restart."
                )
            return found
    return ""
