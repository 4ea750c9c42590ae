"""The wire to providers: requests to checked addresses, patience for each phase, and errors under their own names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.kernel.errors import Invalid, LimitReached, MainspringError, NotFound, TooLarge, Unavailable
from mainspring.kernel.ports import JSON
from mainspring.registry import Remote, provider_headers, provider_said
from mainspring.safety import outgoing
from mainspring.serving.models import Operation
from mainspring.serving.remote import anthropic, openai
from mainspring.serving.upstream import ContextExceeded, Events

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

_DIALECTS = {"openai": openai, "anthropic": anthropic}
"""By kind, modules with the functions `request`, `whole` and `events`."""
_COUNTED = ("model", "messages", "system", "tools", "tool_choice", "output_config")
_SETTING = "targets.allow_private"
_LARGEST = 32 << 20
_LARGEST_EVENT = 8 << 20
_STALE_SECONDS = 1.0
"""A connection that is lost sooner than this was closed before the request: it is sent again, once."""
_TOO_LONG = ("context_length_exceeded", "prompt is too long", "maximum context length", "context window")
_LONGEST_WAIT = 3600


class Remotes:
    """Asks providers from one event loop. Close it when the loop ends."""

    def __init__(self, *, allow_private: bool) -> None:
        """`allow_private` lets loopback and private addresses be asked."""
        self._allow_private = allow_private
        self._session: ClientSession | None = None
        self.running = 0

    async def complete(self, remote: Remote, operation: Operation, body: Mapping[str, JSON]) -> dict[str, Any]:
        """Ask and return the answer, in the shape of OpenAI's.

        Raises Invalid, ContextExceeded, NotFound, LimitReached, Denied or Unavailable.
        """
        dialect = _DIALECTS[remote.kind]
        path, made = dialect.request(remote, operation, body)
        async with self._post(remote, path, made, remote.patience.total_seconds) as response:
            answer: dict[str, Any] = dialect.whole(_decoded(remote, await _read(remote, response)))
            return answer

    async def stream(self, remote: Remote, operation: Operation, body: Mapping[str, JSON]) -> Events:
        """Ask and yield the events of the answer, in the shape of OpenAI's; leaving early ends the request there."""
        dialect = _DIALECTS[remote.kind]
        path, made = dialect.request(remote, operation, {**body, "stream": True})
        if remote.kind == "openai":
            made["stream_options"] = {"include_usage": True}
        async with (
            self._post(remote, path, made, remote.patience.first_token_seconds) as response,
            aclosing(_heard(remote, response)) as heard,
            aclosing(dialect.events(heard)) as events,
        ):
            async for event in events:
                yield event

    async def embed(self, remote: Remote, body: Mapping[str, JSON]) -> dict[str, Any]:
        """Ask for embeddings and return the answer as it came. Raises as `complete` does."""
        if remote.kind != "openai":
            raise Invalid(f"{remote.provider} makes no embeddings.", hint="Ask another model.", param="model")
        made = {"model": remote.model, **body}
        async with self._post(remote, openai.PATHS["embeddings"], made, remote.patience.total_seconds) as response:
            return _decoded(remote, await _read(remote, response))

    async def count(self, remote: Remote, body: Mapping[str, JSON]) -> int:
        """Return how many tokens a provider of Anthropic's dialect counts in a question. Raises as `complete` does."""
        path, made = anthropic.request(remote, "chat", body)
        asked = {name: value for name, value in made.items() if name in _COUNTED}
        async with self._post(remote, f"{path}/count_tokens", asked, remote.patience.total_seconds) as response:
            found = _decoded(remote, await _read(remote, response)).get("input_tokens")
        if not isinstance(found, int):
            raise Unavailable(f"{remote.provider} counted no tokens.", hint="Is its kind right?")
        return found

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def _post(
        self, remote: Remote, path: str, body: Mapping[str, JSON], patience: float
    ) -> AsyncIterator[ClientResponse]:
        """Yield the response of a request that was taken; `patience` is how long its headers may take, in seconds."""
        import aiohttp

        self.running += 1
        try:
            response = await self._begun(remote, path, msgspec.json.encode(body), patience)
            try:
                if response.status != 200:
                    raise _problem(remote, response.status, response.headers, await _read(remote, response))
                yield response
            finally:
                response.close() if not response.content.at_eof() else response.release()
        except aiohttp.ConnectionTimeoutError:
            seconds = f"{remote.patience.connect_seconds:g}"
            raise Unavailable(f"{remote.provider} took no connection within {seconds} s.", hint="Ask again.") from None
        except TimeoutError:
            raise Unavailable(f"{remote.provider} did not answer in time.", hint="Ask for fewer tokens.") from None
        except (aiohttp.ClientError, ConnectionError) as error:
            if refused := outgoing.refusal(error):
                raise refused from None
            raise _lost(remote, error) from None
        finally:
            self.running -= 1

    async def _begun(self, remote: Remote, path: str, body: bytes, patience: float) -> ClientResponse:
        import aiohttp

        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None)
            self._session = outgoing.session(allow_private=self._allow_private, setting=_SETTING, timeout=timeout)
        limits = aiohttp.ClientTimeout(
            total=remote.patience.total_seconds, sock_connect=remote.patience.connect_seconds
        )
        url, headers = f"{remote.url}{path}", provider_headers(remote)
        begun = time.monotonic()
        for attempt in (1, 2):
            try:
                async with asyncio.timeout(patience):
                    return await self._session.post(
                        url, data=body, headers=headers, allow_redirects=False, timeout=limits
                    )
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                if attempt == 2 or time.monotonic() - begun > _STALE_SECONDS:
                    raise
        raise AssertionError("the last attempt returns or raises")


