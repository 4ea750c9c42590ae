"""What every protocol turns its requests into, and what it makes of the answers: one normal form in between.

So guards, prompts, traces, usage and prices are written once, and every endpoint has them, streaming or not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
from msgspec import Meta, Struct

from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.kernel.ports import JSON
from mainspring.serving.models import Answer, Message, Operation, Piece

T = TypeVar("T", bound=Struct)
Tokens = Annotated[int, Meta(ge=1, le=131072)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Share = Annotated[float, Meta(ge=0, le=1)]
Text = Annotated[str, Meta(max_length=1_000_000)]
Short = Annotated[str, Meta(max_length=256)]
Parts = Annotated[list[dict[str, Any]], Meta(max_length=2048)]
Tools = Annotated[list[dict[str, Any]], Meta(max_length=128)]
Notes = Annotated[dict[Short, Annotated[str, Meta(max_length=2048)]], Meta(max_length=32)]
Problem = tuple[int, dict[str, Any], dict[str, str]]
"""Status, body and headers of an error."""
_IMAGE = re.compile(r"https?://\S|data:image/[a-z0-9.+-]+;base64,[A-Za-z0-9+/]")


class Ask(Struct, frozen=True, kw_only=True):
    """A request, whichever protocol it came by."""

    model: str
    messages: Sequence[Message]
    operation: Operation = "chat"
    options: Mapping[str, JSON] = {}
    """Generation options by their OpenAI names."""
    variables: Mapping[str, JSON] = {}
    prompt: str = ""
    stream: bool = False
    wants_usage: bool = False
    """Whether a stream is to tell its usage, where the protocol leaves it to the client."""
    user: str = ""
    metadata: Mapping[str, str] = {}
    echo: Mapping[str, JSON] = {}
    """What of the request the protocol repeats in its answer."""


class Head(Struct, frozen=True, kw_only=True):
    """What an answer is headed with."""

    trace_id: str
    model: str
    """As the client wrote it."""
    created: int
    """Unix time in seconds."""


class Telling(Protocol):
    """One stream as a protocol tells it: each method returns the bytes of no, one or several events."""

    def opened(self) -> bytes:
        """Return what comes before everything."""
        ...

    def told(self, piece: Piece) -> bytes:
        """Return what tells a piece of the answer."""
        ...

    def ended(self, piece: Piece) -> bytes:
        """Return the end, of which the last piece knows the finish reason and the usage."""
        ...

    def failed(self, failure: MainspringError) -> bytes:
        """Return the end of a stream that failed in its middle."""
        ...


class Dialect(Protocol):
    """A protocol at one endpoint."""

    passes: bool
    """Whether its streams are made of OpenAI's events of chats, so that a provider's can be passed on."""

    def decode(self, raw: bytes) -> Ask:
        """Return what a body asks. Raises Invalid that names the parameter."""
        ...

    def whole(self, ask: Ask, head: Head, answer: Answer) -> dict[str, Any]:
        """Return the body of a whole answer."""
        ...

    def telling(self, ask: Ask, head: Head) -> Telling:
        """Return what tells a stream."""
        ...

    def error(self, failure: MainspringError) -> Problem:
        """Return an error in the protocol's own shape."""
        ...


def decode(raw: bytes, shape: type[T], unsupported: tuple[str, ...] = ()) -> T:
    """Decode and check a body; of the fields `unsupported` none may say anything. Raises Invalid with the parameter."""
    try:
        found: T = _decoder(shape, unsupported).decode(raw)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        name = re.sub(r"[`$]", "", path).lstrip(".")
        raise Invalid(f"{name or 'The body'}: {message}.", param=name or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("The body is not valid JSON.", hint="Send a JSON object.") from None
    for name in unsupported:
        value = getattr(found, name)
        if value and not (name == "best_of" and value == 1):
            raise Invalid(f"'{name}' is not supported.", hint="Leave it out.", param=name)
    return found


@lru_cache
def _decoder(shape: type[Struct], unsupported: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Return what decodes a shape, and beside it the fields that are to say nothing."""
    more = [(name, Any, None) for name in unsupported]
    return msgspec.json.Decoder(msgspec.defstruct(shape.__name__, more, bases=(shape,), kw_only=True))


def given(body: Struct, names: Sequence[str]) -> dict[str, JSON]:
    """Return the fields of these names that say something."""
    return {name: value for name in names if (value := getattr(body, name)) is not None}


def is_image(url: Any) -> bool:
    """Tell whether a URL may stand for an image: one of the web, or data in base64."""
    return isinstance(url, str) and _IMAGE.match(url) is not None


def plain(parts: Sequence[dict[str, JSON]]) -> str | list[dict[str, JSON]]:
    """Return a message's content: one text where its parts are nothing but text."""
    if all(part["type"] == "text" and "cache_control" not in part for part in parts):
        return "".join(part["text"] for part in parts)
    return list(parts)


def sse(data: Mapping[str, Any] | str, event: str = "") -> bytes:
    """Return one server-sent event."""
    text = data.encode() if isinstance(data, str) else msgspec.json.encode(data)
    named = f"event: {event}\n".encode() if event else b""
    return b"%bdata: %b\n\n" % (named, text)


def arguments(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a whole tool call; what is no JSON object is kept as text under `_raw`."""
    text = str((call.get("function") or {}).get("arguments") or "{}")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"_raw": text}
