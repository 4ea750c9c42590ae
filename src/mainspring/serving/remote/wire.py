"""The wire to providers: requests to checked addresses, patience for each phase, and errors under their own names."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import msgspec

from mainspring.kernel.errors import Invalid, LimitReached, MainspringError, NotFound, TooLarge, Unavailable
from mainspring.kernel.ports import JSON
from mainspring.registry import Remote, provider_headers, provider_said
from mainspring.safety import outgoing
from mainspring.serving.connecting import NoConnection, Place, place_of
from mainspring.serving.models import Operation, Relay
from mainspring.serving.remote import anthropic, hearing, openai
from mainspring.serving.transport import Answer, Pool, Waits
from mainspring.serving.upstream import ContextExceeded, Events, Filtered, Lost, TimedOut, Unreached

_DIALECTS = {"openai": openai, "anthropic": anthropic}
"""By kind, modules with the functions `request`, `whole` and `events`."""
_COUNTED = ("model", "messages", "system", "tools", "tool_choice", "output_config")
_SETTING = "targets.allow_private"
_LARGEST = 32 << 20
_LARGEST_EVENT = 8 << 20
_REMEMBERED = 1000
_encode = msgspec.json.Encoder().encode
_TOO_LONG = ("context_length_exceeded", "prompt is too long", "maximum context length", "context window")
_FILTERED = ("content_filter", "content_policy", "moderation")
_LONGEST_WAIT = 3600


class Remotes:
    """Asks providers from one event loop. Close it when the loop ends."""

    def __init__(self, *, allow_private: bool) -> None:
        """`allow_private` lets loopback and private addresses be asked."""
        self._allow_private = allow_private
        self._pool: Pool | None = None
        self._heads: dict[tuple[str, str, str], tuple[Place, bytes]] = {}
        self.running = 0

    async def complete(self, remote: Remote, operation: Operation, body: Mapping[str, JSON]) -> dict[str, Any]:
        """Ask and return the answer, in the shape of OpenAI's.

        Raises Invalid, ContextExceeded, NotFound, LimitReached, Denied or Unavailable.
        """
        dialect = _DIALECTS[remote.kind]
        path, made = dialect.request(remote, operation, body)
        with Asking(self, remote) as asking:
            data = await _read(remote, await asking.post(path, made, remote.patience.total_seconds))
        answer: dict[str, Any] = dialect.whole(hearing.decoded(remote, data))
        return answer

    def stream(
        self,
        remote: Remote,
        operation: Operation,
        body: Mapping[str, JSON],
        *,
        joined: bool = False,
        relay: Relay | None = None,
    ) -> Events:
        """Ask and return the events of the answer, in the shape of OpenAI's; leaving early ends the request there.

        Where they may be `joined`, events of mere text that came together are one piece, with their bytes as `raw`.
        Of these, what came by itself goes by the `relay` where it can. Iterating raises as `complete` does.
        """
        path, made = _DIALECTS[remote.kind].request(remote, operation, {**body, "stream": True})
        if remote.kind == "openai":
            made["stream_options"] = {"include_usage": True}
        return hearing.events(Asking(self, remote), remote, path, made, joined=joined, relay=relay)

    async def embed(self, remote: Remote, body: Mapping[str, JSON]) -> dict[str, Any]:
        """Ask for embeddings and return the answer as it came. Raises as `complete` does."""
        if remote.kind != "openai":
            raise Invalid(f"{remote.provider} makes no embeddings.", hint="Ask another model.", param="model")
        with Asking(self, remote) as asking:
            data = await asking.whole(openai.PATHS["embeddings"], {"model": remote.model, **body})
        return hearing.decoded(remote, data)

    async def count(self, remote: Remote, body: Mapping[str, JSON]) -> int:
        """Return how many tokens a provider of Anthropic's dialect counts in a question. Raises as `complete` does."""
        path, made = anthropic.request(remote, "chat", body)
        asked = {name: value for name, value in made.items() if name in _COUNTED}
        with Asking(self, remote) as asking:
            found = hearing.decoded(remote, await asking.whole(f"{path}/count_tokens", asked)).get("input_tokens")
        if not isinstance(found, int):
            raise Unavailable(f"{remote.provider} counted no tokens.", hint="Is its kind right?")
        return found

    async def close(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            self._pool.close()

    @property
    def pool(self) -> Pool:
        """The connections, of the event loop that runs."""
        if self._pool is None:
            self._pool = Pool(outgoing.resolver(allow_private=self._allow_private, setting=_SETTING))
        return self._pool

    def head(self, remote: Remote, path: str) -> tuple[Place, bytes]:
        """Return where a request goes and its head, up to the length of its body."""
        key = (f"{remote.url}{path}", remote.kind, remote.api_key)
        known = self._heads.get(key)
        if known is None:
            place, target = place_of(key[0])
            host = key[0].partition("://")[2].partition("/")[0]
            headers = {"host": host, "user-agent": "mainspring", "accept": "*/*", **provider_headers(remote)}
            lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
            if len(self._heads) >= _REMEMBERED:
                self._heads.clear()
            known = self._heads[key] = (place, "\r\n".join([*lines, "content-length: "]).encode("latin-1"))
        return known


class Asking:
    """One request while it goes on: counted, its answer closed at the end, what fails on the wire told as our error."""

    def __init__(self, remotes: Remotes, remote: Remote) -> None:
        """It begins where it is entered."""
        self._remotes, self._remote = remotes, remote
        self._answer: Answer | None = None

    def __enter__(self) -> Asking:
        self._remotes.running += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remotes.running -= 1
        if self._answer is not None:
            self._answer.close()
        if isinstance(error, OSError):
            raise _lost(self._remote, error) from None

    async def post(self, path: str, body: Mapping[str, JSON], seconds: float) -> Answer:
        """Return the answer to a request that was taken; its headers may take so many seconds."""
        remote, patience = self._remote, self._remote.patience
        place, head = self._remotes.head(remote, path)
        data = _encode(body)
        waits = Waits(patience.connect_seconds, seconds, patience.between_seconds, patience.total_seconds)
        answer = await self._remotes.pool.post(place, b"%b%d\r\n\r\n%b" % (head, len(data), data), waits)
        self._answer = answer
        if answer.status != 200:
            raise _problem(remote, answer.status, answer.headers, await _read(remote, answer))
        return answer

    async def whole(self, path: str, body: Mapping[str, JSON]) -> bytes:
        """Return the whole answer to a request."""
        return await _read(self._remote, await self.post(path, body, self._remote.patience.total_seconds))


async def _read(remote: Remote, answer: Answer) -> bytes:
    data = await answer.read(_LARGEST)
    if data is None:
        raise Unavailable(f"{remote.provider} sent more than {_LARGEST >> 20} MiB.")
    return data


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
    if any(word in code for word in _FILTERED):
        return Filtered(text, hint="Say it otherwise.")
    return TooLarge(text) if status == 413 else Invalid(text)


def _is_error(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("error"), dict)


def _wait(asked: str) -> int:
    """Return the seconds that a `Retry-After` names; 1 where it names none."""
    return min(max(int(asked), 1), _LONGEST_WAIT) if asked.isascii() and asked.isdigit() else 1


def _lost(remote: Remote, error: OSError) -> Unavailable:
    """Name what failed on the wire."""
    if isinstance(error, NoConnection):
        seconds = f"{remote.patience.connect_seconds:g}"
        return Unreached(f"{remote.provider} took no connection within {seconds} s.", hint="Ask again.")
    if isinstance(error, TimeoutError):
        return TimedOut(f"{remote.provider} did not answer in time.", hint="Ask for fewer tokens.")
    # A connection that was there and broke may have brought the request; all else failed before.
    broke = isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)
    kind = Lost if broke else Unreached
    return kind(f"{remote.provider} does not answer ({type(error).__name__}).", hint="Ask again.")
