"""App: the HTTP face of an engine, in the dialect that llama.cpp's server speaks."""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mainspring.backends.engine_transformers.loop import Job, Loop, Piece
from mainspring.backends.engine_transformers.model import Model
from mainspring.backends.engine_transformers.sampling import Options

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_LARGEST = 64 << 20


class _Refused(Exception):
    """The request is answered with an error."""

    def __init__(self, status: int, kind: str, message: str, **details: int) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": status, "type": kind, "message": message, **details}}


class App:
    """An ASGI application."""

    def __init__(self, loop: Loop, model: Model, *, api_key: str) -> None:
        self._loop = loop
        self._model = model
        self._bearer = f"Bearer {api_key}".encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        try:
            given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
            if not hmac.compare_digest(given, self._bearer):
                raise _Refused(401, "authentication_error", "Invalid API Key")
            path = scope["path"]
            if path in ("/v1/chat/completions", "/v1/completions"):
                await self._complete(path == "/v1/chat/completions", await _body(receive), receive, send)
            elif path == "/slots":
                await _reply(send, 200, self._slots())
            elif path == "/metrics":
                await _reply(send, 200, self._metrics())
            else:
                raise _Refused(404, "not_found_error", "There is no such path.")
        except _Refused as refusal:
            await _reply(send, refusal.status, refusal.body)

    async def _complete(self, chat: bool, body: Mapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            prompt = await asyncio.to_thread(self._prompt, chat, body)
            if len(prompt) >= self._model.context:
                raise _Refused(
                    400,
                    "exceed_context_size_error",
                    "The request exceeds the context.",
                    n_prompt_tokens=len(prompt),
                    n_ctx=self._model.context,
                )
            options = Options.of(body, self._model.context - len(prompt))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _Refused(400, "invalid_request_error", str(error) or type(error).__name__) from None
        here = asyncio.get_running_loop()
        pieces: asyncio.Queue[Piece] = asyncio.Queue()
        job = Job(prompt, options, lambda piece: _told(here, pieces, piece))
        self._loop.submit(job)
        telling = asyncio.ensure_future(
            self._stream(chat, job, pieces, send) if body.get("stream") else self._whole(chat, job, pieces, send)
        )
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                telling.result()
        finally:
            self._loop.cancel(job)
            for task in (telling, leaving):
                task.cancel()

    def _prompt(self, chat: bool, body: Mapping[str, Any]) -> list[int]:
        return self._model.prompt_of(body["messages"]) if chat else self._model.tokens_of(str(body["prompt"]))

    async def _whole(self, chat: bool, job: Job, pieces: asyncio.Queue[Piece], send: Send) -> None:
        text = ""
        while True:
            piece = await pieces.get()
            text += piece.text
            if piece.error:
                await _reply(send, 500, _Refused(500, "server_error", piece.error).body)
                return
            if piece.finish:
                break
        said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        choice = {"index": 0, **said, "finish_reason": piece.finish, "stop_reason": piece.stopped_by or None}
        head = _head(chat, streams=False)
        await _reply(send, 200, {**head, "choices": [choice], "usage": _usage(job)})

    async def _stream(self, chat: bool, job: Job, pieces: asyncio.Queue[Piece], send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        head, first = _head(chat, streams=True), True
        while True:
            piece = await pieces.get()
            if piece.error:
                await _event(send, _Refused(500, "server_error", piece.error).body)
                break
            role = {"role": "assistant"} if first else {}
            said = {"delta": {**role, "content": piece.text}} if chat else {"text": piece.text}
            if piece.text or first:
                await _event(send, {**head, "choices": [{"index": 0, **said, "finish_reason": None}]})
            first = False
            if piece.finish:
                nothing: Message = {"delta": {}} if chat else {"text": ""}
                end = {"finish_reason": piece.finish, "stop_reason": piece.stopped_by or None}
                await _event(send, {**head, "choices": [{"index": 0, **nothing, **end}]})
                await _event(send, {**head, "choices": [], "usage": _usage(job)})
                await _event(send, "[DONE]")
                break
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _slots(self) -> list[Message]:
        return [
            {"id": at, "is_processing": used, "n_ctx": self._model.context, "n_prompt_tokens": tokens}
            for at, (used, tokens) in enumerate(self._loop.slots())
        ]

    def _metrics(self) -> str:
        figures = {
            "prompt_tokens_total": self._loop.totals["prompt"],
            "tokens_predicted_total": self._loop.totals["generated"],
            "tokens_predicted_seconds_total": self._loop.seconds,
            "requests_processing": sum(used for used, _ in self._loop.slots()),
            "requests_deferred": self._loop.waiting,
        }
        return "".join(f"llamacpp:{name} {value}\n" for name, value in figures.items())


def _told(here: asyncio.AbstractEventLoop, pieces: asyncio.Queue[Piece], piece: Piece) -> None:
    if not here.is_closed():
        here.call_soon_threadsafe(pieces.put_nowait, piece)


def _head(chat: bool, *, streams: bool) -> Message:
    kind = ("chat.completion.chunk" if streams else "chat.completion") if chat else "text_completion"
    return {"id": f"cmpl-{secrets.token_hex(8)}", "object": kind, "created": int(time.time()), "model": "engine"}


def _usage(job: Job) -> Message:
    sent = len(job.prompt)
    return {
        "prompt_tokens": sent,
        "completion_tokens": job.made,
        "total_tokens": sent + job.made,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


async def _body(receive: Receive) -> Mapping[str, Any]:
    raw, more = b"", True
    while more:
        message = await receive()
        raw += message.get("body", b"")
        more = message.get("more_body", False)
        if len(raw) > _LARGEST:
            raise _Refused(413, "invalid_request_error", "The request is too large.")
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _Refused(400, "invalid_request_error", "The body is no JSON object.")
    return body


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _reply(send: Send, status: int, body: Any) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = b"text/plain" if isinstance(body, str) else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(raw)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})


async def _event(send: Send, data: Message | str) -> None:
    text = data if isinstance(data, str) else json.dumps(data)
    await send({"type": "http.response.body", "body": f"data: {text}\n\n".encode(), "more_body": True})
