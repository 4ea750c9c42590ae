"""Hearing: the events of a provider's answer, as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.kernel.errors import Unavailable
from mainspring.kernel.ports import JSON
from mainspring.registry import Remote, provider_said
from mainspring.serving.models import Piece, Relay
from mainspring.serving.remote import anthropic, openai
from mainspring.serving.transport import Answer
from mainspring.serving.upstream import Events

if TYPE_CHECKING:
    from mainspring.serving.remote.wire import Asking

_LARGEST_EVENT = 8 << 20


async def events(
    asking: Asking, remote: Remote, path: str, body: Mapping[str, JSON], *, joined: bool, relay: Relay | None
) -> Events:
    """Ask, and yield the events of the answer, as `Remotes.stream` says."""
    with asking:
        answer = await asking.post(path, body, remote.patience.first_token_seconds)
        told: Events
        if remote.kind == "anthropic":
            told = anthropic.events(_heard(remote, answer))
        elif joined:
            told = _passed(remote, answer, relay)
        else:
            told = openai.events(_heard(remote, answer))
        async with aclosing(told) as every:
            async for event in every:
                yield event
        answer.ended = True


async def _heard(remote: Remote, answer: Answer) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the data of each server-sent event. Raises what an event of an error says."""
    rest = b""
    while chunk := await answer.piece():
        lines, rest = _lines(remote, rest + chunk)
        for line in lines:
            if line.startswith(b"data:"):
                data = line[5:].strip()
                if data == b"[DONE]":
                    return
                yield _event_of(remote, data)


async def _passed(remote: Remote, answer: Answer, relay: Relay | None) -> Events:
    """Yield what a chat of OpenAI's dialect says: mere text with the bytes that brought it, all else decoded.

    Raises Unavailable where it ends before its end, and what an event of an error says.
    """
    rest, finished = b"", False

    def through(chunk: bytes) -> bool:
        """Pass one whole event of mere text on."""
        if relay is None or not chunk.startswith(b"data: ") or chunk.find(b"\n\n") != len(chunk) - 2:
            return False
        text = _mere_text(chunk[6:-2])
        return bool(text) and relay(Piece(text=text, raw=chunk))

    while chunk := await answer.piece(None if rest else through):
        lines, rest = _lines(remote, rest + chunk)
        texts, raw = "", b""
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if text := _mere_text(data):
                texts, raw = texts + text, b"%bdata: %b\n\n" % (raw, data)
                continue
            if raw:
                yield Piece(text=texts, raw=raw)
                texts, raw = "", b""
            if data == b"[DONE]":
                openai.ended(finished)
                return
            event = _event_of(remote, data)
            finished = finished or openai.finishes(event)
            yield event
        if raw:
            yield Piece(text=texts, raw=raw)
    openai.ended(finished)


def _lines(remote: Remote, data: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole lines, and what is there of the next one."""
    *lines, rest = data.split(b"\n")
    if len(rest) > _LARGEST_EVENT:
        raise Unavailable(f"{remote.provider} sent an event that is too large.")
    return lines, rest


def _event_of(remote: Remote, data: bytes) -> dict[str, Any]:
    event = decoded(remote, data)
    if event.get("error"):
        raise Unavailable(f"{remote.provider} failed: {provider_said(remote, event) or 'an error'}.")
    return event


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: Any = None


class _Choice(msgspec.Struct):
    delta: _Delta
    index: int = 0
    finish_reason: str | None = None


class _Event(msgspec.Struct):
    choices: list[_Choice]
    usage: Any = None
    error: Any = None


_event = msgspec.json.Decoder(_Event).decode


def _mere_text(data: bytes) -> str:
    """Return the text that an event of a chat brings, where it brings nothing else that matters; else nothing."""
    try:
        event = _event(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if len(event.choices) != 1 or event.usage or event.error:
        return ""
    choice = event.choices[0]
    plain = not (choice.index or choice.finish_reason or choice.delta.tool_calls)
    return (choice.delta.content or "") if plain else ""


def decoded(remote: Remote, data: bytes) -> dict[str, Any]:
    """Return what a provider sent. Raises Unavailable where it is no JSON object."""
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unavailable(f"{remote.provider} sent what is no JSON object.", hint="Is its URL that of its /v1?")
    return found
