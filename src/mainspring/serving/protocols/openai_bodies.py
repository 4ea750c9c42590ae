"""The OpenAI protocol: the bodies of chat completions and completions."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from mainspring.serving.protocols.base import Notes, Parts, Penalty, Share, Short, Text, Tokens, Tools


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
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=0, le=1000)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: Short | Annotated[list[Short], Meta(max_length=16)] | None = None
    n: Annotated[int, Meta(ge=1, le=1)] | None = None
    user: Short | None = None
    metadata: Notes | None = None


class ChatBody(_Options, kw_only=True):
    """The body of `POST /v1/chat/completions`.

    Ours are `prompt`, a prompt version that a bare model is asked through, and `variables`: values for it, or for the
    prompt of a release. With a prompt the messages may be left out.
    """

    messages: Parts = []
    prompt: Annotated[str, Meta(max_length=300)] = ""
    max_completion_tokens: Tokens | None = None
    response_format: dict[str, Any] | None = None
    tools: Tools | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Short | None = None
    verbosity: Short | None = None
    service_tier: Short | None = None
    prompt_cache_key: Short | None = None
    variables: Annotated[dict[Short, Any], Meta(max_length=256)] = {}


class TextBody(_Options, kw_only=True):
    """The body of `POST /v1/completions`."""

    prompt: Text | Annotated[list[Text], Meta(min_length=1, max_length=1)]

    @property
    def text(self) -> str:
        """The text to be continued."""
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]
