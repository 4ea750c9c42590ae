"""Exchange: one call as it goes on, and the span that it becomes."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mainspring.kernel.clock import Clock, Ids
from mainspring.kernel.ports import JSON
from mainspring.kernel.spans import Span, SpanStatus
from mainspring.registry import Remote
from mainspring.serving.cache.models import Hit, Lookup
from mainspring.serving.guarding import Findings
from mainspring.serving.models import Answer, Message, Piece, Question, Target, Usage
from mainspring.serving.restoring import Restoring
from mainspring.traces import span_attributes

if TYPE_CHECKING:
    from mainspring.serving.metering.leases import Ticket

_REQUEST_ATTRIBUTES = {
    "max_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "stop": "gen_ai.request.stop_sequences",
    "seed": "gen_ai.request.seed",
}


_UNUSED = Usage()
_NOTHING = Findings()
"""What is found where no guard looks: nothing is ever added to it."""
_random = random.Random(os.urandom(16))  # noqa: S311 - a span's id is no secret
os.register_at_fork(after_in_child=_random.seed)


class Exchange:
    """What is known of one call: filled in on the way, turned into a span at its end."""

    text = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    finish_reason = ""
    stop_sequence = ""
    ttft_ms: float | None = None
    streams = False
    ticket: Ticket | None = None
    """What the call has reserved, once it has."""
    asked = 0
    """Bytes of what the model was asked."""
    images = 0
    """Images that the model was sent."""
    heard = 0
    """Bytes of text that came back, guarded or not."""
    answered = False
    """Whether a whole answer came back, whatever was in it."""
    lookup: Lookup | None = None
    """What was asked of the cache, where the target has one."""
    estimated = False
    """Whether the usage is an estimate, because nobody counted the tokens."""
    _costed: Usage | None = None
    _nano = 0

    def __init__(self, target: Target, question: Question, clock: Clock, ids: Ids) -> None:
        self.target = target
        self.question = question
        self.sent: Mapping[str, JSON] = {}
        """The options as they went to the engine."""
        self.usage = _UNUSED
        self.findings = Findings(target.policy.timeout_ms) if target.policy is not None else _NOTHING
        self.messages: Sequence[Message] = question.messages if target.policy is None else []
        """The client's messages as they may be stored: none before the guard has read them."""
        self.trace_id = question.origin.trace_id or ids.new().replace("-", "")
        self._span_id = f"{_random.getrandbits(64) or 1:016x}"
        self._start_ns = int(clock.now().timestamp() * 1e9)
        self._began = time.perf_counter_ns()

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the call came in."""
        return (time.perf_counter_ns() - self._began) / 1e6

    @property
    def hit(self) -> Hit | None:
        """The answer that the cache gave."""
        return self.lookup.hit if self.lookup is not None else None

    def hear(self, piece: Piece, usage: Usage | None) -> None:
        """Note what one event of a stream told: that the first token is here, how it ended, what it used."""
        self.heard += _size(piece.text, piece.tool_calls)
        if self.ttft_ms is None and (piece.text or piece.tool_calls):
            self.ttft_ms = self.elapsed_ms
        if usage is not None:
            self.usage = usage
        if piece.finish_reason:
            self.finish_reason, self.stop_sequence = piece.finish_reason, piece.stop_sequence

    def take(self, text: str, calls: Sequence[Mapping[str, Any]], usage: Usage | None) -> None:
        """Note what a whole answer told: how much it is, and what it used."""
        self.answered = True
        self.heard, self.usage = _size(text, calls), usage or Usage()

    def said(self, piece: Piece) -> None:
        """Note a piece of mere text that was passed on."""
        text = piece.text
        self.text += text
        self.heard += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        if self.ttft_ms is None:
            self.ttft_ms = self.elapsed_ms

    @property
    def call(self) -> str:
        """What tells this call from every other."""
        return f"{self.trace_id}-{self._span_id}"

    @property
    def cost(self) -> float | None:
        """US dollars, where the target's price is known here."""
        if self.lookup is not None and self.hit is not None:
            return 0.0
        return None if self.target.price is None else self.nano / 1e9

    @property
    def nano(self) -> int:
        """Nanodollars that the tokens cost; 0 where no price is known here."""
        if self._costed is not self.usage:
            self._costed = self.usage
            self._nano = self.target.price.nano(self.usage) if self.target.price is not None else 0
        return self._nano

    def answer(self) -> Answer:
        """Return the whole answer, with what a mask took out of the request put back for the caller."""
        text, calls = self.text, self.tool_calls
        if self.findings is not _NOTHING:
            restoring = Restoring(self.findings.vault)
            text, calls = restoring.text(text), restoring.calls(calls)
        return Answer(
            text=text,
            tool_calls=calls,
            finish_reason=self.finish_reason,
            stop_sequence=self.stop_sequence,
            usage=self.usage,
            trace_id=self.trace_id,
            cost=self.cost or 0.0,
            latency_ms=self.elapsed_ms,
            ttft_ms=self.ttft_ms,
        )

    def span(self, status: SpanStatus, message: str) -> Span:
        """Return the span of the call."""
        target, question, origin, cost = self.target, self.question, self.question.origin, self.cost
        above = target.above if target.above is not None and self._may_not_be_the_last(status) else None
        output = {"role": "assistant", "parts": self._output_parts(), "finish_reason": self.finish_reason}
        made = Span(
            trace_id=self.trace_id,
            span_id=self._span_id,
            parent_id=origin.parent_id if above is None else above.span_id,
            project=target.project,
            environment=target.environment,
            name=f"{question.operation} {target.deployment or target.model}",
            kind=question.operation,
            service=origin.service,
            start_ns=self._start_ns,
            end_ns=self._start_ns + int(self.elapsed_ms * 1e6),
            status=status,
            status_message=message,
            model=target.model,
            provider=target.provider,
            deployment=target.deployment,
            release=target.release,
            prompt=target.prompt,
            session_id=origin.session_id,
            user_id=origin.user_id,
            input_tokens=self.usage.input_tokens,
            output_tokens=self.usage.output_tokens,
            cached_tokens=self.usage.cached_tokens,
            cost=cost,
            ttft_ms=self.ttft_ms,
            input=[_parts(message) for message in self.messages],
            output=[output] if self.finish_reason else None,
            attributes=self._attributes(),
        )
        if above is not None:
            above.spans.append(made)
        return made

    def _may_not_be_the_last(self, status: SpanStatus) -> bool:
        """Tell whether this is one of several attempts, or the first one and another may follow."""
        above = self.target.above
        if above is None:
            return False
        refused = self.finish_reason == "content_filter" and self.target.policy is None
        return above.attempt > 1 or status == "error" or refused

    def _output_parts(self) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = [{"type": "text", "content": self.text}] if self.text else []
        return parts + [_call_part(call) for call in self.tool_calls]

    def _attributes(self) -> dict[str, Any]:
        target, origin = self.target, self.question.origin
        found: dict[str, Any] = {
            _REQUEST_ATTRIBUTES[option]: value for option, value in self.sent.items() if option in _REQUEST_ATTRIBUTES
        }
        if self.finish_reason:
            found["gen_ai.response.finish_reasons"] = [self.finish_reason]
        if isinstance(target.spec, Remote):
            found["gen_ai.request.model"] = target.spec.model
        if target.arm:
            found["mainspring.arm"] = target.arm
        if origin.member:
            found |= {"mainspring.member": origin.member, "mainspring.key_id": origin.key_id}
        if origin.client:
            found["mainspring.client"] = origin.client
        if target.guard:
            found |= self.findings.attributes(target.guard)
        found |= span_attributes(self.usage)
        if self.estimated:
            found["mainspring.usage.estimated"] = True
        found |= target.notes
        if self.lookup is not None:
            found |= _cached(self.lookup)
        for key, value in origin.metadata.items():
            found[f"mainspring.metadata.{key}"] = value
        return found