async def _heard(remote: Remote, response: ClientResponse) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the data of each server-sent event. Raises what an event of an error says."""
    patience, rest = remote.patience.first_token_seconds, b""
    while True:
        async with asyncio.timeout(patience):
            chunk = await response.content.readany()
        if not chunk:
            return
        patience = remote.patience.between_seconds
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LARGEST_EVENT:
            raise Unavailable(f"{remote.provider} sent an event that is too large.")
        for line in lines:
            if line.startswith(b"data:"):
                data = line[5:].strip()
                if data == b"[DONE]":
                    return
                event = _decoded(remote, data)
                if event.get("error"):
                    raise Unavailable(f"{remote.provider} failed: {provider_said(remote, event) or 'an error'}.")
                yield event


async def _read(remote: Remote, response: ClientResponse) -> bytes:
    data = bytearray()
    while chunk := await response.content.readany():
        data += chunk
        if len(data) > _LARGEST:
            raise Unavailable(f"{remote.provider} sent more than {_LARGEST >> 20} MiB.")
    return bytes(data)


def _decoded(remote: Remote, data: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unavailable(f"{remote.provider} sent what is no JSON object.", hint="Is its URL that of its /v1?")
    return found


def _problem(remote: Remote, status: int, headers: Mapping[str, str], data: bytes) -> MainspringError:
    """Name what a provider answered; a wrong key of ours is not the caller's fault."""
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = None
    said = provider_said(remote, body)
    text = f"{remote.provider} answered {status}" + (f": {said}" if said else ".")
    if status in (401, 402, 403):
        return Unavailable(text, hint=f"`mainspring provider check {remote.provider}`.")
    if status == 404:
        return NotFound(text, hint=f"`mainspring provider check {remote.provider}` lists its models.", param="model")
    if status == 429:
        return LimitReached(text, hint="Ask again later.", retry_after=_wait(headers.get("retry-after", "")))
    if status >= 500 or status < 400:
        return Unavailable(text, hint="Ask again.")
    code = str((body.get("error") or {}).get("code", "")) if isinstance(body, dict) and _is_error(body) else ""
    if any(words in f"{code} {said}".lower() for words in _TOO_LONG):
        return ContextExceeded(text, hint="Shorten the messages.")
    return TooLarge(text) if status == 413 else Invalid(text)


def _is_error(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("error"), dict)


def _wait(asked: str) -> int:
    """Return the seconds that a `Retry-After` names; 1 where it names none."""
    return min(max(int(asked), 1), _LONGEST_WAIT) if asked.isascii() and asked.isdigit() else 1


def _lost(remote: Remote, error: BaseException) -> Unavailable:
    return Unavailable(f"{remote.provider} does not answer ({type(error).__name__}).", hint="Ask again.")
