"""Upstream: the wire to a model server that speaks the OpenAI dialect of llama.cpp."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mainspring.kernel.errors import Invalid, MainspringError, TooLarge, Unavailable
from mainspring.kernel.ports import JSON, Endpoint
from mainspring.serving.models import Piece

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

_LARGEST_EVENT = 8 << 20
Events = AsyncGenerator[dict[str, Any] | Piece, None]
"""The events of an answer that streams, decoded, and pieces of mere text with the bytes that brought them."""


class Lost(Unavailable):
    """The server went away; where nothing was passed on yet, another may be asked."""


class Unreached(Unavailable):
    """No connection was made: nothing was asked."""


class TimedOut(Unavailable):
    """The answer, or its next piece, did not come in time; the server may have worked for it."""


class Filtered(Invalid):
    """A content filter of the provider refused the request."""

    code, status = "content_filter", 400


class ContextExceeded(TooLarge):
    """The request has more tokens than the model's context."""

    code, status = "context_length_exceeded", 400


class Upstream:
    """A pooled HTTP client for one event loop. Close it when the loop ends."""

    def __init__(self, timeout: float) -> None:
        """`timeout` is the longest time for one answer, in seconds."""
        self._timeout = timeout
        self._session: ClientSession | None = None

    async def complete(self, endpoint: Endpoint, path: str, body: Mapping[str, JSON]) -> dict[str, Any]:
        """Post `body` and return the answer. Raises Invalid, ContextExceeded, Unavailable or Lost."""
        async with self._post(endpoint, path, body) as response:
            answer: dict[str, Any] = json.loads(await response.read())
            return answer

    async def stream(self, endpoint: Endpoint, path: str, body: Mapping[str, JSON]) -> Events:
        """Post `body` and yield the data of each event; leaving the loop early ends the generation at the server."""
        async with self._post(endpoint, path, {**body, "stream": True}) as response:
            async for data in _events(response):
                if data == "[DONE]":
                    return
                event: dict[str, Any] = json.loads(data)
                if "error" in event:
                    raise _error(500, event)
                yield event
            raise Lost("The engine ended in the middle of an answer.", hint="Ask again.")

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def _post(self, endpoint: Endpoint, path: str, body: Mapping[str, JSON]) -> AsyncIterator[ClientResponse]:
        import aiohttp

        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._timeout, sock_connect=5)
            self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        headers = {"authorization": f"Bearer {endpoint.api_key}"}
        try:
            async with self._session.post(f"{endpoint.url}{path}", json=body, headers=headers) as response:
                if response.status != 200:
                    raise _error(response.status, await _body(response))
                yield response
        except TimeoutError:
            raise TimedOut(
                f"The model did not finish within {self._timeout:g} s.", hint="Ask for fewer tokens."
            ) from None
        except (aiohttp.ClientError, ConnectionError, json.JSONDecodeError) as error:
            raise Lost(f"The engine does not answer ({type(error).__name__}).", hint="Ask again.") from None


async def _events(response: ClientResponse) -> AsyncIterator[str]:
    """Yield the `data:` of each server-sent event."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LARGEST_EVENT:
            raise Unavailable("The engine sent an event that is too large.")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip().decode()
            elif line.startswith(b"error:"):
                raise _error(500, json.loads(line[6:]))


async def _body(response: ClientResponse) -> dict[str, Any]:
    try:
        body = json.loads(await response.read())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _error(status: int, body: Mapping[str, Any]) -> MainspringError:
    """Name what the server answered; its own fault and a wrong key are ours to mend, not the caller's."""
    error = body.get("error")
    detail = error if isinstance(error, Mapping) else {}
    message = str(detail.get("message", "")) or f"status {status}"
    if detail.get("type") == "exceed_context_size_error":
        sent, limit = detail.get("n_prompt_tokens"), detail.get("n_ctx")
        return ContextExceeded(
            f"This model's context is {limit} tokens; the request has {sent}.", hint="Shorten the messages."
        )
    if status == 400 or detail.get("type") == "invalid_request_error":
        return Invalid(f"The engine refused the request: {message}.")
    if status in (401, 503):
        return Lost(f"The engine is not ready: {message}.", hint="Ask again.")
    return Unavailable(f"The engine failed: {message}.", hint="See its log in the home folder.")