def _size(text: str, calls: Sequence[Mapping[str, Any]]) -> int:
    size = len(text) if isinstance(text, str) and text.isascii() else len(str(text).encode("utf-8", "replace"))
    return size + sum(len(str(call)) for call in calls) if calls else size


def _cached(lookup: Lookup) -> dict[str, Any]:
    """Return what the trace says of the cache."""
    hit = lookup.hit
    if hit is None:
        near = {} if lookup.nearest is None else {"mainspring.cache.similarity": round(lookup.nearest, 4)}
        return {"mainspring.cache": "miss", **near}
    found: dict[str, Any] = {"mainspring.cache": hit.kind, "mainspring.cache.age_seconds": round(hit.age_seconds, 1)}
    found |= {"mainspring.cache.similarity": round(hit.similarity, 4), "mainspring.cache.trace_id": hit.trace_id}
    saved = hit.usage
    return found | {
        "mainspring.cache.saved_input_tokens": saved.input_tokens,
        "mainspring.cache.saved_output_tokens": saved.output_tokens,
    }


def _parts(message: Message) -> dict[str, Any]:
    """Return a message in the shape of the OpenTelemetry GenAI conventions."""
    parts: list[dict[str, Any]] = []
    content = message.get("content")
    if message.get("role") == "tool":
        result = [_part(part) for part in content] if isinstance(content, list) else content
        parts = [{"type": "tool_call_response", "id": message.get("tool_call_id", ""), "result": result}]
    elif isinstance(content, list):
        parts = [_part(part) for part in content]
    elif content:
        parts = [{"type": "text", "content": content}]
    parts += [_call_part(call) for call in message.get("tool_calls") or ()]
    return {"role": message.get("role", "user"), "parts": parts}


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of a message; of an image that came along, what it was, but not its bytes."""
    if part["type"] == "text":
        return {"type": "text", "content": part["text"]}
    url = str(part["image_url"]["url"])
    if not url.startswith("data:"):
        return {"type": "uri", "modality": "image", "uri": url}
    kind, _, data = url.removeprefix("data:").partition(";base64,")
    return {"type": "blob", "modality": "image", "mime_type": kind, "bytes": len(data) * 3 // 4}


def _call_part(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    return {
        "type": "tool_call",
        "id": call.get("id", ""),
        "name": function.get("name", ""),
        "arguments": function.get("arguments", ""),
    }
