"""A vendor's server: speaks OpenAI's dialect and Anthropic's, answers `words`, and does what a test tells it."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

OPENAI_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 40,
    "total_tokens": 140,
    "prompt_tokens_details": {"cached_tokens": 60},
    "completion_tokens_details": {"reasoning_tokens": 25},
}
ANTHROPIC_USAGE = {
    "input_tokens": 30,
    "output_tokens": 40,
    "cache_read_input_tokens": 60,
    "cache_creation_input_tokens": 10,
    "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 4},
    "output_tokens_details": {"thinking_tokens": 25},
}
"""The same hundred tokens in: of them 60 were read from the cache, and here 10 were written to it."""
KEY = "vendor-key-1234"


class Vendor:
    """The server; `app` is its ASGI application."""

    def __init__(self) -> None:
        self.url = ""
        self.words = ["Hello", " there", "."]
        self.reason = "stop"
        self.tool_calls: list[dict[str, Any]] = []
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.arrivals: list[float] = []
        """When each request came, on the monotonic clock."""
        self.fail: tuple[int, Any] | None = None
        self.fail_headers: dict[str, str] = {}
        self.fail_first: int | None = None
        """So many requests fail, those after them are answered; none: all fail."""
        self.break_after = -1
        """Send an event of an error after so many words."""
        self.die_after = -1
        """Close the connection after so many words."""
        self.hold_after = -1
        """Wait for the client to leave after so many words; 0: before anything."""
        self.left = threading.Event()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies that came."""
        return [body for _, _, body in self.requests]

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as an ASGI application."""
        request = Request(scope, receive)
        body = await request.json() if scope["method"] == "POST" else {}
        headers = dict(request.headers)
        path = scope["path"]
        self.requests.append((path, headers, body))
        self.arrivals.append(time.monotonic())
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if key != KEY:
            error = {"type": "authentication_error", "message": f"wrong key {key}"}
            await JSONResponse({"type": "error", "error": error}, 401)(scope, receive, send)
        elif self.fail is not None and (self.fail_first is None or len(self.requests) <= self.fail_first):
            await JSONResponse(self.fail[1], self.fail[0], self.fail_headers)(scope, receive, send)
        elif path == "/v1/models":
            await JSONResponse({"data": [{"id": "big"}, {"id": "small"}]})(scope, receive, send)
        elif path == "/v1/embeddings":
            await JSONResponse(self._embedded(body))(scope, receive, send)
        elif path == "/v1/messages/count_tokens":
            await JSONResponse({"input_tokens": 17})(scope, receive, send)
        elif self.hold_after == 0:
            await self._until_left(receive)
        elif body.get("stream"):
            await self._stream(path, receive, send)
        else:
            await JSONResponse(self._whole(path))(scope, receive, send)

    def _whole(self, path: str) -> dict[str, Any]:
        text = "".join(self.words)
        if path == "/v1/messages":
            content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
            for call in self.tool_calls:
                content.append({"type": "tool_use", "id": call["id"], "name": call["name"], "input": call["input"]})
            return {**self._head(), "content": content, **self._anthropic_end(), "usage": ANTHROPIC_USAGE}
        choice: dict[str, Any] = {"index": 0, "finish_reason": "tool_calls" if self.tool_calls else self.reason}
        if path == "/v1/completions":
            choice["text"] = text
        else:
            choice["message"] = {"role": "assistant", "content": text or None}
            if self.tool_calls:
                choice["message"]["tool_calls"] = [self._call(call) for call in self.tool_calls]
        kind = "text_completion" if path == "/v1/completions" else "chat.completion"
        head = {"id": "made-1", "object": kind, "created": 1, "model": "big"}
        return {**head, "choices": [choice], "usage": OPENAI_USAGE}

    def _head(self) -> dict[str, Any]:
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": "big"}

    def _anthropic_end(self) -> dict[str, Any]:
        if self.reason not in ("stop", "length"):
            return {"stop_reason": "stop_sequence", "stop_sequence": self.reason}
        reason = {"stop": "end_turn", "length": "max_tokens"}[self.reason]
        return {"stop_reason": "tool_use" if self.tool_calls else reason, "stop_sequence": None}

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        function = {"name": call["name"], "arguments": json.dumps(call["input"])}
        return {"id": call["id"], "type": "function", "function": function}

    def _embedded(self, body: dict[str, Any]) -> dict[str, Any]:
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        size = body.get("dimensions", 3)
        data = [{"object": "embedding", "index": n, "embedding": [0.5] * size} for n in range(len(texts))]
        return {"object": "list", "data": data, "model": "big", "usage": {"prompt_tokens": 9, "total_tokens": 9}}

    async def _until_left(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()

    async def _stream(self, path: str, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        speak = self._anthropic if path == "/v1/messages" else self._openai

        async def event(data: Any, name: str = "") -> None:
            text = data if isinstance(data, str) else json.dumps(data)
            named = f"event: {name}\n" if name else ""
            await send({"type": "http.response.body", "body": f"{named}data: {text}\n\n".encode(), "more_body": True})

        if await speak(path, event, receive):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _interrupted(self, index: int, event: Any, receive: Any) -> bool:
        """Do what a test wants done before word `index`; True where nothing more is to be sent."""
        if index == self.die_after:
            raise ConnectionAbortedError("died in mid-answer")
        if index == self.hold_after:
            await self._until_left(receive)
            return True
        return False

    async def _openai(self, path: str, event: Any, receive: Any) -> bool:
        head = {"id": "made-1", "object": "chat.completion.chunk", "created": 1, "model": "big"}

        async def choice(**parts: Any) -> None:
            await event({**head, "choices": [{"index": 0, "finish_reason": None, **parts}]})

        for index, word in enumerate(self.words):
            if index == self.break_after:
                await event({"error": {"message": "out of memory", "type": "server_error"}})
                return True
            if await self._interrupted(index, event, receive):
                return False
            await choice(**({"text": word} if path == "/v1/completions" else {"delta": {"content": word}}))
        for index, call in enumerate(self.tool_calls):
            whole = self._call(call)
            arguments = whole["function"]["arguments"]
            begun = {**whole, "index": index, "function": {"name": call["name"], "arguments": ""}}
            await choice(delta={"tool_calls": [begun]})
            for part in (arguments[:4], arguments[4:]):
                await choice(delta={"tool_calls": [{"index": index, "function": {"arguments": part}}]})
        last = {"finish_reason": "tool_calls" if self.tool_calls else self.reason}
        await choice(delta={}, **last)
        await event({**head, "choices": [], "usage": OPENAI_USAGE})
        await event("[DONE]")
        return True

    async def _anthropic(self, path: str, event: Any, receive: Any) -> bool:
        async def tell(kind: str, **parts: Any) -> None:
            await event({"type": kind, **parts}, kind)

        begun = {**self._head(), "content": [], "stop_reason": None, "stop_sequence": None}
        await tell("message_start", message={**begun, "usage": {**ANTHROPIC_USAGE, "output_tokens": 1}})
        await tell("ping")
        at = 0
        if self.words:
            await tell("content_block_start", index=0, content_block={"type": "text", "text": ""})
            for index, word in enumerate(self.words):
                if index == self.break_after:
                    await event(
                        {"type": "error", "error": {"type": "overloaded_error", "message": "out of memory"}}, "error"
                    )
                    return True
                if await self._interrupted(index, event, receive):
                    return False
                await tell("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
            await tell("content_block_stop", index=0)
            at = 1
        for index, call in enumerate(self.tool_calls, at):
            block = {"type": "tool_use", "id": call["id"], "name": call["name"], "input": {}}
            await tell("content_block_start", index=index, content_block=block)
            arguments = json.dumps(call["input"])
            for part in (arguments[:4], arguments[4:]):
                await tell("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": part})
            await tell("content_block_stop", index=index)
        used = {"output_tokens": 40, "output_tokens_details": ANTHROPIC_USAGE["output_tokens_details"]}
        await tell("message_delta", delta=self._anthropic_end(), usage=used)
        await tell("message_stop")
        return True
