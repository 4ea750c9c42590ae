"""Streaming: a call as the server hands it over, its answer whole or as events, and a client that may leave."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import quote

from mainspring.kernel.access import Caller
from mainspring.kernel.errors import MainspringError, Unauthenticated
from mainspring.serving.models import Piece, Relay
from mainspring.serving.protocols.base import Telling

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Headers = Sequence[tuple[bytes, bytes]]
_log = logging.getLogger(__name__)
_SOON = 0.05
"""Seconds before somebody looks whether the client is still there: most answers are sooner."""
_PLAIN: dict[str, Any] = {}
_UNQUOTED = " !#$&()*+,/:;=?@[]"
_SAFE = (b"x-content-type-options", b"nosniff")
TRACE_HEADER = "x-mainspring-trace-id"
_TRACE = TRACE_HEADER.encode()
_JSON = (b"content-type", b"application/json")
_EVENTS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class Sent(NamedTuple):
    """What the headers of a request say of who asks, and for which place."""

    token: str
    digest: bytes
    """SHA-256 of the token."""
    project: str
    environment: str


class Direct(Protocol):
    """A request that came whole, on a connection that its answer is written to at once."""

    path: str
    client: tuple[str, int] | None
    """Address and port of who sent it."""
    caller: Caller | None
    """Who asks, once it is known."""
    sent: Sent | None
    """What its headers say of that, once they were read: as those of the request before, where they are the same."""
    body: bytes
    named: dict[bytes, bytes]
    """Its headers, by their names in small letters."""
    disconnected: bool
    gone: Callable[[], None] | None
    """What is to be done when the client leaves."""
    status: int
    """That of the answer; 0 before it begins."""
    task: asyncio.Task[None] | None
    """What answers."""
    size: int
    """Bytes of the answer's body."""
    told: Headers
    """The answer's headers."""

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer."""
        ...

    def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in pieces."""
        ...

    def piece(self, data: bytes) -> bool:
        """Write a piece; False, and nothing is written, where the client has to be waited for."""
        ...

    def end(self, data: bytes) -> None:
        """Write the last piece."""
        ...

    async def room(self) -> None:
        """Wait until the client has read."""
        ...


Answerer = Callable[[Direct], Awaitable[None]]


class ClientGone(Exception):
    """The client closed the connection; nobody waits for an answer."""


class Connected:
    """What is done within it is cancelled when the client leaves; ClientGone comes out then."""

    def __init__(self, call: Call) -> None:
        self._receive, self._direct = call.receive, call.direct
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._gone = False

    def __enter__(self) -> Connected:
        direct = self._direct
        if direct is None:
            self._task = asyncio.current_task()
            self._timer = asyncio.get_running_loop().call_later(_SOON, self._look)
        elif direct.disconnected:
            raise ClientGone
        else:
            self._task, direct.gone = direct.task, self._leave
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._direct is not None:
            self._direct.gone = None
        if self._timer is not None:
            self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()
        if self._gone and kind is asyncio.CancelledError and self._task is not None and not self._task.uncancel():
            raise ClientGone from None

    def _look(self) -> None:
        self._looking = asyncio.get_running_loop().create_task(self._left())

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self._gone = True
        if self._task is not None:
            self._task.cancel()


