"""The OpenAI protocol: bodies in, answers, chunks and errors out.

Shapes follow the OpenAI API reference for chat completions, completions, embeddings and models.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

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

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T", bound=Struct)
Tokens = Annotated[int, Meta(ge=1, le=131072)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Text = Annotated[str, Meta(max_length=1_000_000)]
Short = Annotated[str, Meta(max_length=256)]

_ROLES = ("system", "developer", "user", "assistant", "tool")
_UNSUPPORTED = ("logprobs", "top_logprobs", "echo", "best_of", "suffix", "logit_bias", "audio", "functions")
"""Options whose silent omission would change the answer's meaning."""
_CHAT_OPTIONS = (
    "response_format", "tools", "tool_choice", "parallel_tool_calls", "reasoning_effort", "verbosity", "service_tier",
    "prompt_cache_key",
)  # fmt: skip
_IMAGE = re.compile(r"https?://\S|data:image/[a-z0-9.+-]+;base64,[A-Za-z0-9+/]")


class StreamOptions(Struct):
    """How a stream is told."""

    include_usage: bool = False


class _Options(Struct, kw_only=True):
    """What chat and text completions have in common."""

    model: Short
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=1000)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: Short | Annotated[list[Short], Meta(max_length=16)] | None = None
    n: Annotated[int, Meta(ge=1, le=1)] | None = None
    user: Short | None = None
    metadata: Annotated[dict[Short, Annotated[str, Meta(max_length=2048)]], Meta(max_length=32)] | None = None

    def common(self) -> dict[str, JSON]:
        """Return the generation options that were given."""
        names = ("max_tokens", "temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "seed", "stop")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class ChatBody(_Options, kw_only=True):
    """The body of `POST /v1/chat/completions`.

    Ours are `prompt`, a prompt version that a bare model is asked through, and `variables`: values for it, or for the
    prompt of a release. With a prompt the messages may be left out.
    """

    messages: Annotated[list[dict[str, Any]], Meta(max_length=2048)] = []
    prompt: Annotated[str, Meta(max_length=300)] = ""
    max_completion_tokens: Tokens | None = None
    response_format: dict[str, Any] | None = None
    tools: Annotated[list[dict[str, Any]], Meta(max_length=128)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Short | None = None
    verbosity: Short | None = None
    service_tier: Short | None = None
    prompt_cache_key: Short | None = None
    variables: Annotated[dict[Short, Any], Meta(max_length=256)] = {}

    def options(self) -> dict[str, JSON]:
        """Return the generation options that were given."""
        given = {name: value for name in _CHAT_OPTIONS if (value := getattr(self, name)) is not None}
        limit = {"max_tokens": self.max_completion_tokens} if self.max_completion_tokens else {}
        return {**self.common(), **limit, **given}


class TextBody(_Options, kw_only=True):
    """The body of `POST /v1/completions`."""

    prompt: Text | Annotated[list[Text], Meta(min_length=1, max_length=1)]

    @property
    def text(self) -> str:
        """The text to be continued."""
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]


class EmbeddingsBody(Struct, kw_only=True):
    """The body of `POST /v1/embeddings`."""

    model: Short
    input: Text | Annotated[list[Text], Meta(min_length=1, max_length=2048)]
    encoding_format: str = "float"
    dimensions: int | None = None
    user: Short | None = None

    @property
    def texts(self) -> list[str]:
        """The texts."""
        return [self.input] if isinstance(self.input, str) else self.input


def decode(raw: bytes, shape: type[T]) -> T:
    """Decode and check a body. Raises Invalid that names the parameter."""
    try:
        body = msgspec.json.decode(raw)
        found = msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        name = re.sub(r"[`$]", "", path).lstrip(".")
        raise Invalid(f"{name or 'The body'}: {message}.", param=name or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("The body is not valid JSON.", hint="Send a JSON object.") from None
    for name in _UNSUPPORTED:
        if body.get(name) and not (name == "best_of" and body[name] == 1):
            raise Invalid(f"'{name}' is not supported.", hint="Leave it out.", param=name)
    return found


def messages_of(body: ChatBody) -> list[dict[str, JSON]]:
    """Return the messages, whose content is text, or parts. Raises Invalid for none, or an unknown shape."""
    if not body.messages and not body.prompt:
        raise Invalid("messages: there are none.", hint="Send at least one message.", param="messages")
    return [_message(message, f"messages[{index}]") for index, message in enumerate(body.messages)]


def _message(message: Mapping[str, Any], where: str) -> dict[str, JSON]:
    role = message.get("role")
    if role not in _ROLES:
        raise Invalid(f"{where}.role is {role!r}.", hint=f"One of {', '.join(_ROLES)}.", param=f"{where}.role")
    calls = message.get("tool_calls")
    kept: dict[str, JSON] = {"role": "system" if role == "developer" else role}
    kept["content"] = _content(message.get("content"), f"{where}.content", optional=bool(calls))
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
    parts = [_part(part, where) for part in (content if isinstance(content, list) else [None])]
    if all(part["type"] == "text" and "cache_control" not in part for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part(part: Any, where: str) -> dict[str, JSON]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    made: dict[str, JSON] | None = None
    if kind == "text" and isinstance(part.get("text"), str):
        made = {"type": "text", "text": part["text"]}
    elif kind == "image_url" and isinstance(image := part.get("image_url"), Mapping) and is_image(image.get("url")):
        detail = {"detail": image["detail"]} if image.get("detail") in ("auto", "low", "high") else {}
        made = {"type": "image_url", "image_url": {"url": image["url"], **detail}}
    if made is None:
        hint = "Send parts of type text or image_url."
        raise Invalid(f"{where} is neither text nor an image.", hint=hint, param=where)
    return {**made, **cache_mark(part)}


def is_image(url: Any) -> bool:
    """Tell whether a URL may stand for an image: one of the web, or data in base64."""
    return isinstance(url, str) and _IMAGE.match(url) is not None


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


def whole(operation: Operation, answer: Answer, *, model: str, created: int) -> dict[str, Any]:
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
    return {
        **_head(operation, kind, answer.trace_id, model, created),
        "choices": [choice],
        "usage": tokens(answer.usage),
    }


def chunk(operation: Operation, piece: Piece | None, *, trace_id: str, model: str, created: int) -> dict[str, Any]:
    """Return one chunk of a stream; without a piece, the first one of a chat, which names the role."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": None, "logprobs": None}
    if operation == "chat":
        choice["delta"] = {"role": "assistant", "content": ""} if piece is None else _delta(piece)
    else:
        choice["text"] = piece.text if piece else ""
    if piece is not None and piece.finish_reason:
        choice["finish_reason"] = piece.finish_reason
    kind = "chat.completion.chunk" if operation == "chat" else "text_completion"
    return {**_head(operation, kind, trace_id, model, created), "choices": [choice]}


def usage_chunk(operation: Operation, piece: Piece, *, trace_id: str, model: str, created: int) -> dict[str, Any]:
    """Return the chunk that tells the usage at the end of a stream, where the client asked for it.

    `usage.cost`, in US dollars, is ours: it stands there where the price was looked up.
    """
    kind = "chat.completion.chunk" if operation == "chat" else "text_completion"
    used = tokens(piece.usage or Usage()) | ({} if piece.cost is None else {"cost": piece.cost})
    return {**_head(operation, kind, trace_id, model, created), "choices": [], "usage": used}


def _head(operation: Operation, kind: str, trace_id: str, model: str, created: int) -> dict[str, Any]:
    prefix = "chatcmpl" if operation == "chat" else "cmpl"
    return {"id": f"{prefix}-{trace_id}", "object": kind, "created": created, "model": model}


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


def embeddings(vectors: np.ndarray, *, model: str, tokens: int, encoding: str) -> dict[str, Any]:
    """Return embeddings of shape (n, dimensions), as numbers or as base64 of little-endian float32."""

    def shown(row: np.ndarray) -> Any:
        if encoding == "base64":
            return base64.b64encode(row.astype("<f4").tobytes()).decode()
        return [float(value) for value in row]

    data = [{"object": "embedding", "index": index, "embedding": shown(row)} for index, row in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def models(names: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """Return the list of models: names and when each was made, in Unix seconds."""
    data = [{"id": name, "object": "model", "created": created, "owned_by": "mainspring"} for name, created in names]
    return {"object": "list", "data": data}


def error(failure: MainspringError) -> tuple[int, dict[str, Any], dict[str, str]]:
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
        headers["retry-after"] = "1"
    message = f"{failure.message} {failure.hint}".strip()
    return (
        status,
        {"error": {"message": message, "type": kind, "param": failure.details.get("param"), "code": code}},
        headers,
    )


def sse(data: Mapping[str, Any] | str) -> bytes:
    """Return one server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()
