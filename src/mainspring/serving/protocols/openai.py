"""The OpenAI protocol: chat completions and completions, and the errors of all its endpoints.

Shapes follow the OpenAI API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mainspring.kernel.errors import (
    Denied,
    Invalid,
    LimitReached,
    MainspringError,
    NotFound,
    Unauthenticated,
)
from mainspring.kernel.ports import JSON
from mainspring.serving.models import Answer, Operation, Piece, Usage
from mainspring.serving.parts import cache_mark
from mainspring.serving.protocols.base import (
    Ask,
    Head,
    Problem,
    Telling,
    decode,
    given,
    is_image,
    plain,
    sse,
)
from mainspring.serving.protocols.openai_bodies import ChatBody, TextBody

_ID, _MODEL, _CREATED = b'"id":', b'"model":', b'"created":'
_ROLES = ("system", "developer", "user", "assistant", "tool")
_PLAIN_ROLES = ("system", "user", "assistant")
"""Whose messages are kept as they came where they are mere text."""
_UNSUPPORTED = ("logprobs", "top_logprobs", "echo", "best_of", "suffix", "logit_bias", "audio", "functions")
"""Options whose silent omission would change the answer's meaning."""
_OPTIONS = ("max_tokens", "temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "seed", "stop")
_CHAT_OPTIONS = (
    "response_format", "tools", "tool_choice", "parallel_tool_calls", "reasoning_effort", "verbosity", "service_tier",
    "prompt_cache_key",
)  # fmt: skip
_EVERY_OPTION = (*_OPTIONS, *_CHAT_OPTIONS)


class Chat:
    """`POST /v1/chat/completions`."""

    operation: Operation = "chat"
    passes = True

    def decode(self, raw: bytes) -> Ask:
        """Return what a body asks. Raises Invalid."""
        body = decode(raw, ChatBody, _UNSUPPORTED)
        options = given(body, _EVERY_OPTION)
        if body.max_completion_tokens:
            options["max_tokens"] = body.max_completion_tokens
        return Ask(
            model=body.model,
            messages=messages_of(body),
            options=options,
            variables=body.variables,
            prompt=body.prompt,
            stream=body.stream,
            wants_usage=body.stream_options is not None and body.stream_options.include_usage,
            user=body.user or "",
            metadata=body.metadata or {},
        )

    def whole(self, ask: Ask, head: Head, answer: Answer) -> dict[str, Any]:
        """Return the body of a whole answer."""
        return whole(self.operation, head, answer)

    def telling(self, ask: Ask, head: Head) -> Telling:
        """Return what tells a stream."""
        return _Telling(self.operation, ask, head)

    def error(self, failure: MainspringError) -> Problem:
        """Return an error."""
        return error(failure)


class Completions(Chat):
    """`POST /v1/completions`."""

    operation = "text_completion"
    passes = False

    def decode(self, raw: bytes) -> Ask:
        """Return what a body asks. Raises Invalid."""
        body = decode(raw, TextBody, _UNSUPPORTED)
        return Ask(
            model=body.model,
            messages=[{"role": "user", "content": body.text}],
            operation=self.operation,
            options=given(body, _OPTIONS),
            stream=body.stream,
            wants_usage=body.stream_options is not None and body.stream_options.include_usage,
            user=body.user or "",
            metadata=body.metadata or {},
        )


class _Telling:
    """A stream of chunks."""

    def __init__(self, operation: Operation, ask: Ask, head: Head) -> None:
        self._operation, self._ask, self._head = operation, ask, head
        self._labels: list[tuple[bytes, bytes]] | None = None
        self._theirs = self._ours = b""
        """How the first of a provider's events begins, up to what it says, and what our answer has in its place."""

    def opened(self) -> bytes:
        return sse(chunk(self._operation, None, self._head)) if self._operation == "chat" else b""

    def told(self, piece: Piece) -> bytes:
        if not piece.raw:
            return sse(chunk(self._operation, piece, self._head))
        raw = piece.raw
        if self._labels is None:
            self._labels = _labels(raw, self._head)
            self._theirs = raw[: max(0, raw.find(b'"choices":'))]
            self._ours = self._labelled(self._theirs)
        # Most providers begin every event alike; one event has no other line break than its last two.
        size = len(self._theirs)
        if size and raw.startswith(self._theirs) and raw.find(b"\n") == len(raw) - 2:
            after = raw[size:]
            # For bytes, `in` is several times dearer than `find`.
            if after.find(_ID) < 0 and after.find(_MODEL) < 0 and after.find(_CREATED) < 0:
                return self._ours + after
        return self._labelled(raw)

    def _labelled(self, raw: bytes) -> bytes:
        for theirs, ours in self._labels or ():
            raw = raw.replace(theirs, ours)
        return raw

    def ended(self, piece: Piece) -> bytes:
        last = self.told(piece)
        if self._ask.wants_usage and piece.usage is not None:
            last += sse(usage_chunk(self._operation, piece, self._head))
        return last + sse("[DONE]")

    def failed(self, failure: MainspringError) -> bytes:
        return sse(error(failure)[1])


def _labels(raw: bytes, head: Head) -> list[tuple[bytes, bytes]]:
    """Return what of a provider's events is to be replaced by what: the answer has our id, and the model as asked.

    Within a text every quotation mark is escaped, so that none of it is taken for a field.
    """
    first = msgspec.json.decode(raw[raw.index(b"{") : raw.index(b"\n\n")])
    made: list[tuple[bytes, bytes]] = []
    for name, ours in (("id", f"chatcmpl-{head.trace_id}"), ("model", head.model), ("created", head.created)):
        theirs = msgspec.json.encode(first.get(name))
        field = b'"%b":' % name.encode()
        own = field + msgspec.json.encode(ours)
        made += [(field + theirs, own), (field + b" " + theirs, own)]
    return made


def messages_of(body: ChatBody) -> list[dict[str, JSON]]:
    """Return the messages, whose content is text, or parts. Raises Invalid for none, or an unknown shape."""
    if not body.messages and not body.prompt:
        raise Invalid("messages: there are none.", hint="Send at least one message.", param="messages")
    return [_message(message, f"messages[{index}]") for index, message in enumerate(body.messages)]


def _message(message: dict[str, Any], where: str) -> dict[str, JSON]:
    role = message.get("role")
    if len(message) == 2 and role in _PLAIN_ROLES and type(message.get("content")) is str:
        return message
    if role not in _ROLES:
        raise Invalid(f"{where}.role is {role!r}.", hint=f"One of {', '.join(_ROLES)}.", param=f"{where}.role")
    calls = message.get("tool_calls")
    kept: dict[str, JSON] = {"role": "system" if role == "developer" else role}
    said = message.get("content")
    said = message.get("refusal") if said is None else said
    kept["content"] = _content(said, f"{where}.content", optional=bool(calls))
    if calls:
        kept["tool_calls"] = _calls(calls, where)
    if role == "tool":
        kept["tool_call_id"] = str(message.get("tool_call_id", ""))
    return kept


def _content(content: Any, where: str, *, optional: bool) -> str | list[dict[str, JSON]]:
    """Return text, or parts where there are images or marks for a cache."""
    if isinstance(content, str):
        return content
    if content is None and optional:
        return ""
    return plain([_part(part, where) for part in (content if isinstance(content, list) else [None])])


def _part(part: Any, where: str) -> dict[str, JSON]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    made: dict[str, JSON] | None = None
    if kind == "text" and isinstance(part.get("text"), str):
        made = {"type": "text", "text": part["text"]}
    elif kind == "refusal" and isinstance(part.get("refusal"), str):
        made = {"type": "text", "text": part["refusal"]}
    elif kind == "image_url" and isinstance(image := part.get("image_url"), Mapping) and is_image(image.get("url")):
        detail = {"detail": image["detail"]} if image.get("detail") in ("auto", "low", "high") else {}
        made = {"type": "image_url", "image_url": {"url": image["url"], **detail}}
    if made is None:
        hint = "Send parts of type text or image_url."
        raise Invalid(f"{where} is neither text nor an image.", hint=hint, param=where)
    return {**made, **cache_mark(part)}


def _calls(calls: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise Invalid(f"{where}.tool_calls is not a list of calls.", param=f"{where}.tool_calls")
    return [
        {
            "id": str(call.get("id", "")),
            "type": "function",
            "function": {
                "name": str((call.get("function") or {}).get("name", "")),
                "arguments": str((call.get("function") or {}).get("arguments", "")),
            },
        }
        for call in calls
    ]


def whole(operation: Operation, head: Head, answer: Answer) -> dict[str, Any]:
    """Return a whole answer."""
    choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": answer.finish_reason}
    if operation == "chat":
        message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
        if answer.tool_calls:
            message["tool_calls"] = list(answer.tool_calls)
        choice["message"] = message if answer.tool_calls else {**message, "content": answer.text}
    else:
        choice["text"] = answer.text
    kind = "chat.completion" if operation == "chat" else "text_completion"
    return {**_head(operation, kind, head), "choices": [choice], "usage": tokens(answer.usage)}


def chunk(operation: Operation, piece: Piece | None, head: Head) -> dict[str, Any]:
    """Return one chunk of a stream; without a piece, the first one of a chat, which names the role."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": None, "logprobs": None}
    if operation == "chat":
        choice["delta"] = {"role": "assistant", "content": ""} if piece is None else _delta(piece)
    else:
        choice["text"] = piece.text if piece else ""
    if piece is not None and piece.finish_reason:
        choice["finish_reason"] = piece.finish_reason
    kind = "chat.completion.chunk" if operation == "chat" else "text_completion"
    return {**_head(operation, kind, head), "choices": [choice]}


def usage_chunk(operation: Operation, piece: Piece, head: Head) -> dict[str, Any]:
    """Return the chunk that tells the usage at the end of a stream, where the client asked for it.

    `usage.cost`, in US dollars, is ours: it stands there where the price was looked up.
    """
    kind = "chat.completion.chunk" if operation == "chat" else "text_completion"
    used = tokens(piece.usage or Usage()) | ({} if piece.cost is None else {"cost": piece.cost})
    return {**_head(operation, kind, head), "choices": [], "usage": used}


def _head(operation: Operation, kind: str, head: Head) -> dict[str, Any]:
    prefix = "chatcmpl" if operation == "chat" else "cmpl"
    return {"id": f"{prefix}-{head.trace_id}", "object": kind, "created": head.created, "model": head.model}


def _delta(piece: Piece) -> dict[str, Any]:
    delta: dict[str, Any] = {"content": piece.text} if piece.text else {}
    if piece.tool_calls:
        delta["tool_calls"] = list(piece.tool_calls)
    return delta


def tokens(usage: Usage) -> dict[str, Any]:
    """Return the usage; input includes what was cached."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def error(failure: MainspringError) -> Problem:
    """Return status, body and headers of an error."""
    status, kind, code = failure.status, "api_error", failure.code
    headers: dict[str, str] = {}
    if isinstance(failure, Unauthenticated):
        kind, code = "authentication_error", "invalid_api_key"
    elif isinstance(failure, Denied):
        kind = "permission_error"
    elif isinstance(failure, NotFound):
        kind, code = "invalid_request_error", "model_not_found"
    elif isinstance(failure, LimitReached):
        spent = code == "insufficient_quota"
        kind, code = (code, code) if spent else ("rate_limit_error", "rate_limit_exceeded")
        headers["retry-after"] = str(failure.details.get("retry_after", 1))
    elif isinstance(failure, Invalid):
        status, kind = (400 if status == 422 else status), "invalid_request_error"
    elif status == 503:
        headers["retry-after"] = str(failure.details.get("retry_after", 1))
    message = f"{failure.message} {failure.hint}".strip()
    return (
        status,
        {"error": {"message": message, "type": kind, "param": failure.details.get("param"), "code": code}},
        headers,
    )