class Call:
    """One request of the gateway, and its answer."""

    __slots__ = ("_headers", "direct", "receive", "scope", "send", "trace_id")

    def __init__(self, scope: Scope, receive: Receive, send: Send, direct: Direct | None = None) -> None:
        """A `direct` request is answered on its connection; the others are not used then."""
        self.scope = scope
        self.receive = receive
        self.send = send
        self.trace_id = ""
        """The trace that an error names too, once it is known."""
        self.direct = direct
        self._headers = dict(scope["headers"]) if direct is None else direct.named

    @classmethod
    def of(cls, direct: Direct) -> Call:
        """Return the call of a request that is answered on its connection."""
        return cls(_PLAIN, _never, _never, direct)

    @property
    def caller(self) -> Caller:
        """Who asks, as whoever mounts the gateway found out. Raises Unauthenticated."""
        direct = self.direct
        caller: Caller | None = self.scope.get("state", {}).get("caller") if direct is None else direct.caller
        if caller is None:
            raise Unauthenticated("No API key was sent.", hint="Send 'Authorization: Bearer ms_…'.")
        return caller

    @property
    def peer(self) -> str:
        """The address that it came from; empty where nobody knows."""
        peer = self.scope.get("client") if self.direct is None else self.direct.client
        return peer[0] if peer else ""

    def header(self, name: bytes) -> str:
        """Return a header by its name in small letters; empty where there is none."""
        found = self._headers.get(name)
        return found.decode("latin-1") if found is not None else ""

    @property
    def headers(self) -> dict[str, str]:
        """All headers, by their names in small letters."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self._headers.items()}

    async def body(self) -> bytes:
        """Return the whole body. Raises ClientGone where it does not come."""
        if self.direct is not None:
            return self.direct.body
        message = await self.receive()
        whole: bytes = message.get("body", b"")
        while message.get("more_body"):
            message = await self.receive()
            whole += message.get("body", b"")
        if message["type"] == "http.disconnect":
            raise ClientGone
        return whole

    async def reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Answer at once, in JSON."""
        raw = [_JSON, (b"content-length", b"%d" % len(body)), _SAFE, *_raw(headers)]
        if self.direct is not None:
            self.direct.whole(status, raw, body)
            return
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})

    async def stream(
        self,
        telling: Telling,
        piece: Piece,
        rest: AsyncGenerator[Piece, None],
        headers: Mapping[str, str],
        relay: Relay | None = None,
    ) -> None:
        """Answer with a stream from its first piece on; a failure in its middle is its end.

        The rest is closed in any case. What comes by the `relay` in the meantime is told at once. Raises ClientGone
        where the client leaves.
        """
        told: bytes | BaseException
        try:
            told = await self._told(telling, piece, rest, headers, relay)
        except BaseException as error:
            told = error
        # Compiled, a coroutine must not wait within a handler.
        if relay is not None:
            relay.tell = None
        await rest.aclose()
        if not isinstance(told, bytes):
            try:
                raise told
            finally:
                told = b""  # its traceback leads here
        if self.direct is not None:
            self.direct.end(told)
        else:
            await self.send({"type": "http.response.body", "body": told, "more_body": False})

    async def _told(
        self,
        telling: Telling,
        piece: Piece,
        rest: AsyncGenerator[Piece, None],
        headers: Mapping[str, str],
        relay: Relay | None,
    ) -> bytes:
        """Tell a stream but for its end, which is returned."""
        with Connected(self):
            await self._begin([*_EVENTS, _SAFE, *_raw(headers)])
            try:
                begun = telling.opened()
                while not piece.finish_reason:
                    event = telling.told(piece)
                    if begun:
                        event, begun = begun + event, b""
                    await self._more(event)
                    if relay is not None:
                        relay.tell = self._teller(telling)
                    piece = await anext(rest)
                return begun + telling.ended(piece)
            except MainspringError as failure:
                return telling.failed(failure)
            except Exception:
                # The head has left: an error can only be told as an event.
                _log.exception("a stream failed")
                return telling.failed(MainspringError("The server failed.", hint="See its log in the home folder."))

    async def _begin(self, headers: Headers) -> None:
        if self.direct is not None:
            self.direct.begin(200, headers)
        else:
            await self.send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _more(self, data: bytes) -> None:
        direct = self.direct
        if direct is None:
            await self.send({"type": "http.response.body", "body": data, "more_body": True})
            return
        while not direct.piece(data):
            await direct.room()

    def _teller(self, telling: Telling) -> Callable[[Piece], bool]:
        """Return what tells a piece at once; False, and nothing is told, where the client has to be waited for."""
        direct, told, send = self.direct, telling.told, self.send
        if direct is not None:
            write = direct.piece
            return lambda piece: write(told(piece))
        return lambda piece: _at_once(send({"type": "http.response.body", "body": told(piece), "more_body": True}))


def _at_once(sending: Awaitable[None]) -> bool:
    """Send without waiting; False, and nothing is sent, where one would have to wait for the client."""
    steps = sending.__await__()
    try:
        next(steps)
    except StopIteration:
        return True
    steps.close()
    return False


async def _never(*_: Any) -> Any:
    raise RuntimeError("no messages are exchanged with a connection that is written to at once")


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [_pair(name, value) if name != TRACE_HEADER else (_TRACE, value.encode()) for name, value in headers.items()]


@lru_cache(1000)
def _pair(name: str, value: str) -> tuple[bytes, bytes]:
    """Return a header that most answers of a model have alike."""
    return name.encode("latin-1"), _safe(value)


def _safe(value: str) -> bytes:
    """Return a value as a header may say it: some are names that a client wrote."""
    return (value if value.isascii() and value.isprintable() else quote(value, safe=_UNQUOTED)).encode()
