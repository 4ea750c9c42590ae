"""How a span becomes bytes: checked, as JSON, compressed; and the words that a search finds it by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import zstandard

from mainspring.kernel.errors import Invalid
from mainspring.kernel.spans import Span

_SEARCHED = 32_768
"""Characters of one span that are searchable."""
_PREVIEW = 200
_DEEPEST = 32
_ZEROS = "0" * 32
_INT64 = 1 << 63
_HOLDERS = (dict, list, tuple)
"""What a decoded value may hold others in."""

# A dictionary of our own making holds nothing of anybody's data, so erasure never has to reach it; it stands for
# the keys that nearly every span repeats. Bodies written with it need it for ever: add another, never edit it.
_KEYS = (
    b'"attributes":{"gen_ai.operation.name":"chat","gen_ai.provider.name":"openai","gen_ai.request.max_tokens":256,'
    b'"gen_ai.request.temperature":0.0,"gen_ai.request.seed":0,"gen_ai.response.id":"chatcmpl-","gen_ai.response.'
    b'finish_reasons":["stop"],"gen_ai.tool.name":"","gen_ai.tool.call.id":"call_","gen_ai.agent.name":"","llm.'
    b'invocation_parameters":"openinference.span.kind":"LLM","http.response.status_code":200,"server.address":"'
    b'"},"resource":{"service.name":"","telemetry.sdk.language":"python","telemetry.sdk.name":"opentelemetry",'
    b'"telemetry.sdk.version":"1."},"events":[{"name":"exception","time_ns":0,"attributes":{"exception.type":"'
    b'","exception.message":"","exception.stacktrace":"Traceback (most recent call last):\\n  File \\"'
    b'"trace_id":"","span_id":"","parent_id":"","project":"default","environment":"production","name":"chat ",'
    b'"kind":"chat","service":"","start_ns":17,"end_ns":17,"status":"ok","status_message":"","model":"","provider":"'
    b'","deployment":"","release":"release/","prompt":"prompt/","session_id":"","user_id":"","input_tokens":1,'
    b'"output_tokens":1,"cached_tokens":0,"cost":0.0,"ttft_ms":1.0,"input":[{"role":"system","parts":[{"type":"text",'
    b'"content":"You are "}]},{"role":"user","parts":[{"type":"text","content":""}]}],"output":[{"role":"assistant",'
    b'"parts":[{"type":"text","content":""}],"finish_reason":"stop"}]}'
)
_DICTIONARY = zstandard.ZstdCompressionDict(_KEYS, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
Arrived = tuple[Span, bytes]
"""A span and its JSON."""
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Span)


def encode(span: Span) -> bytes:
    """Return the span as JSON. Raises Invalid for one that no store could hold."""
    for name, value, digits in (("trace_id", span.trace_id, 32), ("span_id", span.span_id, 16)):
        if not _is_hex(value, digits) or value == _ZEROS[:digits]:
            raise Invalid(f"{name} {value[:40]!r} is not {digits} lower-case hex digits other than zeros.")
    if span.parent_id and not _is_hex(span.parent_id, 16):
        raise Invalid(f"parent_id {span.parent_id[:40]!r} is not 16 lower-case hex digits.")
    if not span.project:
        raise Invalid("A span belongs to a project.")
    if not 0 <= span.start_ns <= span.end_ns < _INT64:
        raise Invalid(f"A span from {span.start_ns} to {span.end_ns} ns is not possible.")
    for count in (span.input_tokens, span.output_tokens, span.cached_tokens):
        if count is not None and not 0 <= count < 1 << 40:
            raise Invalid(f"{count} tokens are not possible.")
    if span.cost is not None and not 0 <= span.cost < 1e12:
        raise Invalid(f"A cost of {span.cost} is not possible.")
    try:
        return _encoder.encode(span)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Invalid(f"A span cannot be written as JSON: {error}.") from None


def _is_hex(value: str, digits: int) -> bool:
    try:
        return len(value) == digits and bytes.fromhex(value).hex() == value
    except ValueError:
        return False


def decode(data: bytes) -> Span:
    """Return the span of JSON bytes."""
    return _decoder.decode(data)


def arrived(payloads: Iterable[bytes]) -> list[Arrived]:
    """Return spans with the JSON that they are read from."""
    return [(decode(payload), payload) for payload in payloads]


class Packer:
    """Compresses and expands bodies; one for each thread, since zstd contexts are not shared."""

    def __init__(self) -> None:
        self._compress = zstandard.ZstdCompressor(level=1, dict_data=_DICTIONARY)
        self._expand = zstandard.ZstdDecompressor(dict_data=_DICTIONARY)

    def pack(self, data: bytes) -> bytes:
        """Return the compressed bytes."""
        return self._compress.compress(data)

    def expand(self, body: bytes) -> bytes:
        """Return the bytes of a compressed body."""
        return self._expand.decompress(body)

    def span(self, body: bytes) -> Span:
        """Return the span of a compressed body."""
        return decode(self._expand.decompress(body))


def searchable(*spans: Span) -> str:
    """Return the text of spans that their words are indexed from; what several of them say stands there once."""
    told: dict[str, None] = {}
    known: set[int] = set()
    for span in spans:
        found = [span.name, span.status_message]
        _collect(span.input, found)
        _collect(span.output, found)
        for value in span.attributes.values():
            if isinstance(value, str):
                found.append(value)
            # Spans may share a value, such as the definitions of tools: it is walked through once.
            elif isinstance(value, _HOLDERS) and id(value) not in known:
                known.add(id(value))
                _collect(value, found)
        if span.events:
            _collect(span.events, found)
        if len(spans) == 1:
            return "\n".join(found)[:_SEARCHED]
        told |= dict.fromkeys(found if sum(map(len, found)) <= _SEARCHED else _cut(found))
    return "\n".join(told)


def _cut(texts: list[str]) -> list[str]:
    """Return the texts up to the most that is searchable of one span."""
    return "\n".join(texts)[:_SEARCHED].split("\n")


def preview(value: Any) -> str:
    """Return the beginning of what was said last: one line, at most 200 characters."""
    if isinstance(value, list):
        value = value[-1] if value and value[-1] else next((item for item in reversed(value) if item), "")
    if isinstance(value, dict):
        value = value.get("parts", value.get("content", value))
    if isinstance(value, dict | list):
        found: list[str] = []
        for part in value if isinstance(value, list) else (value,):
            said = part.get("content", part) if isinstance(part, dict) else part
            if type(said) is str:
                found.append(said)
            else:
                _collect(said, found)
        value = found[0] if len(found) == 1 else " ".join(found)
    text = "" if value is None else str(value)
    head = text[:_PREVIEW]
    # Most texts begin with words that one space parts: these need not be taken apart and put together again.
    if head.isprintable() and "  " not in head and head == (head.lstrip() if len(text) > _PREVIEW else head.strip()):
        return head
    return " ".join(text[: _PREVIEW * 4].split())[:_PREVIEW]


def _collect(value: Any, found: list[str]) -> None:
    """Add every text within a value, what lies less deep first."""
    if isinstance(value, str):
        found.append(value)
    level: list[Any] = [value] if isinstance(value, _HOLDERS) else []
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for holder in level:
            # As a list, whichever it is: then one loop is compiled to what is quick for lists.
            held: list[Any] = list(holder.values()) if isinstance(holder, dict) else list(holder)
            for item in held:
                if isinstance(item, str):
                    found.append(item)
                elif isinstance(item, (dict, list, tuple)):
                    below.append(item)
        if not below:
            return
        level = below
