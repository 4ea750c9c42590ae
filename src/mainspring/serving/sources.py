"""Sources: where answers come from, a local engine or a provider, in one shape."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Mapping
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import JSON, EngineSpec
from mainspring.registry import Remote
from mainspring.serving.engines import Engines
from mainspring.serving.models import Operation, Relay
from mainspring.serving.remote import Remotes
from mainspring.serving.upstream import Events

_PATHS = {"chat": "/v1/chat/completions", "text_completion": "/v1/completions"}


class Sources:
    """Asks models from one event loop."""

    def __init__(self, platform: Platform, *, queue: int, patience: float = math.inf) -> None:
        """`queue` requests may wait for each local engine beyond its slots, for `patience` seconds each."""
        settings = platform.settings
        timeout = float(settings["gateway.timeout_seconds"])
        self._engines = Engines(platform.engine, queue=queue, timeout=timeout, patience=patience)
        self.remotes = Remotes(allow_private=bool(settings["targets.allow_private"]))

    def complete(
        self, spec: EngineSpec | Remote, operation: Operation, body: Mapping[str, JSON], key: str = ""
    ) -> Awaitable[dict[str, Any]]:
        """Ask for the whole answer, in the shape of OpenAI's; keys take turns at an engine.

        Awaiting it raises Invalid, LimitReached, NotFound, Unavailable.
        """
        if isinstance(spec, Remote):
            return self.remotes.complete(spec, operation, body)
        return self._engines.complete(spec, _PATHS[operation], body, key)

    def stream(
        self,
        spec: EngineSpec | Remote,
        operation: Operation,
        body: Mapping[str, JSON],
        key: str = "",
        *,
        joined: bool = False,
        relay: Relay | None = None,
    ) -> Events:
        """Return the events of the answer, in the shape of OpenAI's; closing them early ends the generation.

        What a provider sent at the same time may be `joined` to one piece, which has the bytes as they came beside it.
        What can go by the `relay` does not come out here.
        """
        if isinstance(spec, Remote):
            return self.remotes.stream(spec, operation, body, joined=joined, relay=relay)
        options = {"stream_options": {"include_usage": True}}
        return self._engines.stream(spec, _PATHS[operation], {**body, **options}, key)

    async def embed(self, spec: EngineSpec | Remote, body: Mapping[str, JSON], key: str = "") -> dict[str, Any]:
        """Return embeddings as a provider, or a local model that makes them, answered. Raises Invalid for another."""
        if isinstance(spec, Remote):
            return await self.remotes.embed(spec, body)
        if spec.embeds:
            return await self._engines.complete(spec, "/v1/embeddings", body, key)
        raise Invalid("This model makes no embeddings.", hint="GET /v1/models lists one that does.", param="model")

    async def count(self, spec: EngineSpec | Remote, body: Mapping[str, JSON]) -> int:
        """Return how many tokens a question has. Raises Invalid where nobody counts them."""
        if isinstance(spec, Remote) and spec.kind == "anthropic":
            return await self.remotes.count(spec, body)
        hint = "Ask a model of an Anthropic provider, or read the usage of an answer."
        raise Invalid("Nobody counts this model's tokens beforehand.", hint=hint, param="model")

    @property
    def load(self) -> tuple[int, int]:
        """How many requests are being answered, and how many wait."""
        running, waiting = self.local_load
        return running + self.remotes.running, waiting

    @property
    def local_load(self) -> tuple[int, int]:
        """The same of local models alone."""
        return self._engines.load

    async def close(self) -> None:
        """Release the connections."""
        await self._engines.close()
        await self.remotes.close()
