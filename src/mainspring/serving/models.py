"""What serving passes around: where a call goes, what is asked, and what came back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct

from mainspring.kernel.errors import Unavailable
from mainspring.kernel.ports import JSON, EngineSpec
from mainspring.kernel.spans import Span
from mainspring.prompts import PromptVersion
from mainspring.registry import Patience, Remote
from mainspring.safety.models import Policy
from mainspring.serving.cache.models import CachePolicy
from mainspring.traces import Price
from mainspring.traces import Tokens as Usage

__all__ = ["Answer", "Message", "Operation", "Origin", "Piece", "Question", "Target", "Told", "Unkept", "Usage"]

PLAYGROUND = "playground"
"""The service that traces name, and what the header x-mainspring-source says, where somebody tries something out."""
SHADOW = "shadow"
"""The service that the traces of copies name, which nobody waits for."""
LOADTEST = "loadtest"
"""The service that the traces of load tests name."""
Operation = Literal["chat", "text_completion", "embeddings"]
Message = Mapping[str, JSON]
"""`role` and `content`, and for tools `tool_calls` or `tool_call_id`; names are OpenAI's.

`content` is text or, where there is more to it, a list of parts of the types `text` and `image_url`; a part may carry
Anthropic's `cache_control`.
"""


@dataclass(slots=True)
class Above:
    """What stands above several attempts in a trace; an answer at the first attempt needs nothing above it."""

    span_id: str
    attempt: int = 0
    """The attempt that is made now, from 1."""
    spans: list[Span] = field(default_factory=list)
    """Those that were written below it."""
    held: tuple[Any, ...] | None = None
    """What is to be counted of the attempt that ended last, once it is known whether another one is made."""
    over: bool = False
    """Whether the call has ended, and nothing is held back any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a call goes: exact versions, resolved from what the client wrote in `model`."""

    project: str
    environment: str
    spec: EngineSpec | Remote
    """The local engine, or the provider, that answers."""
    model: str
    """Exact reference of the model version, or `PROVIDER/MODEL` where a provider was asked directly."""
    provider: str = "mainspring"
    """Who runs the model: a provider's name, or `mainspring` for a local one."""
    source: str = ""
    """Of a model version that a provider serves, `provider/NAME:MODEL`."""
    release: str = ""
    prompt: str = ""
    guard: str = ""
    deployment: str = ""
    arm: Literal["", "baseline", "canary"] = ""
    """Which of a deployment's two releases this is."""
    template: PromptVersion | None = None
    """The prompt's content; its schema is enforced where the parameter `constrained` says so."""
    policy: Policy | None = None
    parameters: Mapping[str, JSON] = field(default_factory=dict)
    """Generation parameters that are pinned; they win over what a client asks for."""
    shadow: Target | None = None
    """Where a copy of the call goes after the answer, for nobody to see."""
    price: Price | None = None
    """What its tokens cost; None leaves it to the intake of traces."""
    patience: Patience | None = None
    """How long a local engine may take for each phase, where a route says so; a provider's lies in `spec`."""
    notes: Mapping[str, JSON] = field(default_factory=dict)
    """Attributes for the trace."""
    cache: CachePolicy | None = None
    """What of its answers is kept and given again, where anything is."""
    above: Above | None = None
    """Where it is one of several that a call may be sent to, one after another."""


class Origin(Struct, frozen=True, kw_only=True):
    """Who asks, and in which trace."""

    member: str = ""
    key_id: str = ""
    client: str = ""
    """Stands for the address that the call came from, without telling it."""
    trace_id: str = ""
    """32 hex digits of the caller's trace, or empty for a new one."""
    parent_id: str = ""
    session_id: str = ""
    user_id: str = ""
    service: str = "mainspring"
    """What the trace names as its service: the playground's calls are told apart by it."""
    metadata: Mapping[str, str] = {}


@dataclass(slots=True)
class Told:
    """What is known only once a model was asked, for the headers of the answer."""

    target: Target | None = None
    """Who answered, where it is not sure beforehand."""
    headers: dict[str, str] = field(default_factory=dict)


class Relay:
    """The short way of a stream: mere text goes from the provider's connection to the client's past every task."""

    __slots__ = ("hear", "tell")

    def __init__(self) -> None:
        self.hear: Callable[[Piece], None] | None = None
        """Takes note of what was told."""
        self.tell: Callable[[Piece], bool] | None = None
        """Tells a piece at once; False, and nothing is told, where the client has to be waited for."""

    def __call__(self, piece: Piece) -> bool:
        """Pass a piece on; False where it has to go the long way."""
        if self.hear is None or self.tell is None or not self.tell(piece):
            return False
        self.hear(piece)
        return True


class Question(Struct, frozen=True, kw_only=True):
    """What is asked."""

    messages: Sequence[Message]
    """For a text completion: one user message that holds the text to be continued. None where a prompt says it all."""
    operation: Operation = "chat"
    options: Mapping[str, JSON] = {}
    """Generation options by their OpenAI names."""
    variables: Mapping[str, JSON] = {}
    """Values for the prompt's variables."""
    origin: Origin = Origin()
    headers: Mapping[str, str] = {}
    """The request's headers, by names in lower case, for a route's rules and the cache."""
    told: Told | None = None
    passes: bool = False
    """Whether who asked reads events of OpenAI's chats, so that those of a provider may be passed on as they are."""
    relay: Relay | None = None
    """The short way of a stream, where who asked has one."""


class Piece(Struct, frozen=True, kw_only=True):
    """One piece of an answer that streams; the last one carries the finish reason and the usage."""

    text: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    """Pieces of tool calls, told apart by `index`: the id and the name once, the arguments bit by bit."""
    raw: bytes = b""
    """The events of a provider that brought the text and nothing else, where they may be passed on."""
    finish_reason: str = ""
    stop_sequence: str = ""
    """The stop sequence that ended the answer, where the model's server tells it."""
    usage: Usage | None = None
    cost: float | None = None
    """US dollars, where the target's price is known."""


class Answer(Struct, frozen=True, kw_only=True):
    """A whole answer."""

    text: str
    tool_calls: Sequence[Mapping[str, Any]]
    finish_reason: str
    stop_sequence: str
    usage: Usage
    trace_id: str
    cost: float
    latency_ms: float
    ttft_ms: float | None


class Unkept(Unavailable):
    """What a call may use, or what it did, could not be noted: no other model is to be asked for it."""
